"""A disk that is full, played by a limit on the size of files."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from tests.video.child import SMALL_DISK, finish, start
from tests.video.clips import Frame, make

if sys.platform == "win32":
    pytest.skip("limits on files are POSIX", allow_module_level=True)


def noise(i: int, width: int, height: int) -> Frame:
    return np.random.default_rng(i).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv", "out.webm"])
@pytest.mark.parametrize(("size", "had"), [(50, False), (1000, True), (60_000, False), (60_000, True)])
def test_a_video_leaves_nothing_and_keeps_the_old_file(
    name: str, size: int, had: bool, tmp_path: Path, nothing_else: set[str]
) -> None:
    """Full at the header, at the first frame, on the way."""
    nothing_else |= {"in.mp4", name} if had else {"in.mp4"}
    clip = make(tmp_path / "in.mp4", frames=12, draw=noise, sound=["aac"])
    if had:
        (tmp_path / name).write_text("mine")
    words = [clip, "-o", tmp_path / name, "--background", "blur:0.1", "--preset", "fast", "--crf", "5", "--overwrite"]
    code, _, said = finish(start(words, SMALL_DISK.format(size=size)))
    assert code == 1
    assert len(said) == 1
    assert said[0].startswith(
        f"segrun: {tmp_path / name}: writing failed (File too large); nothing is left of it. Free"
    )
    if had:
        assert (tmp_path / name).read_text() == "mine"


def test_the_index_that_no_longer_fits(tmp_path: Path, nothing_else: set[str]) -> None:
    """All frames fit, what is written when the file is closed does not."""
    nothing_else |= {"in.mp4"}
    clip = make(tmp_path / "in.mp4", frames=12, sound=["aac"])
    whole = tmp_path / "whole.mp4"
    words = [clip, "-o", whole, "--background", "green", "--preset", "fast", "--threads", "1"]
    assert finish(start(words))[0] == 0
    size = whole.stat().st_size - 300
    whole.unlink()
    code, _, said = finish(start([*words[:2], tmp_path / "out.mp4", *words[3:]], SMALL_DISK.format(size=size)))
    assert code == 1
    assert "out.mp4: writing failed" in said[0]


def test_a_sequence_of_pictures_keeps_those_that_are_whole(tmp_path: Path, nothing_else: set[str]) -> None:
    nothing_else |= {"in.mp4", "f"}

    def louder(i: int, width: int, height: int) -> Frame:
        return noise(i, width, height) if i == 3 else np.full((height, width, 3), 90, np.uint8)

    clip = make(tmp_path / "in.mp4", frames=6, draw=louder, options={"crf": "1", "bf": "0", "g": "1"})
    words = [clip, "-o", f"{tmp_path}/f/", "--background", "#5a5a5a", "--preset", "fast"]
    code, _, said = finish(start(words, ALL_PERSON + SMALL_DISK.format(size=10_000)))
    assert code == 1
    assert said[0].startswith(
        f"segrun: {tmp_path}/f/frame_000004.png: writing failed (File too large); free some space"
    )
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == [f"frame_00000{i}.png" for i in (1, 2, 3)]


ALL_PERSON = """
import numpy as np
from segruntime.segmenter import Segmenter
Segmenter.coarse = lambda *_: np.ones((32, 32), np.float32)
"""
