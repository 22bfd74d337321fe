"""`segbench video`: flicker and temporal agreement by hand, the clip's frames, and one line for all it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests import messages
from tests.places import SHARED
from tests.refusals import refused, run_segbench

import segruntime
from segbench.errors import ClipError, OptionError
from segbench.frames.clip import Clip
from segbench.frames.drawn import drawn_frame
from segbench.frames.masking import Masker
from segbench.video.run import VideoJob, run_video
from segbench.video.temporal import TemporalAgreement
from segruntime.errors import install_command
from segruntime.refine import PRESETS
from segruntime.segmenter import BUNDLED

VIDEO = SHARED / "video" / "portrait.mp4"
MakeClip = Callable[..., Path]


video = partial(run_segbench, "video")


def written(*arguments: Any) -> dict[str, Any]:
    """What `run_video` finds, as JSON."""
    return dict(json.loads(json.dumps(run_video(*arguments).to_json())))


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """A clip of the same drawn person, 10 frames a second; `shift` moves it to the right by so many pixels a frame."""

    def make(frames: int, shift: int = 0) -> Path:
        path = tmp_path / f"clip_{frames}_{shift}.avi"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (160, 120))
        for k in range(frames):
            writer.write(np.roll(drawn_frame(160, 120), k * shift, axis=1))
        writer.release()
        return path

    return make


def flat(value: float) -> npt.NDArray[np.float32]:
    return np.full((4, 4), value, np.float32)


def test_temporal_agreement_by_hand() -> None:
    """The reference rises by 0.1 and 0.1; ours starts 0.2 higher and rises by 0.1, then falls by 0.2 in half the pixels."""
    found = TemporalAgreement(0.5, 0.5)
    half = flat(0.7)
    half[:2] = 0.5
    for alpha, reference in ((flat(0.6), flat(0.4)), (flat(0.7), flat(0.5)), (half, flat(0.6))):
        found.add(alpha, reference)
    result = asdict(found.found())
    assert found.ious == [0, 0, 0.5]
    assert result["iou_mean"] == pytest.approx(1 / 6)
    assert (result["iou_min"], result["iou_min_frame"]) == (0, 0)
    assert result["mean_difference"] == pytest.approx((0.2 + 0.2 + 0.1) / 3)
    # changes of ours minus changes of the reference: 0 everywhere, then -0.3 in one half and -0.1 in the other
    assert result["change"] == pytest.approx((0 + 0.2) / 2, abs=1e-6)
    assert result["dtssd"] == pytest.approx((0 + np.sqrt((0.3**2 + 0.1**2) / 2)) / 2, abs=1e-6)


def test_a_constant_offset_is_no_temporal_disagreement() -> None:
    found = TemporalAgreement(0.5, 0.5)
    for value in (0.1, 0.5, 0.3):
        found.add(flat(value + 0.2), flat(value))
    assert found.found().dtssd == pytest.approx(0, abs=1e-6)
    assert found.found().mean_difference == pytest.approx(0.2, abs=1e-6)


def test_one_frame_has_no_change() -> None:
    found = TemporalAgreement(0.5, 0.5)
    found.add(flat(1), flat(1))
    assert (found.found().change, found.found().dtssd, found.found().iou_mean) == (None, None, 1)


def test_a_still_clip_does_not_flicker_and_a_model_agrees_with_itself(make_clip: MakeClip, tmp_path: Path) -> None:
    copy = tmp_path / "copy.tflite"
    copy.write_bytes(BUNDLED["tflite"].read_bytes())
    result = written(VideoJob(clip=make_clip(3), models=(copy,), reference=BUNDLED["tflite"]))
    reference, ours = result["streams"]
    assert (reference["label"], ours["label"]) == (BUNDLED["tflite"].name, "copy.tflite")
    assert (ours["flicker"], ours["pairs"], ours["pairs_left_out"]) == (0, 2, 0)
    assert reference["agreement"] is None
    found = ours["agreement"]
    assert found["reference"] == BUNDLED["tflite"].name
    assert (found["iou_mean"], found["iou_min"], found["dtssd"], found["change"]) == (1, 1, 0, 0)
    assert found["flicker_ratio"] is None  # nothing flickers


def test_json_holds_every_frame(make_clip: MakeClip) -> None:
    result = video(make_clip(4, 3), "--model", BUNDLED["tflite"], "--reference", BUNDLED["onnx"], "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    assert (found["format"], found["version"]) == ("segedge.segbench.video", 1)
    assert found["clip"]["frames"] == found["clip"]["declared_frames"] == 4
    assert (found["clip"]["width"], found["clip"]["height"], found["clip"]["fps"]) == (160, 120, 10)
    for stream in found["streams"]:
        assert stream["flicker_per_frame"][0] is None
        assert len(stream["flicker_per_frame"]) == 4
        assert stream["worst_frames"][0]["flicker"] == max(stream["flicker_per_frame"][1:])
        assert 0 < stream["flicker"] <= stream["worst_frames"][0]["flicker"]
    ours = found["streams"][1]
    assert len(ours["iou_per_frame"]) == 4
    assert ours["agreement"]["flicker_ratio"] == pytest.approx(ours["flicker"] / found["streams"][0]["flicker"])


def test_table_names_both_files_and_where_to_look(make_clip: MakeClip) -> None:
    result = video(make_clip(4, 3), "--reference", BUNDLED["onnx"])
    assert result.exit_code == 0, result.output
    for text in (
        "160x120, 10 frames/s, 4 frames",
        segruntime.load().path.name,
        "mobile_unet.onnx",
        "dtSSD",
        "flicker",
    ):
        assert text in result.stdout
    assert "agrees least with the reference at frame" in result.stdout


def test_models_of_one_name_are_told_apart(make_clip: MakeClip, tmp_path: Path) -> None:
    paths = [tmp_path / name / "m.tflite" for name in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(BUNDLED["tflite"].read_bytes())
    result = written(VideoJob(clip=make_clip(2), models=tuple(paths)))
    assert [stream["label"] for stream in result["streams"]] == [str(path) for path in paths]


def test_each_model_is_measured_with_each_preset_against_the_reference_with_the_same(make_clip: MakeClip) -> None:
    result = video(
        make_clip(3, 3), "--reference", BUNDLED["onnx"], *(word for p in PRESETS for word in ("--preset", p)), "--json"
    )
    assert result.exit_code == 0, result.output
    streams = json.loads(result.stdout)["streams"]
    names = [f"{segruntime.load(backend=kind).path.name} {preset}" for kind in ("onnx", "tflite") for preset in PRESETS]
    assert [stream["label"] for stream in streams] == names
    for preset, stream in zip(PRESETS, streams[len(PRESETS) :], strict=True):
        assert stream["preset"] == preset
        assert stream["agreement"]["reference"] == f"{BUNDLED['onnx'].name} {preset}"


def test_a_preset_with_a_memory_steadies_a_stream_and_keeps_its_memory_between_frames() -> None:
    """A still picture whose mask comes and goes, always unsure: `balanced` must change less than `fast`."""
    gray, coarse = np.full((60, 80), 90, np.uint8), [np.full((30, 40), v, np.float32) for v in (0.35, 0.65)]
    change = {}
    for preset in ("fast", "balanced"):
        masker = Masker(preset)
        masks = [masker.soft_mask(coarse[k % 2], gray) for k in range(6)]
        change[preset] = np.abs(masks[-1] - masks[-2]).mean()
    assert change["fast"] == pytest.approx(0.3, abs=0.01)
    assert change["balanced"] < change["fast"] / 2


def test_frames_stops_early(make_clip: MakeClip) -> None:
    seen: list[int | None] = []
    result = written(VideoJob(clip=make_clip(5), frames=3), seen.append)
    assert result["clip"]["frames"] == 3
    assert result["warnings"] == []
    assert seen == [3, 3, 3]


def test_a_single_frame_has_no_flicker_and_says_so(make_clip: MakeClip) -> None:
    clip = make_clip(1)
    (stream,) = json.loads(video(clip, "--json").stdout)["streams"]
    assert (stream["flicker"], stream["pairs"], stream["worst_frames"]) == (None, 0, [])
    result = video(clip)
    assert result.exit_code == 0, result.output
    assert "one frame only: flicker is a change between frames" in result.stderr
    assert "no frame, there is no pair" in result.stdout


def test_a_clip_that_ends_early_is_measured_and_named(make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clip, "frames", lambda _self, _limit=None: iter([drawn_frame(64, 48)] * 2))
    result = written(VideoJob(clip=make_clip(5)))
    assert result["warnings"] == ["the clip ends after 2 of 5 frames; it may be cut off"]


def test_the_plot_is_a_picture_with_content(make_clip: MakeClip, tmp_path: Path) -> None:
    path = tmp_path / "over time.png"
    result = video(make_clip(4, 3), "--reference", BUNDLED["onnx"], "--plot", path)
    assert result.exit_code == 0, result.output
    image = cv2.imread(str(path))
    assert image is not None
    assert image.shape == (720, 1200, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50


def test_a_missing_clip_and_a_folder(tmp_path: Path) -> None:
    assert f"gone.mp4: {messages.NOTHING_THERE} a video file" in refused(video(tmp_path / "gone.mp4"))
    assert "found a folder, expected a video file" in refused(video(tmp_path))


def test_a_text_file_is_one_line_even_from_the_libraries(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_text("not a video\n" * 100)
    done = subprocess.run(
        [sys.executable, "-m", "segbench", "video", str(path)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "clip.mp4: cannot be opened as a video (1200 bytes)" in done.stderr


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"")
    assert "cannot be opened as a video (0 bytes)" in refused(video(path))


def test_a_clip_without_frames(make_clip: MakeClip) -> None:
    clip = Clip(make_clip(2))
    with clip:
        assert len(list(clip.frames())) == 2
        with pytest.raises(ClipError, match="has no frame that can be decoded"):
            list(clip.frames())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--frames", 0], "frames: got 0, expected a whole number from 1"),
        (["--plot", "x.txt"], "plot: got x.txt, expected a file that ends in .png, .svg, .pdf"),
        (["--plot", "gone/x.png"], f"plot: {messages.GONE_IS_NO_FOLDER}, expected one that is there"),
        (["--model", "gone.tflite"], "gone.tflite: found nothing there"),
        (["--reference", "gone.tflite"], "gone.tflite: found nothing there"),
        (["--threads", 0], f"threads: got 0, {messages.THREADS}"),
    ],
)
def test_unusable_option_gives_one_line_and_code_1(make_clip: MakeClip, arguments: list[object], message: str) -> None:
    assert message in refused(video(make_clip(2), *arguments))


def test_a_job_checks_its_frames() -> None:
    with pytest.raises(OptionError, match="frames: got True"):
        VideoJob(clip=Path("x.mp4"), frames=True)


@pytest.mark.parametrize("module", ["rich", "matplotlib"])
def test_a_missing_library_names_the_bench_extra(
    make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert f"needs {module}, which is not installed: {install_command('bench')}" in refused(
        video(make_clip(2), "--plot", "x.png")
    )


def test_options_before_the_command_are_refused_not_ignored() -> None:
    result = run_segbench("--backend", "onnx", "video", "x.mp4")
    assert result.exit_code == 2
    assert "--backend stands before video, where it has no effect; give it after video" in result.stderr


def test_help_of_the_command_and_of_the_group_shows_an_example() -> None:
    assert "segbench video portrait.mp4" in video("--help").stdout
    everything = run_segbench("--help").stdout
    for example in ("segbench --backend tflite", "segbench accuracy --images", "segbench video portrait.mp4"):
        assert example in everything


@pytest.mark.skipif(not VIDEO.is_file(), reason="no clips next to this checkout")
def test_a_real_clip_is_decoded_and_its_int8_masks_go_with_those_of_float32() -> None:
    result = written(VideoJob(clip=VIDEO, reference=BUNDLED["onnx"], frames=8))
    ours = result["streams"][1]
    assert (result["clip"]["width"], result["clip"]["height"], result["clip"]["declared_frames"]) == (1280, 720, 195)
    assert (ours["pairs"], ours["pairs_left_out"]) == (7, 0)
    assert ours["agreement"]["iou_mean"] > 0.95  # the bound of docs/conversion.md for an int8 file
