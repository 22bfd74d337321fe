"""What a run says of itself: ages of the mask, shares of the stages, JSON and a line; a clip with nobody in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.video.clips import make, person

from segruntime.run.statistics import Statistics, shares

Run = Callable[..., Statistics]
FIELDS = {
    "frames",
    "seconds",
    "stage_shares",
    "mask_age_mean",
    "mask_age_max",
    "flicker",
    "broken",
    "dropped",
    "interrupted",
    "unplugged",
    "output",
    "notes",
    "frames_per_second",
}


@pytest.mark.parametrize(("every", "mean", "oldest", "calls"), [(1, 0.0, 0, 12), (3, 1.0, 2, 4), (5, 21 / 12, 4, 3)])
def test_the_network_runs_every_n_frames(
    every: int, mean: float, oldest: int, calls: int, everywhere: Any, tmp_path: Path, segrun: Run
) -> None:
    statistics = segrun(make(tmp_path / "in.mp4"), tmp_path / "out.mp4", every=every)
    assert statistics.mask_age_mean == pytest.approx(mean)
    assert statistics.mask_age_max == oldest
    assert everywhere.calls == calls


def test_the_fields_of_the_json(left: object, tmp_path: Path, segrun: Run) -> None:
    out = str(tmp_path / "out.mp4")
    clip = make(tmp_path / "in.mp4", draw=lambda i, width, height: person(width, height))
    statistics = segrun(clip, out)
    found = json.loads(json.dumps(statistics.to_json()))
    assert set(found) == FIELDS
    assert (found["frames"], found["broken"], found["dropped"], found["output"]) == (12, 0, 0, out)
    assert found["frames_per_second"] == pytest.approx(12 / found["seconds"])
    assert list(found["stage_shares"]) == ["decode", "network", "composite", "encode"]
    assert sum(found["stage_shares"].values()) == pytest.approx(1)
    assert found["flicker"] == pytest.approx(0, abs=1e-6)  # nothing moves, and the mask is the same


def test_the_line_for_people() -> None:
    statistics = Statistics(
        frames=30,
        seconds=2.0,
        stage_shares={"decode": 0.25, "encode": 0.75},
        mask_age_mean=1.0,
        mask_age_max=2,
        flicker=0.0123,
        broken=2,
        dropped=0,
        interrupted=False,
        output="out.mp4",
    )
    assert statistics.line() == (
        "30 frames in 2.0 s, 15.0 fps; decode 25% · encode 75%; mask age 1.0 frames, at most 2; flicker 1.23%; 2 broken"
    )


def test_shares_of_no_time_are_zero() -> None:
    assert shares(["a", "b"], [0.0, 0.0]) == {"a": 0.0, "b": 0.0}
    assert shares(["a", "b"], [1.0, 3.0]) == {"a": 0.25, "b": 0.75}


@pytest.mark.parametrize("preset", ["fast", "balanced", "best"])
def test_a_clip_with_nobody_in_it_gives_an_empty_mask(preset: str, tmp_path: Path, segrun: Run) -> None:
    def wall(i: int, width: int, height: int) -> Any:
        return np.repeat(np.linspace(60, 180, width)[None, :, None], height, 0).repeat(3, 2).astype(np.uint8)

    clip = make(tmp_path / "in.mp4", frames=4, size=(320, 240), draw=wall)
    segrun(clip, f"{tmp_path}/masks/", "alpha", preset=preset)
    for path in (tmp_path / "masks").iterdir():
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        assert (mask > 127).mean() == 0
        assert mask.mean() < 0.05 * 255
