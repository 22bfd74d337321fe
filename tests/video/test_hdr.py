"""HDR and 10 bits: the formulas against published points, tone-mapped by default, kept with `hdr="keep"`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from shutil import which
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from tests.video.clips import Frame, av, corners, frames, make, rotate_tag, times

from segruntime.errors import OptionError, OutputError, VideoError
from segruntime.run.planes import ColorTags, samples_from_signal
from segruntime.run.statistics import Statistics
from segruntime.run.video import encoder, light, tone_map
from segruntime.run.video.encoder import HEVC_10
from segruntime.run.video.hdr_metadata import hdr_metadata
from segruntime.run.video.pixels import PixelOptions, PixelReader, plane_views

Run = Callable[..., Statistics]
Refuses = Callable[..., None]
KINDS = {"HLG": 18, "PQ": 16}
TAGS = {name: ColorTags(matrix=9, primaries=9, transfer=number, bits=10) for name, number in KINDS.items()}
GRAY = 512
WHITE = {"HLG": 0.75, "PQ": 0.58}  # of the signal, for 203 cd/m²: BT.2408-7, table 1


def flat(luma: int, blue: int = GRAY, red: int = GRAY) -> Callable[[int, int], list[Any]]:
    def draw(width: int, height: int) -> list[Any]:
        half = (height + 1) // 2, (width + 1) // 2
        return [np.full((height, width), luma), np.full(half, blue), np.full(half, red)]

    return draw


def ramp(width: int, height: int) -> list[Any]:
    """Gray from black to peak white, a step of 10 bits after the other."""
    return [np.tile(np.linspace(64, 940, width).round(), (height, 1)), *flat(0)(width, height)[1:]]


def make_deep(path: Path, draw: Callable[[int, int], Sequence[Any]], kind: str | None, **words: Any) -> Path:
    """A clip of 10-bit samples as they are; lossless, or by libx265 where `params` are given."""
    width, height = words.get("size", (128, 96))
    codec = "libx265" if "params" in words else "ffv1"
    options = {"x265-params": f"log-level=none:{words['params']}"} if "params" in words else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p10le"
        context = stream.codec_context
        if kind:
            context.colorspace = context.color_primaries = 9
            context.color_trc, context.color_range = KINDS[kind], 1
        for i in range(words.get("count", 4)):
            frame = av.VideoFrame(width, height, "yuv420p10le")
            for view, plane in zip(plane_views(frame), draw(width, height), strict=True):
                view[:] = plane
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def samples(path: Path, index: int = 1) -> list[Any]:
    return [np.array(view) for view in plane_views(frames(path)[index])]


def as_sdr(signal: Any, kind: str, peak: float = 1000.0) -> Any:
    """R'G'B' of HDR `(…, 3)` → of SDR, in float64 and one step after the other, without a table."""
    if kind == "PQ":
        nits = light.pq_light(signal)
    else:
        scene = light.hlg_scene(signal)
        nits = 1000 * scene * (scene @ [0.2627, 0.6780, 0.0593])[..., None] ** 0.2
    nits = np.maximum(nits @ light.between_primaries(9, 1).T, 0)
    largest = np.maximum(nits.max(-1, keepdims=True), 1e-9)
    return (nits * light.tone_mapped(largest, peak) / largest / 203) ** (1 / 2.4)


def test_pq_and_hlg_at_published_points() -> None:
    # BT.2408-7, table 1: HLG 38, 75 % and PQ 38, 58 % are 26 (of 18 % gray) and 203 cd/m²; BT.2390-10: PQ of 100 cd/m² is 0.508
    np.testing.assert_allclose(
        light.pq_signal(np.array([0, 26, 100, 203, 1000, 10000])), [0, 0.38, 0.508, 0.58, 0.752, 1], atol=2e-3
    )
    scene = light.hlg_scene(np.array([0, 0.38, 0.5, 0.75, 1]))
    np.testing.assert_allclose(1000 * scene**1.2, [0, 26, 50.7, 203, 1000], rtol=0.015)
    np.testing.assert_allclose(light.hlg_scene(np.array(0.5)), 1 / 12)  # where the two parts of the OETF meet
    steps = np.linspace(0, 1, 100)
    np.testing.assert_allclose(light.pq_signal(light.pq_light(steps)), steps, atol=1e-6)
    np.testing.assert_allclose(light.hlg_signal(light.hlg_scene(steps)), steps, atol=1e-6)


