"""Pictures of every kind in a job: HEIC, AVIF and animations beside the others, their transparency, what was not kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.video.clips import person

from segruntime.jobs import worker
from segruntime.jobs.options import Summary
from segruntime.picture_files.animated import frames_in
from segruntime.picture_files.decode import read_still

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")

RunJob = Callable[..., Summary]


class Everywhere:
    """A network that finds the person in every pixel."""

    def __init__(self, flickering: Any) -> None:
        self.contract = flickering.contract

    def coarse_size(self, _height: int, _width: int) -> tuple[int, int]:
        return 32, 32

    def coarse(self, _frame: Any) -> Any:
        return np.ones((32, 32), np.float32)


@pytest.fixture
def folder(flickering: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Each picture's own alpha is 90 in the lower half."""
    monkeypatch.setattr(worker, "load", lambda *_, **__: Everywhere(flickering))
    rgba = cv2.cvtColor(person(64, 48), cv2.COLOR_BGR2RGBA)
    rgba[24:, :, 3] = 90
    made = tmp_path / "in" / "über"
    made.mkdir(parents=True)
    picture = Image.fromarray(rgba)
    picture.save(made / "a b.png")
    picture.save(made / "c.AVIF", quality=95)
    heif.from_pillow(picture).save(made / "d.HEIC", quality=95)
    frames = [Image.fromarray(np.clip(rgba.astype(int) + k, 0, [255, 255, 255, 255]).astype(np.uint8)) for k in (0, 1)]
    for name in ("e.apng", "f.webp"):
        frames[0].save(
            made / name, "png" if name == "e.apng" else "webp", save_all=True, append_images=frames[1:], duration=100
        )
    return tmp_path / "in"


def test_transparency_of_a_jobs_pictures_is_kept_where_that_is_asked_for(
    folder: Path, tmp_path: Path, job: RunJob
) -> None:
    for words, expected in (({}, 255), ({"keep_alpha": True}, 90)):
        out = tmp_path / f"out{expected}"
        summary = job(folder, out, background="transparent", **words)
        assert sorted(path.name for path in (out / "über").iterdir()) == [
            "a b.png",
            "c.png",
            "d.png",
            "e.apng",
            "f.webp",
        ]
        for name in ("a b.png", "c.png", "d.png"):
            found = read_still(out / "über" / name).alpha
            assert abs(int(255 if found is None else found[40, 30]) - expected) <= 2, name
        for name in ("e.apng", "f.webp"):
            assert frames_in(out / "über" / name) == 2
            with Image.open(out / "über" / name) as image:
                assert abs(int(np.asarray(image.convert("RGBA"))[40, 30, 3]) - expected) <= 2, name
        left_out = [note for note in summary.notes if note.endswith("was left out; --keep-alpha keeps it")]
        assert bool(left_out) == (not words), summary.notes
