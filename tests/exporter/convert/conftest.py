"""What `segexport setup` finds: wheels of a few bytes, a pip that is quick or real, and converters that cannot be here."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.exporter.convert.small_converters import SMALL, lock, of_one_module
from tests.tiny_wheels import make_wheel, only_from

from segexport.convert.setup import known, make
from segexport.convert.setup.known import ENVIRONMENTS


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, the only place where pip looks; `direct` is small, locked to tiny 1.0 of it, and not made yet."""
    folder = tmp_path / "wheels"
    for name, value in only_from(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SEGEDGE_CONVERTERS", str(tmp_path / "converters"))
    monkeypatch.setattr(known, "__file__", str(tmp_path / "known.py"))
    monkeypatch.setitem(ENVIRONMENTS, "direct", SMALL)
    lock(tmp_path, "1.0", make_wheel(folder, "tiny", "1.0"))
    return folder


@pytest.fixture
def quick(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, where what pip does is done without it: for tests of what is around it."""

    def unpack(place: Path, words: list[str], **_: object) -> None:
        name, version = Path(words[-1]).read_text().split()[0].split("==")
        (packages,) = (place / "lib").glob("python3*/site-packages")
        with zipfile.ZipFile(wheels / f"{name}-{version}-py3-none-any.whl") as wheel:
            wheel.extractall(packages)

    def make_empty(_python: Path, place: Path, _held: Sequence[int] = ()) -> None:
        venv.create(place, symlinks=True)

    monkeypatch.setattr(make, "make_venv", make_empty)
    monkeypatch.setattr(make, "pip_install", unpack)
    return wheels


@pytest.fixture(scope="module")
def venv_with_pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("with_pip") / "venv"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    return place


@pytest.fixture
def pip(wheels: Path, venv_with_pip: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, where pip is real in a copy of an environment."""

    def copy(_python: Path, place: Path, _held: Sequence[int] = ()) -> None:
        shutil.copytree(venv_with_pip, place, symlinks=True)

    monkeypatch.setattr(make, "make_venv", copy)
    return wheels


@pytest.fixture
def nowhere(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tf` needs a Python that nobody has, `litert-torch` another machine; `direct` can be made."""
    future = of_one_module("tf", oldest=(3, 98), newest=(3, 99))
    other = of_one_module("litert-torch", machines=(("plan9", "mips"),))
    monkeypatch.setattr(make, "find_interpreters", lambda _: {})
    for one in (future, other):
        monkeypatch.setitem(ENVIRONMENTS, one.name, one)
        one.lock.write_text("tiny==1.0 \\\n    --hash=sha256:00\n")
