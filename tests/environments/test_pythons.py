"""Which interpreters `make test-pythons` finds, and what it says of them: folders of programs that only say a version."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.places import ROOT

sys.path.insert(0, str(ROOT / "environments"))

import pythons
from pythons import Row, main, table

from segexport.convert.setup.interpreters import find_interpreters


def make_python(path: Path, says: str, code: int = 0) -> Path:
    """A program that answers every question with `says`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_path_comes_before_pyenv_and_pyenv_before_uv(tmp_path: Path) -> None:
    on_path = make_python(tmp_path / "bin" / "python3.10", "3.10.13")
    make_python(tmp_path / ".pyenv/versions/3.10.2/bin/python3.10", "3.10.2")
    in_pyenv = make_python(tmp_path / ".pyenv/versions/3.12.1/bin/python3.12", "3.12.1")
    uv = tmp_path / ".local/share/uv/python"
    make_python(uv / "cpython-3.12.4-linux-x86_64-gnu/bin/python3.12", "3.12.4")
    in_uv = make_python(uv / "cpython-3.14.0-linux-x86_64-gnu/bin/python3.14", "3.14.0")
    found = find_interpreters({"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)})
    assert found == {10: on_path, 12: in_pyenv, 14: in_uv}


def test_folders_that_the_environment_names_are_looked_into(tmp_path: Path) -> None:
    in_pyenv = make_python(tmp_path / "envs/versions/3.11.7/bin/python3.11", "3.11.7")
    in_uv = make_python(tmp_path / "uv/cpython-3.13.0-linux-x86_64-gnu/bin/python3.13", "3.13.0")
    environ = {"PATH": "", "PYENV_ROOT": str(tmp_path / "envs"), "UV_PYTHON_INSTALL_DIR": str(tmp_path / "uv")}
    assert find_interpreters(environ) == {11: in_pyenv, 13: in_uv}


def test_the_newest_of_several_is_taken(tmp_path: Path) -> None:
    for patch in ("9", "13", "2"):
        make_python(tmp_path / f".pyenv/versions/3.10.{patch}/bin/python3.10", f"3.10.{patch}")
    (found,) = find_interpreters({"PATH": "", "HOME": str(tmp_path)}).values()
    assert found.parents[1].name == "3.10.13"


@pytest.mark.parametrize(("says", "code"), [("pyenv: not chosen", 127), ("3.12.1", 0), ("", 1)])
def test_what_does_not_say_that_version_is_passed_over(tmp_path: Path, says: str, code: int) -> None:
    make_python(tmp_path / "bin" / "python3.11", says, code)
    right = make_python(tmp_path / ".pyenv/versions/3.11.7/bin/python3.11", "3.11.7")
    assert find_interpreters({"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}) == {11: right}


def test_a_program_that_cannot_be_run_is_passed_over(tmp_path: Path) -> None:
    make_python(tmp_path / "python3.13", "3.13.0").chmod(0o644)
    assert find_interpreters({"PATH": str(tmp_path), "HOME": str(tmp_path)}) == {}


def test_this_interpreter_is_one() -> None:
    minor = sys.version_info[1]
    found = find_interpreters({"PATH": str(Path(sys.base_prefix) / "bin")})
    assert found[minor] == Path(sys.base_prefix) / "bin" / f"python3.{minor}"


def test_the_table_has_a_line_an_interpreter() -> None:
    rows = [
        Row(python="3.10", tests="passed", demo="FAILED", seconds=61.4),
        Row(python="3.13", tests="passed", demo="not tried", seconds=9.6),
    ]
    assert [line.split("  ") for line in table(rows).splitlines()[1:]] == [
        line.split("  ")
        for line in (
            "3.10     passed          FAILED          61",
            "3.13     passed          not tried       10",
        )
    ]


@pytest.mark.parametrize(
    ("tests", "demo", "code"), [("passed", "passed", 0), ("FAILED", "passed", 1), ("passed", "FAILED", 1)]
)
def test_one_that_is_red_makes_all_red(
    tests: str,
    demo: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    outcome = {"light": tests, "main": demo}
    monkeypatch.setattr(pythons, "find_interpreters", lambda _: {10: Path("python3.10"), 13: Path("python3.13")})
    monkeypatch.setattr(pythons, "attempt", lambda _python, name, _place, *_words: outcome[name])
    assert main(tmp_path, ["3.10", "3.11"], []) == code
    said = capsys.readouterr().out
    assert f"3.13     {tests:<15} not tried" in said
    assert said.endswith("folder: 3.11, 3.12, 3.14\n")


def test_no_interpreter_at_all_is_red(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pythons, "find_interpreters", lambda _: {})
    assert main(tmp_path, ["3.10", "3.11"], []) == 1
