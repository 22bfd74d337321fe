"""Kinds of pixels that cameras, tapes and screen recorders give: the same picture as the decoder's, upright, all frames."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.video.clips import Frame, av, frames, make, planes

from segruntime.run.planes import planes_to_bgr
from segruntime.run.statistics import Statistics
from segruntime.run.video import light
from segruntime.run.video.pixels import PixelOptions, PixelReader, plane_views
from segruntime.run.video.source import VideoSource
from segruntime.run.video.tone_map import shown

Run = Callable[..., Statistics]
WIDTH, HEIGHT = 96, 64
KINDS = [  # name, encoder, pixels, what is said of them
    ("full.avi", "mjpeg", "yuvj420p", []),
    ("nv12.mkv", "rawvideo", "nv12", []),
    ("packed.avi", "rawvideo", "yuyv422", ["4:2:2"]),
    ("camera.mov", "prores_ks", "yuv422p10le", ["10 bits", "4:2:2"]),
    ("tall.mkv", "ffv1", "yuv440p", ["4:4:0"]),
    ("tape.mkv", "ffv1", "yuv411p", ["4:1:1"]),
    ("coarse.mkv", "ffv1", "yuv410p", []),
    ("twelve.mkv", "ffv1", "yuv444p12le", ["12 bits", "4:4:4"]),
    ("sixteen.mkv", "ffv1", "yuv420p16le", ["16 bits"]),
    ("gray.mkv", "ffv1", "gray", []),
    ("gray10.mkv", "ffv1", "gray10le", ["10 bits"]),
    ("screen.avi", "huffyuv", "rgb24", ["4:4:4"]),
    ("screen.mkv", "ffv1", "bgr0", ["4:4:4"]),
    ("planar.mkv", "libx264rgb", "rgb24", ["4:4:4"]),
    ("planar10.mkv", "ffv1", "gbrp10le", ["10 bits", "4:4:4"]),
    ("bottom_up.avi", "rawvideo", "bgr24", ["4:4:4"]),
    ("bottom_up_32.avi", "rawvideo", "bgra", ["4:4:4"]),
    ("high_colour.avi", "rawvideo", "rgb555le", ["4:4:4"]),
    ("palette.mov", "png", "pal8", []),
]


def drawn(i: int, width: int, height: int) -> Frame:
    """Smooth, of many colours, and different in each corner and each frame."""
    y, x = np.mgrid[:height, :width] / 40
    waves = np.stack([np.sin(x + 1 + i / 9), np.cos(y - x / 2), np.sin(y + x / 3 + 2)], -1)
    return np.rint(128 + 90 * waves).astype(np.uint8)


def make_raw(path: Path, codec: str, pixels: str, count: int = 3) -> Path:
    options = {"qmin": "1", "qmax": "1"} if codec == "mjpeg" else {"qp": "0"} if "264" in codec else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        for i in range(count):
            picture = av.VideoFrame.from_ndarray(drawn(i, WIDTH, HEIGHT), "bgr24")
            frame = picture.reformat(format="rgb8" if pixels == "pal8" else pixels)
            if pixels == "pal8":
                frame = av.VideoFrame.from_ndarray(*_palette(frame))
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _palette(frame: Any) -> tuple[Any, str]:
    indices = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)[:, :WIDTH].copy()
    red, green, blue = (np.arange(256) >> 5) * 36, (np.arange(256) >> 2 & 7) * 36, (np.arange(256) & 3) * 85
    return (indices, np.stack([np.full(256, 255), red, green, blue], -1).astype(np.uint8)), "pal8"


def blocks(picture: Frame) -> Any:
    """Means of 8x8 pixels, which colours at half the size and a dithered palette leave as they are."""
    return picture.reshape(HEIGHT // 8, 8, WIDTH // 8, 8, 3).mean((1, 3))


@pytest.mark.parametrize(("name", "codec", "pixels", "said"), KINDS, ids=[one[0] for one in KINDS])
def test_the_picture_is_the_decoders(name: str, codec: str, pixels: str, said: list[str], tmp_path: Path) -> None:
    clip = make_raw(tmp_path / name, codec, pixels)
    source = VideoSource(str(clip))
    found = list(source)
    notes = source.problems(len(found))
    source.close()
    assert len(found) == 3
    assert [word for note, word in zip(notes, said, strict=True) if word in note] == said
    for ours, theirs in zip(found, frames(clip), strict=True):
        expected = theirs.reformat(format="bgr24", dst_color_range=2).to_ndarray()
        seen = planes_to_bgr(ours.pixels, ours.tags, ours.size)
        assert np.abs(blocks(seen) - blocks(expected)).max() <= 4.5


@pytest.mark.parametrize("pixels", ["yuv422p10le", "yuv444p12le", "gray10le", "gbrp10le", "yuv420p16le"])
def test_what_is_deeper_is_the_decoders_in_ten_bits_too(pixels: str, tmp_path: Path) -> None:
    clip = make_raw(tmp_path / "in.mkv", "ffv1", pixels)
    source = VideoSource(str(clip), pixels=PixelOptions(hdr="keep"))
    found = list(source)
    source.close()
    for ours, theirs in zip(found, frames(clip), strict=True):
        assert ours.tags.bits == 10
        expected = theirs.reformat(format="bgr24", dst_color_range=2).to_ndarray()
        seen = shown(ours.pixels, ours.tags, ours.size)
        assert np.abs(blocks(seen) - blocks(expected)).max() <= 4.5


def test_rows_from_the_bottom_up_are_turned(tmp_path: Path) -> None:
    frame = frames(make(tmp_path / "in.mkv", frames=1, codec="ffv1", options={}, draw=drawn, size=(WIDTH, HEIGHT)))[0]
    graph = av.filter.Graph()
    begin = graph.add_buffer(width=WIDTH, height=HEIGHT, format="yuv420p", time_base=Fraction(1, 25))
    flip, end = graph.add("vflip"), graph.add("buffersink")
    begin.link_to(flip)
    flip.link_to(end)
    graph.configure()
    graph.push(frame)
    flipped = graph.pull()
    assert flipped.planes[0].line_size < 0
    found, *_ = PixelReader(flipped, PixelOptions())(flipped, (HEIGHT, WIDTH))
    for ours, plane in zip(found, planes(frame), strict=True):
        assert np.abs(ours.astype(int) - plane[::-1]).max() <= 3


MATRICES = {  # a, b, c, d of the display matrix → the same by numpy, on (rows, columns)
    (1, 0, 0, 1): lambda p: p,
    (-1, 0, 0, 1): lambda p: p[:, ::-1],
    (1, 0, 0, -1): lambda p: p[::-1],
    (-1, 0, 0, -1): lambda p: p[::-1, ::-1],
    (0, 1, -1, 0): lambda p: np.rot90(p, -1),
    (0, -1, 1, 0): lambda p: np.rot90(p),
    (0, 1, 1, 0): lambda p: p.T,
    (0, -1, -1, 0): lambda p: p[::-1, ::-1].T,
}


@pytest.mark.parametrize("matrix", MATRICES, ids=str)
def test_a_mirrored_or_turned_picture_is_upright(matrix: Sequence[int], tmp_path: Path) -> None:
    """Phones turn with the matrix; some front cameras and editors mirror with it."""
    clip = make(tmp_path / "in.mp4", frames=2, draw=drawn, size=(WIDTH, HEIGHT))
    before = [planes(frame) for frame in frames(clip)]
    data = bytearray(clip.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    for place, value in zip((0, 4, 12, 16), matrix, strict=True):
        data[at + place : at + place + 4] = struct.pack(">i", value << 16)
    clip.write_bytes(data)
    source = VideoSource(str(clip))
    found = list(source)
    source.close()
    for ours, theirs in zip(found, before, strict=True):
        for mine, plane in zip(ours.pixels, theirs, strict=True):
            np.testing.assert_array_equal(mine, MATRICES[tuple(matrix)](plane))


@pytest.mark.usefixtures("everywhere")
def test_pixels_that_change_on_the_way_are_taken_as_the_first(tmp_path: Path, segrun: Run) -> None:
    parts = [
        make(
            tmp_path / f"{k}.ts",
            frames=20,
            size=(WIDTH, HEIGHT),
            pixels=pixels,
            draw=lambda *_: drawn(0, WIDTH, HEIGHT),
        )
        for k, pixels in enumerate(["yuv420p", "yuv422p10le", "yuv444p"])
    ]
    (tmp_path / "in.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    assert segrun(tmp_path / "in.ts", tmp_path / "out.mkv").frames == 60
    out = frames(tmp_path / "out.mkv")
    assert {frame.format.name for frame in out} == {"yuv420p"}
    for plane, first in zip(planes(out[50]), planes(out[5]), strict=True):
        assert np.abs(plane.astype(int) - first).mean() <= 2


@pytest.mark.parametrize("hdr", ["sdr", "keep"])
def test_sdr_between_hdr_has_the_same_white(hdr: Any) -> None:
    """As advertisements in a broadcast: what is white in SDR is reference white beside HDR."""
    bright = _gray(round(64 + 876 * 0.75), 18)
    sdr = av.VideoFrame(32, 32, "yuv420p")
    for view, value in zip(plane_views(sdr), (235, 128, 128), strict=True):
        view[:] = value
    sdr.colorspace = sdr.color_primaries = sdr.color_trc = 1
    reader = PixelReader(bright, PixelOptions(hdr=hdr))
    first, second = (reader(frame, (32, 32))[0][0].mean() for frame in (bright, sdr))
    roll_off = float((light.tone_mapped(np.array(203.0), 1000) / 203) ** (1 / 2.4))
    assert abs(first - (16 + 219 * roll_off if hdr == "sdr" else 721)) <= 1
    assert abs(second - (235 if hdr == "sdr" else 721)) <= 1


def test_hdr_after_sdr_is_tone_mapped() -> None:
    first = av.VideoFrame(32, 32, "yuv420p")
    for view, value in zip(plane_views(first), (100, 128, 128), strict=True):
        view[:] = value
    first.color_trc = 1
    reader = PixelReader(first, PixelOptions())
    assert reader.tags.matrix == 6
    y, u, v = reader(_gray(round(64 + 876 * 0.75), 18), (32, 32))[0]
    roll_off = float((light.tone_mapped(np.array(203.0), 1000) / 203) ** (1 / 2.4))
    assert abs(y.mean() - (16 + 219 * roll_off)) <= 1
    assert abs(u.mean() - 128) <= 1
    assert abs(v.mean() - 128) <= 1


def _gray(luma: int, transfer: int) -> Any:
    frame = av.VideoFrame(32, 32, "yuv420p10le")
    for view, value in zip(plane_views(frame), (luma, 512, 512), strict=True):
        view[:] = value
    frame.colorspace = frame.color_primaries = 9
    frame.color_trc, frame.color_range = transfer, 1
    return frame


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (16, 16), (4, 400), (400, 2)])
@pytest.mark.parametrize(
    ("name", "background"), [("out.mp4", "blur"), ("out.webm", "green"), ("out.mov", "transparent")]
)
def test_tiny_and_narrow_frames(size: tuple[int, int], name: str, background: str, tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mkv", frames=3, size=size, codec="ffv1", options={}, draw=drawn)
    segrun(clip, tmp_path / name, background)
    assert len(frames(tmp_path / name)) == 3


@pytest.mark.parametrize("hdr", ["sdr", "keep"])
def test_hdr_that_says_its_transfer_alone_is_bt_2020(hdr: Any) -> None:
    told, untold = _gray(500, 18), _gray(500, 18)
    untold.colorspace = untold.color_primaries = 2
    for frame in (told, untold):
        for view, value in zip(plane_views(frame)[1:], (450, 600), strict=True):
            view[:] = value
    planes_of_both = [PixelReader(frame, PixelOptions(hdr=hdr))(frame, (32, 32))[0] for frame in (told, untold)]
    for ours, theirs in zip(*planes_of_both, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    tags = PixelReader(untold, PixelOptions(hdr="keep")).tags
    assert (tags.matrix, tags.primaries, tags.transfer) == (9, 9, 18)
