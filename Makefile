# Two commands set everything up: `make demo` and `make test`. Both can be run again and do only what is left to do.
#   make demo PYTHON=python3.12      to choose the interpreter (3.10 to 3.14)
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LIGHT  := .venv-light
MEDIAPIPE := .venv-mediapipe
RAY    := .venv-ray
DEMO_PICTURES ?= $(wildcard ../shared/data/portraits/calibration/images)

BUILD  := .venv-build
PYTHONS := .venv-pythons
SUITE  ?= bookworm

# an environment holds what environments/NAME.lock says; INSTALL=--newest for what pyproject.toml allows (make newest)
INSTALL ?=
install = environments/install.py $(INSTALL)

.PHONY: demo test tests-as-they-run test-full lint types tests light mediapipe-test ray-test newest differences test-cpus test-pythons locks zoo bundle wheel test-aarch64 web web-build web-test web-test-where-possible native native-test native-fuzz native-aarch64 clean

demo: $(VENV)/.direct
	$(BIN)/python examples/demo.py --output demo $(if $(DEMO_PICTURES),--calibration $(DEMO_PICTURES))

# the page is tested in a real browser: `make test` says so where there is none, WEB_TEST=web-test insists
WEB_TEST ?= web-test-where-possible
# two targets at a time: the main tests, shown as they run, beside the small environments, MediaPipe and the browser, each shown when it is done
test:
	$(MAKE) --jobs=2 --output-sync=target tests-as-they-run lint types light mediapipe-test ray-test $(WEB_TEST)

tests-as-they-run: $(VENV)/.converters
	+$(MAKE) --output-sync=none tests

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready
	$(BIN)/mypy

# as many test files at once as there are cores, in the order of tests/conftest.py; JOBS=0 for one after the other in one process
JOBS ?= 2
# torch's threads would turn in circles while they wait, on cores that other tests could have
export OMP_WAIT_POLICY ?= passive
PYTEST := -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder
tests: $(VENV)/.converters
	$(BIN)/python $(PYTEST) $(addprefix --ignore=,$(LIGHT_TESTS) tests/mediapipe tests/ray)

# what takes too long for every day: the networks at full size, and the runtime's tests beside the exporter's older libraries too
test-full: $(VENV)/.converters
	$(BIN)/python $(PYTEST) -m "full or not full" $(addprefix --ignore=,tests/mediapipe tests/ray)

# the runtime alone, with the newest interpreters: lightness and new versions are both held
LIGHT_TESTS := tests/runtime tests/serve tests/video tests/jobs tests/parity/test_backends_agree.py tests/parity/test_bundled_models.py \
	tests/hostile/test_model_files_hostile.py tests/hostile/test_contract_hostile.py tests/hostile/test_golden_hostile.py
light: $(LIGHT)/.ready
	$(LIGHT)/bin/python $(PYTEST) $(LIGHT_TESTS)

# our files in MediaPipe's ImageSegmenter, Python's and the web's (where npm and Chromium are there), in an environment of its own
mediapipe-test: $(VENV)/.direct $(MEDIAPIPE)/.ready
	PYTHONPATH=runtime SEGEDGE_EXPORTER=$(BIN)/python $(MEDIAPIPE)/bin/python -m pytest tests/mediapipe

# jobs and the two examples on a Ray cluster of three nodes, all on this machine, in an environment of its own
ray-test: $(RAY)/.ready
	timeout --kill-after=30 1200 $(RAY)/bin/python -m pytest tests/ray

