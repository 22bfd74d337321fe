"""What can be held of `make test-cpus` without emulators: that a difference is seen, named, and ends the command with 1."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parent))

import children
import run
from compare import BOUNDS, Variants, steps_apart
from settings import EMULATED, NATIVE, SWITCHED, Features, Interpreter, Setting, command, why_not_here

Arrays = dict[str, npt.NDArray[Any]]
OTHER = Setting(name="other")
HERE = Interpreter(python=Path(sys.executable), opencv="4.11.0.86", numpy="1.26.4")


def made() -> Arrays:
    """One array of each output: a byte picture, but for the float ones."""
    floats = ("mask", "alpha", "network", "flicker")
    return {
        f"{name}: one": np.full((3, 5), 0.5, np.float32) if name in floats else np.full((3, 5), 100, np.uint8)
        for name in BOUNDS
    }


def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, other: Arrays, *words: str) -> Result:
    """The command, with this processor and another one that made `other`."""
    sides = {NATIVE.name: made(), OTHER.name: other}

    def child(setting: Setting, _interpreter: Interpreter, arguments: Sequence[str]) -> str:
        kind, file = arguments[1:]
        arrays = {
            name: one for name, one in sides[setting.name].items() if name.startswith("network") == (kind == "network")
        }
        numbered = {str(index): array for index, array in enumerate(arrays.values())}
        np.savez(file, names=np.array(list(arrays)), features=np.array(""), **numbered)  # type: ignore[arg-type]
        return ""

    missing = Setting(name="missing")
    rows = [
        (NATIVE, HERE, "4.11.0.86", ""),
        (OTHER, HERE, "4.11.0.86", ""),
        (missing, None, "4.11.0.86", "no such switch"),
    ]
    monkeypatch.setattr(run, "_configurations", lambda *_: iter(rows))
    monkeypatch.setattr(children, "_run", child)
    return CliRunner().invoke(run.main, ["--no-tests", "--output", str(tmp_path / "arrays"), *words])


def test_equal_sides_pass_and_what_is_not_here_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = table(monkeypatch, tmp_path, made())
    assert done.exit_code == 0, done.output
    assert "0, equal to the bit" in done.output
    assert "not here: no such switch" in done.output


@pytest.mark.parametrize("output", list(BOUNDS))
def test_one_value_beyond_the_bound_ends_it_with_1_and_names_the_output(
    output: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planted = made()
    one = planted[f"{output}: one"]
    one[1, 2] += BOUNDS[output] + 1 if one.dtype == np.uint8 else (BOUNDS[output] + 0.01) / 255
    done = table(monkeypatch, tmp_path, planted)
    assert done.exit_code == 1
    assert f"test-cpus: {output}: got a difference of" in done.output
    assert done.output.count("got a difference of") == 1


def test_a_difference_within_the_bound_is_shown_and_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    planted = made()
    planted["blur: one"][0, 0] += 1
    done = table(monkeypatch, tmp_path, planted, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["outputs"]["blur"] | {"case": ""} == {
        "output": "blur", "largest": 1, "case": "", "differing": 1, "values": 15, "is_within": True
    }  # fmt: skip
    assert [row["why"] for row in found["rows"]] == ["", "", "no such switch"]


def test_sides_that_made_other_things_are_refused() -> None:
    variants = Variants()
    variants.add("first", made())
    with pytest.raises(ValueError, match=r"second: made other things than the rest \(blend: one\)"):
        variants.add("second", {name: one for name, one in made().items() if name != "blend: one"})
    with pytest.raises(ValueError, match="nothing at all"):
        Variants().add("first", {})


def test_the_widest_difference_is_that_of_any_two() -> None:
    variants = Variants()
    for who, value in (("first", 100), ("second", 99), ("third", 101)):
        variants.add(who, {"blur: one": np.full((2, 2), value, np.uint8)})
    assert variants.between("first", "third")["blur"].largest == 1
    assert variants.widest()["blur"].largest == 2


def test_what_is_no_number_or_has_another_type_is_as_far_away_as_can_be() -> None:
    number, none = np.zeros(3, np.float32), np.array([0, np.nan, 0], np.float32)
    assert steps_apart(number, none).max() == np.inf
    assert steps_apart(none, none.copy()).max() == 0
    assert steps_apart(number, np.zeros(3, np.uint8)).max() == np.inf
    assert steps_apart(number, np.zeros(4, np.float32)).max() == np.inf


def test_a_program_that_ends_badly_is_a_line_of_its_row(tmp_path: Path) -> None:
    row = children.Children(("no such kind",), tmp_path).row(NATIVE, HERE, with_tests=False)
    assert row.failed == ("no such kind: exit code 1, KeyError: 'no such kind'",)


def test_an_emulated_processor_is_started_by_qemu_and_missed_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    words = command(EMULATED[0], HERE, ["x.py"])
    assert words == ["qemu-x86_64-static", "-cpu", "Nehalem-v1", sys.executable, "x.py"]
    monkeypatch.setenv("PATH", "/nowhere")
    why = why_not_here(EMULATED[0], Features(opencv=(), numpy=()))
    assert why == "qemu-x86_64-static not found; apt-get install qemu-user-static"


def test_a_processor_without_avx2_cannot_play_one_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    (avx2,) = [one for one in SWITCHED if one.name == "AVX2"]
    assert why_not_here(avx2, Features(opencv=("SSE4.1",), numpy=())) == "OpenCV finds no AVX2 here"
    assert why_not_here(avx2, Features(opencv=("SSE4.1", "AVX2"), numpy=())) == ""  # without AVX-512 it is as it is
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert why_not_here(avx2, Features(opencv=(), numpy=())) == "a switch of x86-64, this machine is aarch64"
