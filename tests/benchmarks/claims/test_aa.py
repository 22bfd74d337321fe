"""The script behind the promise of `segbench compare` measures three sides in turn, and counts what it found."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from tests.scripts import load_script, result_of

from segbench.results.latency import read_latency


@pytest.fixture(scope="module")
def aa_test() -> ModuleType:
    return load_script("aa_test.py")


def test_three_sides_are_measured_in_turn_and_a_slowdown_of_four_times_is_seen(tmp_path: Path) -> None:
    words = ["--repetitions", 1, "--rounds", 4, "--seconds", 0.1, "--planted", 3, "--keep", tmp_path]
    found = result_of("aa_test.py", *words)
    (row,) = found["rows"]
    assert (row["same"]["paired"], row["planted"]["paired"]) == (True, True)
    assert 2 < row["planted"]["ratio"] < 8
    assert found["slower"] == (row["planted"]["verdict"] == "slower")
    kept = {path.name: read_latency(path) for path in tmp_path.iterdir()}
    assert sorted(kept) == ["01-A.json", "01-B.json", "01-C.json"]
    medians = {
        name: [float(np.median(one.values_ms["whole"])) for one in result.configurations[0].processes]
        for name, result in kept.items()
    }
    assert {len(values) for values in medians.values()} == {4}
    assert float(np.median(medians["01-C.json"])) > 2 * float(np.median(medians["01-A.json"]))


def rows(same: list[str], planted: list[str]) -> list[dict[str, Any]]:
    return [{"same": {"verdict": a}, "planted": {"verdict": b}} for a, b in zip(same, planted, strict=True)]


@pytest.mark.parametrize(("wrong", "missed", "met"), [(0, 0, True), (1, 2, True), (2, 0, False), (0, 3, False)])
def test_goals_are_19_and_18_of_20(aa_test: ModuleType, wrong: int, missed: int, met: bool) -> None:
    same = ["slower"] * wrong + ["no difference seen"] * (20 - wrong)
    planted = ["no difference seen"] * missed + ["slower"] * (20 - missed)
    found = aa_test.summary(rows(same, planted), 0.1)
    assert (found["no_difference"], found["slower"], found["goals_met"]) == (20 - wrong, 20 - missed, met)


def test_c_that_looks_faster_was_not_seen(aa_test: ModuleType) -> None:
    assert aa_test.summary(rows(["no difference seen"], ["faster"]), 0.1)["slower"] == 0