# a pure wheel, by way of the sdist; then: what is in it, and does it work beside numpy, OpenCV and one backend only?
wheel: $(LIGHT)/.ready $(BUILD)/.ready
	rm -rf dist
	$(BUILD)/bin/python -m build --no-isolation --outdir dist
	SEGEDGE_WHEEL=$$(ls dist/*.whl) $(LIGHT)/bin/python -m pytest tests/packaging

# the runtime in a Debian for the Raspberry Pi, on emulated processors; SUITE=trixie for Python 3.13
test-aarch64: $(LIGHT)/.ready $(BUILD)/.ready
	rm -rf dist
	$(BUILD)/bin/python -m build --no-isolation --outdir dist
	$(LIGHT)/bin/python tests/aarch64/run.py --wheel $$(ls dist/*.whl) --suite $(SUITE)

# the runtime without Python: a C library; needs cmake 3.21 and a C++17 compiler
NATIVE := runtime/native
CORPUS := tests/native/fuzz/corpus.zip
native:
	cd $(NATIVE) && cmake --preset native && cmake --build --preset native

# its tests against the Python runtime, once more with the address and undefined-behaviour sanitizers, and two threads with the third
native-test: native $(VENV)/.direct
	$(BIN)/python -m pytest tests/native
	cd $(NATIVE) && cmake --preset sanitize && cmake --build --preset sanitize
	SEGEDGE_CORE=$(CURDIR)/$(NATIVE)/build/sanitize/libsegedge.so ASAN_OPTIONS=detect_leaks=0 \
		LD_PRELOAD="$$(c++ -print-file-name=libasan.so) $$(c++ -print-file-name=libubsan.so)" \
		$(BIN)/python -m pytest -p no:cacheprovider tests/native
	$(PYTHON) -m zipfile -e $(CORPUS) $(NATIVE)/build/sanitize/corpus
	cd $(NATIVE)/build/sanitize && fuzz/segedge_fuzz corpus 10000
	cd $(NATIVE) && cmake --preset thread && cmake --build --preset thread
	SEGEDGE_LITERT=$$($(BIN)/python -c "import ai_edge_litert as a; print(a.__path__[0])")/libLiteRt.so TSAN_OPTIONS=halt_on_error=1 \
		setarch -R $(NATIVE)/build/thread/two_sessions runtime/segruntime/models/mobile_unet_int8.tflite

# libFuzzer on what reads a model file, from the corpus on; needs clang; FUZZ_SECONDS=3600 for longer. What it finds lies in build/fuzz:
# mend it and put it into the corpus, made small again: segedge_fuzz -set_cover_merge=1 -use_counters=0 -max_len=200000 kept corpus new
FUZZ_SECONDS ?= 600
native-fuzz:
	cd $(NATIVE) && cmake --preset fuzz && cmake --build --preset fuzz
	$(PYTHON) -m zipfile -e $(CORPUS) $(NATIVE)/build/fuzz/corpus
	cd $(NATIVE)/build/fuzz && mkdir -p new && fuzz/segedge_fuzz -max_len=8192 -timeout=10 -max_total_time=$(FUZZ_SECONDS) new corpus

# the same vectors on an emulated 64-bit Arm: needs g++-aarch64-linux-gnu, qemu-user-static, and the network for LiteRT's wheel
native-aarch64: native $(VENV)/.direct
	cd $(NATIVE) && cmake --preset aarch64 && cmake --build --preset aarch64
	PYTHONPATH=. $(BIN)/python tests/native/emulated.py

# networks of other people's libraries through every converter, then docs/networks.md; goes on where it was: ZOO_WORDS="segformer_b0 --again"
zoo: $(VENV)/.converters
	$(BIN)/python benchmarks/zoo $(ZOO_WORDS)
	$(BIN)/python benchmarks/readme_tables.py

# what the runtime's package carries, made again from the bundled checkpoint: CALIBRATION=FOLDER of pictures of people
ifeq ($(filter bundle,$(MAKECMDGOALS))$(CALIBRATION),bundle)
$(error segedge: int8 is calibrated with pictures of people; make bundle CALIBRATION=FOLDER)
endif
bundle: $(VENV)/.direct
	$(BIN)/python examples/bundle.py --calibration $(CALIBRATION)

# the page that replaces the background in the browser: builds web/dist and serves it on this machine; PORT=8080 for another port
PORT ?= 8080
web: web-build
	node web/serve.mjs --port $(PORT)

web-build: web/node_modules/.installed
	node web/build.mjs

# the page and its engine in a real browser, against what the runtime makes of the same frames
web-test: web-build web/.fixtures/resize.json
	cd web && npm --silent test

# what segruntime makes of some frames, for holding the page's engine against it
web/.fixtures/resize.json: $(VENV)/.direct web/test/make_fixtures.py tests/saved_by_libraries.py $(shell find exporter/segexport runtime/segruntime -name '*.py') examples/mobile_unet.pth
	$(BIN)/python web/test/make_fixtures.py

web-test-where-possible: $(VENV)/.ready
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do command -v $$name && found=yes && break; done >/dev/null; \
	if [ -z "$$found" ] && [ -z "$$CHROMIUM" ]; then echo "segedge: the page was not tested, no browser found; install the package chromium"; \
	elif ! command -v npm >/dev/null; then echo "segedge: the page was not tested, npm is missing; install the packages nodejs and npm"; \
	else $(MAKE) web-test; fi

web/node_modules/.installed: web/package.json web/package-lock.json
	@node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null || { echo "segedge: the page needs Node.js 20 or newer and npm; install the packages nodejs and npm"; exit 1; }
	cd web && npm ci --silent
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v < (3, 15) else "segedge: Python %d.%d found, the exporter needs 3.10 to 3.14; try make PYTHON=python3.12" % v)'
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.platform == "linux" else "segedge: this is %s, the exporter was tried on Linux alone; the runtime runs here, pip install \".[onnx]\"" % sys.platform)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: $(BIN)/python environments/main.lock pyproject.toml constraints.txt
	$(BIN)/python $(install) main $(VENV)
	@touch $@

# the converters' environments lie in the main one; the demo needs one of them, the tests all that can be had with the Pythons here
LOCKS := exporter/segexport/convert/setup
$(VENV)/.direct: $(VENV)/.ready $(LOCKS)/direct.lock
	$(BIN)/segexport setup direct
	@touch $@

$(VENV)/.converters: $(VENV)/.direct $(wildcard $(LOCKS)/*.lock)
	$(BIN)/segexport setup
	@touch $@

$(LIGHT)/.ready: environments/light.lock pyproject.toml
	$(PYTHON) $(install) light $(LIGHT)
	@touch $@

# MediaPipe's page library beside it, where npm is there
$(MEDIAPIPE)/.ready: environments/mediapipe.lock $(wildcard environments/mediapipe/*)
	$(PYTHON) $(install) mediapipe $(MEDIAPIPE)
	cp environments/mediapipe/package*.json environments/mediapipe/.npmrc $(MEDIAPIPE)
	! command -v npm >/dev/null || npm ci --silent --prefix $(MEDIAPIPE)
	@touch $@

$(RAY)/.ready: environments/ray.lock pyproject.toml
	$(PYTHON) $(install) ray $(RAY)
	@touch $@

$(BUILD)/.ready: environments/build.lock
	$(PYTHON) environments/install.py build $(BUILD)
	@touch $@

# the locks made again, keeping what still fits; UPGRADE=--upgrade for the newest of everything
locks: $(BUILD)/.ready
	$(BUILD)/bin/python environments/lock.py $(UPGRADE)
	! command -v npm >/dev/null || npm install --silent --package-lock-only --prefix environments/mediapipe

# the same tests with the newest of everything that pyproject.toml allows, in environments of their own; before them: what differs from the locks
NEWEST := .venv-newest
newest:
	rm -rf $(NEWEST) $(NEWEST)-light $(NEWEST)-mediapipe $(NEWEST)-ray
	$(MAKE) --keep-going INSTALL=--newest VENV=$(NEWEST) LIGHT=$(NEWEST)-light MEDIAPIPE=$(NEWEST)-mediapipe RAY=$(NEWEST)-ray differences tests light mediapipe-test ray-test

differences: $(VENV)/.ready $(LIGHT)/.ready $(MEDIAPIPE)/.ready $(RAY)/.ready
	$(BIN)/python environments/differences.py main
	$(LIGHT)/bin/python environments/differences.py light
	$(MEDIAPIPE)/bin/python environments/differences.py mediapipe
	$(RAY)/bin/python environments/differences.py ray

# the runtime on processors that are not this one: switches of OpenCV and numpy, qemu's x86-64 models and an aarch64; four versions of OpenCV
test-cpus: $(LIGHT)/.ready
	$(LIGHT)/bin/python tests/cpus/run.py

# the runtime's tests on every CPython 3.10 to 3.14 of this machine, the exporter's demo on some of them;
# the demo takes 2 GB each, and more where pip has torch with CUDA only: EXPORTERS=3.11 for fewer, EXPORTERS= for none
EXPORTERS ?= 3.10 3.11 3.12 3.13
test-pythons:
	$(PYTHON) environments/pythons.py $(PYTHONS) "$(EXPORTERS)" $(PYTEST) $(LIGHT_TESTS)

clean:
	rm -rf $(VENV) $(LIGHT) $(MEDIAPIPE) $(BUILD) $(PYTHONS) $(NEWEST) $(NEWEST)-light $(NEWEST)-mediapipe $(RAY) $(NEWEST)-ray .venv-cpus .aarch64 dist demo out .mypy_cache .ruff_cache .pytest_cache web/node_modules web/dist web/.fixtures benchmarks/zoo/.made $(NATIVE)/build