def test_primaries_as_bt_2087_has_them() -> None:
    to_2020 = [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]  # BT.2087-0, section 2.2
    np.testing.assert_allclose(light.between_primaries(1, 9), to_2020, atol=1e-4)
    np.testing.assert_allclose(light.rgb_to_xyz(9)[1], [0.2627, 0.6780, 0.0593], atol=1e-4)


@pytest.mark.parametrize("peak", [1000.0, 4000.0])
def test_the_tone_curve_keeps_the_dark_and_brings_the_peak_to_white(peak: float) -> None:
    nits = np.linspace(0, peak, 2000)
    mapped = light.tone_mapped(nits, peak)
    top, white = light.pq_signal(np.array([peak, 203.0]))
    knee = light.pq_light(np.array((1.5 * white / top - 0.5) * top))
    np.testing.assert_allclose(mapped[nits < knee], nits[nits < knee], rtol=1e-6, atol=1e-6)
    assert np.all(np.diff(mapped) >= -1e-9)
    np.testing.assert_allclose(mapped[-1], 203, rtol=1e-6)
    np.testing.assert_allclose(
        light.tone_mapped(np.array([50.0, 300.0]), 150.0), [50, 203]
    )  # a display below white: cut off


@pytest.mark.parametrize("kind", KINDS)
def test_white_of_a_picture_is_reference_white(kind: str) -> None:
    y, u, v = tone_map.planes_of(np.full((4, 6, 3), 255, np.uint8), TAGS[kind])
    np.testing.assert_allclose((y - 64.0) / 876, WHITE[kind], atol=2e-3)
    assert (u == GRAY).all()
    assert (v == GRAY).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(48, 64), (49, 63)])
def test_tables_and_strips_give_what_the_formulas_give(
    kind: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tone_map, "_STRIP_PIXELS", 640)
    bgr = np.random.default_rng(5).integers(60, 256, (6, 8, 3)).astype(np.uint8)
    signal = cv2.resize(bgr, size[::-1], interpolation=cv2.INTER_CUBIC) / 255.0
    forward = samples_from_signal(TAGS[kind])
    yuv = signal @ forward[:, :3].T + forward[:, 3]
    planes = [np.rint(yuv[..., 0]).astype(np.uint16)]
    half = ((size[1] + 1) // 2, (size[0] + 1) // 2)
    planes += [np.rint(cv2.resize(yuv[..., k], half, interpolation=cv2.INTER_AREA)).astype(np.uint16) for k in (1, 2)]
    full = [planes[0], *(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR_EXACT) for plane in planes[1:])]
    exact = (np.stack(full, -1) - forward[:, 3]) @ np.linalg.inv(forward[:, :3]).T
    expected = as_sdr(np.maximum(exact[..., ::-1], 0), kind) * 255
    shown = tone_map.shown(planes, TAGS[kind], size).astype(float)[..., ::-1]
    assert np.abs(shown - expected.clip(0, 255)).max() <= 1
    y, *_ = tone_map.tone_mapped_planes(planes, TAGS[kind], tone_map.sdr_tags(TAGS[kind]))
    luma = 16 + 219 * (np.rint(shown) / 255) @ [0.2126, 0.7152, 0.0722]
    assert np.abs(y - luma).max() <= 1.5


@pytest.mark.parametrize("kind", KINDS)
def test_sdr_comes_back_from_hdr_below_the_knee(kind: str) -> None:
    picture = np.random.default_rng(1).integers(0, 150, (40, 1, 1, 3)).astype(np.uint8)
    for patch in np.broadcast_to(picture, (40, 4, 4, 3)):
        planes = tone_map.planes_of(np.ascontiguousarray(patch), TAGS[kind], light.video_light)
        back = tone_map.shown(planes, TAGS[kind], (4, 4))
        assert np.abs(back.astype(int) - patch).max() <= 5  # one step of 10-bit chroma is up to two in a dark channel


