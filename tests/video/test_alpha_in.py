"""A video that is transparent already: its alpha stays, times the new one, or a line says that it was left out."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from tests.refusals import refusal
from tests.video.clips import av, frames, make, planes, times
from tests.video.test_transparent import decoded_with_alpha

from segruntime.errors import VideoError
from segruntime.run.statistics import Statistics
from segruntime.run.video import alpha

pytestmark = pytest.mark.usefixtures("left")
Run = Callable[..., Statistics]
SAID = "the transparency that the input has was left out; --keep-alpha keeps it"
WIDTH, HEIGHT = 160, 120
CONTAINERS = [
    ("in.webm", "libvpx-vp9", "yuva420p", {"auto-alt-ref": "0", "crf": "4", "b": "0"}),
    ("in.mkv", "libvpx-vp9", "yuva420p", {"auto-alt-ref": "0", "crf": "4", "b": "0"}),
    ("in8.webm", "libvpx", "yuva420p", {"auto-alt-ref": "0", "crf": "4", "b": "4M"}),
    ("in.mov", "prores_ks", "yuva444p10le", {"profile": "4444"}),
    ("argb.mov", "qtrle", "argb", {}),
    ("png.mov", "png", "rgba", {}),
    ("ffv1.mkv", "ffv1", "bgra", {}),
]


def drawn(opacity: int = 0) -> Any:
    """Gray, opaque above, of this opacity below: `(120, 160, 4) uint8, BGRA`."""
    picture = np.full((HEIGHT, WIDTH, 4), 120, np.uint8)
    picture[: HEIGHT // 2, :, 3], picture[HEIGHT // 2 :, :, 3] = 255, opacity
    return picture


def make_transparent(
    path: Path, codec: str, pixels: str, options: dict[str, str], picture: Any, count: int = 4
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(picture, "bgra").reformat(format=pixels)
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def quarters(plane: Any) -> list[list[float]]:
    rows, columns = (HEIGHT // 4, HEIGHT * 3 // 4), (WIDTH // 4, WIDTH * 3 // 4)
    return [[float(plane[r - 8 : r + 8, c - 8 : c + 8].mean()) for c in columns] for r in rows]


def grays(frame: Any) -> Any:
    """The quarters of the luma as gray of 0–255; the range is as the frame says."""
    found = np.array(quarters(planes(frame)[0]))
    return found if frame.color_range == 2 else (found - 16) * 255 / 219


@pytest.mark.parametrize(("name", "codec", "pixels", "options"), CONTAINERS, ids=[one[0] for one in CONTAINERS])
def test_the_new_alpha_is_times_the_old(
    name: str, codec: str, pixels: str, options: dict[str, str], tmp_path: Path, segrun: Run
) -> None:
    clip = make_transparent(tmp_path / name, codec, pixels, options, drawn(102))
    statistics = segrun(clip, tmp_path / "out.webm", "transparent", keep_alpha=True)
    assert SAID not in statistics.notes
    found = decoded_with_alpha(tmp_path / "out.webm")
    assert len(found) == statistics.frames == 4
    for frame in found:  # the network sees the left half; the file has 255 above and 102 below
        np.testing.assert_allclose(quarters(planes(frame)[3]), [[255, 0], [102, 0]], atol=5)
    assert times(tmp_path / "out.webm") == times(clip)


@pytest.mark.parametrize(("name", "codec", "pixels", "options"), CONTAINERS, ids=[one[0] for one in CONTAINERS])
def test_what_was_transparent_shows_the_background(
    name: str, codec: str, pixels: str, options: dict[str, str], tmp_path: Path, segrun: Run
) -> None:
    clip = make_transparent(tmp_path / name, codec, pixels, options, drawn(0))
    segrun(clip, tmp_path / "out.mp4", "white", keep_alpha=True)
    for frame in frames(tmp_path / "out.mp4"):
        np.testing.assert_allclose(grays(frame), [[120, 255], [255, 255]], atol=5)
    segrun(clip, tmp_path / "mask.mp4", "alpha", keep_alpha=True)
    np.testing.assert_allclose(grays(frames(tmp_path / "mask.mp4")[2]), [[255, 0], [0, 0]], atol=5)


@pytest.mark.parametrize(("name", "codec", "pixels", "options"), CONTAINERS, ids=[one[0] for one in CONTAINERS])
def test_without_being_asked_the_old_alpha_is_left_out_and_that_is_said(
    name: str, codec: str, pixels: str, options: dict[str, str], tmp_path: Path, segrun: Run
) -> None:
    clip = make_transparent(tmp_path / name, codec, pixels, options, drawn(0))
    assert SAID in segrun(clip, tmp_path / "out.webm", "transparent").notes
    found = planes(decoded_with_alpha(tmp_path / "out.webm")[2])[3]
    np.testing.assert_allclose(quarters(found), [[255, 0], [255, 0]], atol=5)


def test_an_opaque_alpha_is_not_worth_a_line(tmp_path: Path, segrun: Run) -> None:
    clip = make_transparent(tmp_path / "in.mov", "qtrle", "argb", {}, drawn(255))
    assert not [note for note in segrun(clip, tmp_path / "out.mp4").notes if "transparency" in note]


def test_transparency_that_comes_later_is_said_too(tmp_path: Path, segrun: Run) -> None:
    clip = tmp_path / "in.mov"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("qtrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "argb"
        for i in range(4):
            frame = av.VideoFrame.from_ndarray(drawn(255 if i < 3 else 0), "bgra").reformat(format="argb")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert SAID in segrun(clip, tmp_path / "out.mp4").notes


def test_numbered_pictures_have_both(tmp_path: Path, segrun: Run) -> None:
    clip = make_transparent(tmp_path / "in.mov", "qtrle", "argb", {}, drawn(102), 2)
    segrun(clip, f"{tmp_path}/frames/", "transparent", keep_alpha=True)
    picture = cv2.imread(str(tmp_path / "frames" / "frame_000002.png"), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    np.testing.assert_allclose(quarters(picture[..., 3]), [[255, 0], [102, 0]], atol=1)


def test_a_pyav_without_the_decoder_says_so(tmp_path: Path, segrun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_transparent(tmp_path / "in.webm", *CONTAINERS[0][1:], drawn(0))

    def absent(*_: object) -> None:
        raise av.codec.codec.UnknownCodecError("libvpx-vp9")

    monkeypatch.setattr(av, "CodecContext", SimpleNamespace(create=absent))
    refusal(
        VideoError,
        segrun,
        clip,
        tmp_path / "out.mp4",
        keep_alpha=True,
        match="has no libvpx-vp9.*leave --keep-alpha out",
    )


def test_alpha_that_is_promised_and_not_there_is_none(
    tmp_path: Path, segrun: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some programs write `alpha_mode` into every WebM."""
    clip = make(tmp_path / "in.webm", codec="libvpx-vp9", options={}, frames=3, size=(WIDTH, HEIGHT))
    monkeypatch.setattr(alpha, "has_hidden_alpha", lambda _: True)
    assert segrun(clip, tmp_path / "out.webm", "transparent", keep_alpha=True).frames == 3
    found = planes(decoded_with_alpha(tmp_path / "out.webm")[1])[3]
    np.testing.assert_allclose(quarters(found), [[255, 0], [255, 0]], atol=5)
