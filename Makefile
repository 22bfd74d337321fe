# Two commands set everything up: `make demo` and `make test`. Both can be run again and do only what is left to do.
#   make demo PYTHON=python3.12      to choose the interpreter (3.10 to 3.12)
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LIGHT  := .venv-light
PIP    := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip --quiet
DEMO_PICTURES ?= $(wildcard ../shared/data/portraits/calibration/images)

BUILD  := .venv-build
SUITE  ?= bookworm

.PHONY: demo test lint types tests light bundle wheel test-aarch64 clean

demo: $(VENV)/.export
	$(BIN)/python examples/demo.py --output demo $(if $(DEMO_PICTURES),--calibration $(DEMO_PICTURES))

test: lint types tests light

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

tests: $(VENV)/.dev
	$(BIN)/python -m pytest

# the runtime alone, with the newest interpreters: lightness and new versions are both held
light: $(LIGHT)/.runtime
	$(LIGHT)/bin/python -m pytest tests/runtime tests/serve tests/video/test_live.py tests/video/test_sound.py tests/video/test_times.py tests/parity/test_backends_agree.py tests/parity/test_bundled_models.py \
		tests/hostile/test_model_files_hostile.py tests/hostile/test_contract_hostile.py tests/hostile/test_golden_hostile.py

# a pure wheel, by way of the sdist; then: what is in it, and does it work beside numpy, OpenCV and one backend only?
wheel: $(LIGHT)/.runtime $(BUILD)/.build
	rm -rf dist
	$(BUILD)/bin/python -m build --outdir dist
	SEGEDGE_WHEEL=$$(ls dist/*.whl) $(LIGHT)/bin/python -m pytest tests/packaging

# the runtime in a Debian for the Raspberry Pi, on emulated processors; SUITE=trixie for Python 3.13
test-aarch64: $(LIGHT)/.runtime $(BUILD)/.build
	rm -rf dist
	$(BUILD)/bin/python -m build --outdir dist
	$(LIGHT)/bin/python tests/aarch64/run.py --wheel $$(ls dist/*.whl) --suite $(SUITE)

# what the runtime's package carries, made again from the demo checkpoint
bundle: $(VENV)/.export
	$(BIN)/python examples/bundle.py --calibration ../shared/data/portraits/training/images

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 12) else "segedge: Python %d.%d found, the exporter needs 3.10 to 3.12; try make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.export: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install -c constraints.txt -e ".[export,tflite,onnx,bench]" "scikit-image>=0.22"
	@touch $@

$(VENV)/.dev: $(VENV)/.export
	$(PIP) install -c constraints.txt -e ".[export,tflite,onnx,bench,video,serve,dev]"
	@touch $@

$(LIGHT)/.runtime: pyproject.toml
	$(PYTHON) -m venv $(LIGHT)
	$(LIGHT)/bin/python -m pip --quiet --disable-pip-version-check install --upgrade -e ".[tflite,onnx,video,serve]" "ai-edge-litert>=2.3" pytest
	@touch $@

$(BUILD)/.build:
	$(PYTHON) -m venv $(BUILD)
	$(BUILD)/bin/python -m pip --quiet --disable-pip-version-check install build
	@touch $@

clean:
	rm -rf $(VENV) $(LIGHT) $(BUILD) .aarch64 dist demo out .mypy_cache .ruff_cache .pytest_cache