def test_the_planes_are_those_of_another_implementation() -> None:
    """zimg's PQ; its HLG differs in saturated colours from the OOTF by luminance that BT.2100 has."""
    ffmpeg = which("ffmpeg")
    if ffmpeg is None or b"zscale" not in subprocess.run([ffmpeg, "-filters"], capture_output=True, check=True).stdout:
        pytest.skip("there is no ffmpeg with zscale")
    picture = np.random.default_rng(3).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    to_pq = "zscale=tin=iec61966-2-1:pin=bt709:min=gbr:rin=pc:t=smpte2084:p=bt2020:m=bt2020nc:r=tv:npl=203"
    raw = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", "64x64", "-i", "-"]
    words = [*raw, "-vf", f"format=gbrp,{to_pq},format=yuv444p10le", "-f", "rawvideo", "-"]
    made = subprocess.run([ffmpeg, "-v", "error", *words], input=picture.tobytes(), capture_output=True, check=True)
    theirs = np.frombuffer(made.stdout, np.uint16).reshape(3, 64, 64).astype(int)
    y, *chroma = tone_map.planes_of(picture, TAGS["PQ"])
    assert np.abs(y - theirs[0]).max() <= 2
    for ours, other in zip(chroma, theirs[1:], strict=True):
        assert np.abs(ours - other.reshape(32, 2, 32, 2).mean((1, 3))).max() <= 1.5


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("kind", KINDS)
def test_hdr_is_tone_mapped_and_says_so(kind: str, tmp_path: Path, segrun: Run) -> None:
    clip = make_deep(tmp_path / "in.mkv", flat(600), kind)
    statistics = segrun(clip, tmp_path / "out.mp4")
    frame = frames(tmp_path / "out.mp4")[1]
    assert frame.format.name == "yuv420p"
    assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (1, 1, 1, 1)
    gray = float(as_sdr(np.full(3, (600 - 64) / 876), kind)[0])
    assert abs(samples(tmp_path / "out.mp4")[0].mean() - (16 + 219 * gray)) <= 1
    assert statistics.notes == [f"HDR ({kind}) became SDR, tone-mapped to BT.709; --hdr keep writes HDR in 10 bits"]


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "codec", "tag"),
    [("out.mp4", "hevc", "hvc1"), ("out.mov", "hevc", "hvc1"), ("out.mkv", "hevc", None), ("out.webm", "av1", None)],
)
def test_hdr_is_kept_in_ten_bits(
    kind: str, name: str, codec: str, tag: str | None, tmp_path: Path, segrun: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    clip = make_deep(tmp_path / "in.mkv", ramp, kind, size=(1024, 64))
    statistics = segrun(clip, tmp_path / name, hdr="keep")
    assert statistics.notes == []
    assert capfd.readouterr().err == ""  # the encoders' own lines
    with av.open(str(tmp_path / name)) as container:
        context = container.streams.video[0].codec_context
        assert context.name in (codec, "libdav1d")
        assert tag is None or context.codec_tag == tag
    frame = frames(tmp_path / name)[1]
    assert frame.format.name == "yuv420p10le"
    assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (9, 9, KINDS[kind], 1)
    luma = samples(tmp_path / name)[0]
    assert np.abs(luma.astype(int) - samples(clip)[0]).mean() <= 2
    assert len(np.unique(luma)) > 500  # 8 bits have 220
    assert times(tmp_path / name) == times(clip)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_put_behind_hdr_is_at_reference_white(kind: str, tmp_path: Path, segrun: Run) -> None:
    clip = make_deep(tmp_path / "in.mkv", flat(300), kind)
    cv2.imwrite(str(tmp_path / "white.png"), np.full((50, 50, 3), 255, np.uint8))
    video = make(tmp_path / "white.mp4", frames=2, draw=lambda i, w, h: np.full((h, w, 3), 255, np.uint8))
    for behind in ("white", tmp_path / "white.png", video):
        segrun(clip, tmp_path / "out.mp4", behind, hdr="keep", overwrite=True)
        y, u, v = (plane.mean() for plane in samples(tmp_path / "out.mp4"))
        assert abs((y - 64) / 876 - WHITE[kind]) <= 5e-3
        assert max(abs(u - GRAY), abs(v - GRAY)) <= 2


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("kind", KINDS)
def test_a_colour_behind_hdr_is_in_bt_2020(kind: str, tmp_path: Path, segrun: Run) -> None:
    clip = make_deep(tmp_path / "in.mkv", flat(300), kind)
    segrun(clip, tmp_path / "out.mkv", "#c83c5a", hdr="keep")
    # light of sRGB, its share of BT.2020's primaries, 203 cd/m² for white: IEC 61966-2-1, BT.2087, BT.2408
    nits = 203 * light.between_primaries(1, 9) @ [((c / 255 + 0.055) / 1.055) ** 2.4 for c in (200, 60, 90)]
    if kind == "PQ":
        r, g, b = light.pq_signal(nits)
    else:
        luminance = nits @ [0.2627, 0.6780, 0.0593] / 1000
        r, g, b = light.hlg_signal(nits / 1000 * luminance ** (1 / 1.2 - 1))
    y = 0.2627 * r + 0.6780 * g + 0.0593 * b
    expected = 64 + 876 * y, 512 + 896 * (b - y) / 1.8814, 512 + 896 * (r - y) / 1.4746
    for plane, value in zip(samples(tmp_path / "out.mkv"), expected, strict=True):
        assert abs(plane.mean() - value) <= 2


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("background", ["blur:0.5", "green", "blur"])
def test_blur_and_light_wrap_work_in_ten_bits(background: str, tmp_path: Path, segrun: Run) -> None:
    clip = make_deep(tmp_path / "in.mkv", ramp, "HLG", size=(512, 96))
    segrun(clip, tmp_path / "out.mp4", background, hdr="keep", light_wrap=0.3)
    luma, before = samples(tmp_path / "out.mp4")[0].astype(int), samples(clip)[0].astype(int)
    assert np.abs(luma - before)[:, :160].mean() <= 4  # the person
    if background != "green":  # a ramp out of focus is the ramp
        assert np.abs(luma - before)[:, 300:480].mean() <= 12
        assert len(np.unique(luma[:, 300:480])) > 150


@pytest.mark.parametrize("hdr", ["sdr", "keep"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_network_sees_sdr(
    hdr: str, kind: str, everywhere: Any, tmp_path: Path, segrun: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Frame] = []
    told = everywhere.coarse
    monkeypatch.setattr(everywhere, "coarse", lambda frame: (seen.append(frame.copy()), told(frame))[1], raising=False)
    white = round(64 + 876 * WHITE[kind])
    segrun(make_deep(tmp_path / "in.mkv", flat(white), kind), tmp_path / "out.mp4", hdr=hdr)
    expected = 255 * float((light.tone_mapped(np.array(203.0), 1000) / 203) ** (1 / 2.4))  # 230: the roll-off's share
    assert seen[0].shape == (32, 32, 3)
    assert np.abs(seen[0].astype(float) - expected).max() <= 2


@pytest.mark.usefixtures("everywhere")
def test_what_the_stream_says_of_its_display_is_kept(tmp_path: Path, segrun: Run) -> None:
    display = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(40000000,50)"
    clip = make_deep(tmp_path / "in.mp4", flat(500), "PQ", params=f"{display}:max-cll=1234,321")
    before = hdr_metadata(frames(clip)[0])
    assert before.peak == 4000
    assert before.levels == (1234, 321)
    for name in ("out.mp4", "out.mkv", "out.webm"):
        assert segrun(clip, tmp_path / name, hdr="keep").notes == []
        after = hdr_metadata(frames(tmp_path / name)[0])
        assert after.levels == before.levels
        assert after.display is not None
        assert before.display is not None
        np.testing.assert_allclose([*map(float, after.display)], [*map(float, before.display)], rtol=2e-3, atol=5e-5)
    said = "what the input says of its display and its brightest light has no place in ProRes"
    assert segrun(clip, tmp_path / "out.mov", "transparent", hdr="keep").notes == [said]
    segrun(clip, tmp_path / "sdr.mp4")
    gray = float(as_sdr(np.full(3, (500 - 64) / 876), "PQ", peak=4000)[0])
    assert abs(samples(tmp_path / "sdr.mp4")[0].mean() - (16 + 219 * gray)) <= 1.5


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("hdr", ["sdr", "keep"])
def test_a_phone_held_upright_gives_upright_hdr(hdr: str, tmp_path: Path, segrun: Run) -> None:
    def quarters(width: int, height: int) -> list[Any]:
        return [corners(width, height)[..., 0].astype(np.uint16) * 4, *flat(0)(width, height)[1:]]

    clip = make_deep(tmp_path / "in.mp4", quarters, "HLG", params="qp=4")
    rotate_tag(clip, 90)
    segrun(clip, tmp_path / "out.mp4", hdr=hdr)
    luma = samples(tmp_path / "out.mp4")[0]
    assert luma.shape == (128, 96)
    found = [[int(luma[r, c]) for c in (24, 72)] for r in (32, 96)]
    assert np.argsort(np.ravel(found)).tolist() == np.argsort(np.ravel(np.rot90([[40, 100], [160, 220]], 3))).tolist()


@pytest.mark.usefixtures("everywhere")
def test_hlg_in_eight_bits_is_hlg(tmp_path: Path, segrun: Run) -> None:
    clip = tmp_path / "in.mkv"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, 18, 1
        frame = av.VideoFrame(64, 48, "yuv420p")
        for view, value in zip(plane_views(frame), (180, 128, 128), strict=True):
            view[:] = value
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux([*stream.encode(frame), *stream.encode(None)])
    segrun(clip, tmp_path / "kept.mp4", hdr="keep")
    assert abs(samples(tmp_path / "kept.mp4", 0)[0].mean() - 720) <= 2
    segrun(clip, tmp_path / "sdr.mp4")
    gray = float(as_sdr(np.full(3, (720 - 64) / 876), "HLG")[0])
    assert abs(samples(tmp_path / "sdr.mp4", 0)[0].mean() - (16 + 219 * gray)) <= 1


@pytest.mark.usefixtures("nowhere")
def test_an_hdr_video_behind_sdr_is_tone_mapped_and_behind_its_like_is_kept(tmp_path: Path, segrun: Run) -> None:
    behind = make_deep(tmp_path / "behind.mkv", flat(800), "HLG")
    segrun(make(tmp_path / "in.mp4", frames=2), tmp_path / "out.mp4", behind)
    gray = float(as_sdr(np.full(3, (800 - 64) / 876), "HLG")[0])
    assert abs(samples(tmp_path / "out.mp4")[0].mean() - (16 + 219 * gray)) <= 2
    segrun(make_deep(tmp_path / "hdr.mkv", flat(300), "HLG"), tmp_path / "kept.mp4", behind, hdr="keep")
    assert abs(samples(tmp_path / "kept.mp4")[0].mean() - 800) <= 2


@pytest.mark.usefixtures("left")
def test_hdr_and_transparent_is_prores_in_ten_bits(tmp_path: Path, segrun: Run, refuses: Refuses) -> None:
    clip = make_deep(tmp_path / "in.mkv", flat(700), "PQ")
    segrun(clip, tmp_path / "out.mov", "transparent", hdr="keep")
    frame = frames(tmp_path / "out.mov")[1]
    assert frame.format.name.startswith("yuva444p1")
    assert (frame.color_primaries, frame.color_trc) == (9, 16)
    y, _, _, alpha = (
        np.array(view) >> (2 if frame.format.name == "yuva444p12le" else 0) for view in plane_views(frame)
    )
    assert abs(y.mean() - 700) <= 3
    assert alpha[:, :40].min() >= 1015
    assert alpha[:, 90:].max() <= 8
    said = r"\.webm has no transparency in 10 bits, expected \.mov, or leave --hdr keep out"
    refuses(OptionError, said, clip, tmp_path / "out.webm", "transparent", hdr="keep")


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("output", ["frames/", "%03d.png", "out.m4v", "out.gif", "virtual-camera"])
def test_hdr_is_not_kept_where_there_is_no_place_for_it(output: str, tmp_path: Path, refuses: Refuses) -> None:
    clip = make_deep(tmp_path / "in.mkv", flat(700), "PQ")
    name = output if output == "virtual-camera" else f"{tmp_path}/{output}"
    refuses(OptionError, r"has no place for 10 bits, expected \.mp4.*leave --hdr out", clip, name, hdr="keep")


@pytest.mark.usefixtures("everywhere")
def test_plain_ten_bits_become_eight_or_stay(tmp_path: Path, segrun: Run) -> None:
    clip = make_deep(tmp_path / "in.mkv", ramp, None, size=(1024, 64))
    assert segrun(clip, tmp_path / "out.mp4").notes == ["10 bits a sample became 8; --hdr keep writes 10"]
    assert samples(tmp_path / "out.mp4")[0].dtype == np.uint8
    assert segrun(clip, tmp_path / "kept.mp4", hdr="keep").notes == []
    luma = samples(tmp_path / "kept.mp4")[0]
    assert np.abs(luma.astype(int) - samples(clip)[0]).mean() <= 2
    assert len(np.unique(luma)) > 500


@pytest.mark.usefixtures("nowhere")
def test_a_colour_behind_plain_ten_bits_has_that_colour(tmp_path: Path, segrun: Run) -> None:
    clip = make_deep(tmp_path / "in.mkv", flat(300), None)
    segrun(clip, tmp_path / "out.mkv", "#3c5ac8", hdr="keep")
    # BT.601 of a small picture without tags: H.273, 8.3, in 10 bits
    r, g, b = (c / 255 for c in (0x3C, 0x5A, 0xC8))
    y = 0.299 * r + 0.587 * g + 0.114 * b
    expected = 64 + 876 * y, 512 + 896 * (b - y) / 1.772, 512 + 896 * (r - y) / 1.402
    for plane, value in zip(samples(tmp_path / "out.mkv"), expected, strict=True):
        assert abs(plane.mean() - value) <= 2


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(("pixels", "name"), [("yuv422p", "4:2:2"), ("yuv444p", "4:4:4")])
def test_finer_colours_that_are_lost_are_said(pixels: str, name: str, tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mkv", frames=2, pixels=pixels)
    said = f"the input's colours are {name}, the result's 4:2:0: one sample for four pixels"
    assert segrun(clip, tmp_path / "out.mp4").notes == [said]
    assert segrun(clip, tmp_path / "mask.mp4", "alpha").notes == []  # a mask loses none of it


def test_dolby_vision_that_only_its_own_players_show_is_refused() -> None:
    class Data:
        type = SimpleNamespace(name="DOVI_METADATA")

        def __bytes__(self) -> bytes:
            return b""

    frame = SimpleNamespace(side_data=[Data()], color_trc=2)
    with pytest.raises(VideoError, match=r"profile 5.*expected profile 8, HDR10 or HLG; convert it first"):
        PixelReader(frame, PixelOptions())


@pytest.mark.usefixtures("everywhere")
def test_a_pyav_without_x265_says_so(tmp_path: Path, refuses: Refuses, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = replace(HEVC_10, codec="libx265_that_is_not_there")
    monkeypatch.setitem(encoder._NAMES, absent.codec, "HEVC")
    monkeypatch.setitem(encoder.DEEP_KINDS, ".mp4", (absent, None))
    clip = make_deep(tmp_path / "in.mkv", flat(700), "PQ")
    said = "has no encoder libx265.* for HEVC; install PyAV's own build.*, or leave --hdr keep out"
    refuses(OutputError, said, clip, tmp_path / "out.mp4", hdr="keep")


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("kind", KINDS)
def test_a_window_shows_hdr_as_sdr(kind: str, tmp_path: Path, segrun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures: list[Frame] = []
    monkeypatch.setenv("DISPLAY", ":0")
    for name in ("namedWindow", "waitKey", "destroyWindow"):
        monkeypatch.setattr(cv2, name, lambda *_: -1)
    monkeypatch.setattr(cv2, "imshow", lambda _, picture: pictures.append(picture))
    segrun(make_deep(tmp_path / "in.mkv", flat(600), kind), None, preview=True, hdr="keep")
    gray = 255 * float(as_sdr(np.full(3, (600 - 64) / 876), kind)[0])
    assert len(pictures) == 4
    assert np.abs(pictures[0].astype(float) - gray).max() <= 1
