"""The wheel that `make wheel` built: what is in it, what it asks for, and that it works where nothing else is installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from tests import messages

ROOT = Path(__file__).parents[2]
PACKAGES = {"segexport": "exporter", "segruntime": "runtime", "segbench": "benchmarks"}
# A backend's own requirements come with it; they are its business, and listed here so that a new one is noticed
BACKENDS = {
    "tflite": {
        "ai-edge-litert",
        "backports-strenum",
        "flatbuffers",
        "ml-dtypes",
        "protobuf",
        "tqdm",
        "typing-extensions",
    },
    "onnx": {"onnxruntime", "flatbuffers", "packaging", "protobuf", "coloredlogs", "humanfriendly", "sympy", "mpmath"},
}
LIBRARY = {"tflite": "ai-edge-litert", "onnx": "onnxruntime"}
SELF_TEST = "import segruntime; result = segruntime.load(backend={!r}).self_test(); print(result); assert result.same"

pytestmark = pytest.mark.skipif("SEGEDGE_WHEEL" not in os.environ, reason="`make wheel` builds the wheel and runs this")


@pytest.fixture(scope="session")
def wheel() -> Path:
    return Path(os.environ["SEGEDGE_WHEEL"]).resolve()


@pytest.fixture(scope="session")
def files(wheel: Path) -> dict[str, bytes]:
    """Name → content."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def metadata(files: dict[str, bytes], name: str) -> Message:
    (found,) = [content for path, content in files.items() if re.fullmatch(rf"segedge-[^/]*\.dist-info/{name}", path)]
    return Parser().parsestr(found.decode())


def test_it_is_pure_python_for_every_platform(wheel: Path, files: dict[str, bytes]) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    assert metadata(files, "WHEEL")["Root-Is-Purelib"] == "true"


def test_it_holds_the_packages_and_nothing_else(files: dict[str, bytes]) -> None:
    assert {name.split("/")[0] for name in files if ".dist-info/" not in name} == set(PACKAGES)
    strange = [name for name in files if re.search(r"(^|/)(tests?|__pycache__|\.[^/]*)/|\.py[co]$|/test_", name)]
    assert strange == []


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_no_file_of_a_package_is_left_behind_or_changed(package: str, files: dict[str, bytes]) -> None:
    folder = ROOT / PACKAGES[package]
    kept = [path for path in (folder / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    source = {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}
    assert {name: content for name, content in files.items() if name.startswith(f"{package}/")} == source


def test_the_bundled_models_and_the_type_markers_are_inside(files: dict[str, bytes]) -> None:
    for name in ("mobile_unet.onnx", "mobile_unet_float16.tflite", "mobile_unet_int8.tflite"):
        assert f"segruntime/models/{name}" in files
    assert all(f"{package}/py.typed" in files for package in PACKAGES)


def test_without_an_extra_it_asks_for_numpy_opencv_and_click(files: dict[str, bytes]) -> None:
    asked = metadata(files, "METADATA").get_all("Requires-Dist") or []
    assert {re.split(r"[<>=!~ ]", one)[0] for one in asked if "extra ==" not in one} == {
        "numpy",
        "opencv-python",
        "click",
    }


class Environment:
    """A new virtual environment without anything of this machine's Python in it."""

    def __init__(self, place: Path) -> None:
        venv.create(place, with_pip=True)
        self._programs = place / "bin"
        self._before = set(self.installed())

    def pip_install(self, *words: str | Path) -> None:
        self.run("-m", "pip", "--quiet", "--disable-pip-version-check", "install", *map(str, words))

    def brought(self) -> set[str]:
        """The distributions that pip installed, by their normalised names."""
        return set(self.installed()) - self._before

    def installed(self) -> list[str]:
        program = "import importlib.metadata as m, json; print(json.dumps([one.metadata['Name'] for one in m.distributions()]))"
        return [re.sub(r"[-_.]+", "-", name).lower() for name in json.loads(self.run("-c", program))]

    def run(self, *words: str) -> str:
        return self.command("python", *words)

    def command(self, program: str, *words: str) -> str:
        """What an installed program prints."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run(
            [self._programs / program, *words], capture_output=True, text=True, check=False, env=clean, cwd="/"
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module", params=sorted(BACKENDS))
def bare(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheel: Path
) -> tuple[str, Environment]:
    """numpy, OpenCV without windows, one backend, and the wheel without what it asks for: no click."""
    environment = Environment(tmp_path_factory.mktemp(request.param))
    environment.pip_install("numpy", "opencv-python-headless", LIBRARY[request.param])
    environment.pip_install("--no-deps", wheel)
    return request.param, environment


def test_numpy_opencv_and_one_backend_are_enough_for_the_library(bare: tuple[str, Environment]) -> None:
    backend, environment = bare
    assert "click" not in environment.installed()
    assert messages.SAME_MASK in environment.run("-c", SELF_TEST.format(backend))


@pytest.fixture(scope="module", params=sorted(BACKENDS))
def usual(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheel: Path
) -> tuple[str, Environment]:
    """`pip install WHEEL[BACKEND]`"""
    environment = Environment(tmp_path_factory.mktemp(f"usual-{request.param}"))
    environment.pip_install(f"{wheel}[{request.param}]")
    return request.param, environment


def test_the_extra_brings_its_backend_and_nothing_that_nobody_asked_for(usual: tuple[str, Environment]) -> None:
    backend, environment = usual
    wanted = {"segedge", "numpy", "opencv-python", "click", LIBRARY[backend]}
    assert wanted <= environment.brought() <= wanted | BACKENDS[backend]


def test_the_installed_commands_answer(usual: tuple[str, Environment]) -> None:
    backend, environment = usual
    assert "segrun talk.mp4" in environment.command("segrun", "--help")
    assert "segbench --quick" in environment.command("segbench", "--help")
    bundled = environment.run("-c", f"import segruntime.segmenter as s; print(s.BUNDLED[{backend!r}])").strip()
    assert messages.SAME_MASK in environment.command("segexport", "verify", bundled)
