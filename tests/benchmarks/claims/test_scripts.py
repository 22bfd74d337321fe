"""The stand-alone scripts run, and what they time is right. How fast it is, they print and nobody enforces."""

from __future__ import annotations

import json
import math
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import cv2
import pytest
from tests import messages
from tests.places import SHARED
from tests.scripts import result_of, run_script, script_refused
from tests.video.clips import make

import segruntime
from segbench.frames.drawn import drawn_frame
from segruntime.model_file.golden import GoldenPicture, with_golden
from segruntime.segmenter import BUNDLED

CALIBRATION = SHARED / "data" / "portraits" / "calibration"
VERSION = metadata.version("ai-edge-litert")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=6)


def test_runtime_overhead_compares_composites_that_agree() -> None:
    (result,) = result_of("runtime_overhead.py", "--rounds", "2", "--inner", "1")["results"]
    assert result["composites_agree"]
    assert len(result["ratios"]) == 5
    assert all(len(values) == 2 for values in result["values_ms"].values())


def test_runtime_overhead_refuses_a_missing_model_in_one_line() -> None:
    said = script_refused("runtime_overhead.py", "--rounds", 1, "--inner", 1, "--model", "none.tflite")
    assert f"runtime_overhead: none.tflite: {messages.NOTHING_THERE}" in said


def test_harness_overhead_takes_the_ratio_within_each_pair() -> None:
    done = run_script("harness_overhead.py", "--pairs", 3, "--seconds", 0.1, "--json")
    result = json.loads(done.stdout)
    ratios = sorted(b / a for a, b in zip(result["bare_p50_ms"], result["harness_p50_ms"], strict=True))
    assert len(ratios) == 3
    assert result["difference"] == pytest.approx(ratios[1] - 1)
    assert result["interval"][0] <= result["difference"] <= result["interval"][1]
    assert done.returncode == (0 if abs(result["difference"]) <= 0.02 else 1)


def test_cold_start_measures_imports_first_mask_and_memory() -> None:
    result = result_of("cold_start.py", "--repeats", "1")
    assert [len(values) for values in result["values_ms"].values()] == [1, 1, 1]
    assert all(row["value"] != 0 for row in result["measured"])


def test_self_test_variation_tells_other_kernels_from_faults(tmp_path: Path) -> None:
    path = tmp_path / "golden.tflite"
    segmenter = segruntime.load(backend="tflite")
    frame = cv2.resize(drawn_frame(480, 640), (84, 112), interpolation=cv2.INTER_AREA)
    mask = segmenter.network_mask(frame)
    picture = GoldenPicture(name="drawn", frame=frame, reference=mask, made=mask)
    path.write_bytes(with_golden(segmenter.path.read_bytes(), [picture]))
    rows = {row["what"]: row for row in result_of("self_test_variation.py", path)["rows"]}
    assert rows["1 threads"]["mean_difference"] == 0
    assert rows["no XNNPACK"]["same"]
    assert rows["reference kernels"]["same"]
    assert not rows["fault: letterbox"]["same"]


def test_video_pipeline_times_four_ways_through_one_clip(clip: Path) -> None:
    result = result_of("video_pipeline.py", clip, "--rounds", "2", "--encoder-preset", "ultrafast")
    assert {len(values) for values in result["values_ms"].values()} == {2}
    assert len(result["values_ms"]) == 4
    assert [row["ratio"] > 0 for row in result["ratios"]] == [True] * 3


def test_video_memory_compares_two_lengths_of_one_clip(clip: Path) -> None:
    result = result_of("video_memory.py", clip, "--short", "0.1", "--long", "1")
    assert result["short"]["frames"] == 6
    assert result["long"]["frames"] >= 25
    assert result["long"]["peak_bytes"] > 10_000_000
    assert result["more_bytes"] == result["long"]["peak_bytes"] - result["short"]["peak_bytes"]


def test_a_benchmark_refuses_what_is_no_video_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    said = script_refused("video_pipeline.py", tmp_path / "text.mp4")
    assert "video_pipeline: " in said
    assert "cannot be opened" in said


@pytest.mark.skipif(find_spec("uvicorn") is None, reason="the service needs the extra `serve`")
def test_a_short_load_counts_answers_masks_and_memory() -> None:
    words = ["--requests", 2, "--clients", 12, "--sockets", 3, "--seconds", 1.5, "--warm-up", 1]
    found = result_of("serve_load.py", *words)
    assert [row["path"] for row in found["cost"]] == ["/v1/cutout", "/v1/mask", "/v1/composite"]
    assert all(len(row["rounds_ms"]) == 2 and row["goal"]["ratio"] > 0 for row in found["cost"])
    load = found["load"]
    assert set(load["statuses"]) <= {"200", "429"}
    assert load["statuses"]["200"] > 0
    assert load["failures"] == {}
    assert load["masks"] > 0
    assert load["out_of_order"] == 0
    assert load["memory_mb"]["peak"] >= load["memory_mb"]["first"] > 20


@pytest.mark.skipif(not CALIBRATION.is_dir(), reason="no portraits next to this checkout")
def test_flicker_floor_puts_known_masks_in_the_right_order() -> None:
    found = result_of("flicker_floor.py", CALIBRATION, "--people", 6)
    assert found["pair_ms"] > 0
    for row in found["rows"]:
        flicker = row["flicker"]
        assert flicker["true mask"] < 0.01, row
        assert flicker["jumps by 1 pixel"] > 2 * flicker["true mask"], row
    still, *moving = found["rows"]
    assert still["speed"] == 0
    assert still["flicker"]["stands still"] == still["flicker"]["true mask"]
    for row in moving:
        flicker = row["flicker"]
        assert flicker["true mask"] < flicker["one frame late"] < flicker["stands still"], row


def test_flicker_floor_refuses_a_folder_without_pictures(tmp_path: Path) -> None:
    assert f"{messages.NOTHING_THERE} a folder of pictures" in script_refused("flicker_floor.py", tmp_path)


@pytest.mark.skipif(not VERSION.startswith("2.1."), reason="the layout of events is that of ai-edge-litert 2.1")
def test_both_profilers_find_the_same_operators_in_the_same_order() -> None:
    """What XNNPACK calls a GEMM or a convolution is a convolution to LiteRT, and so on. How long they take, nobody enforces."""
    result = result_of("profile_crosscheck.py", "--runs", 5, "--seconds", 0.5)
    names = {
        "CONV_2D": ("Convolution", "Fully Connected"),
        "TRANSPOSE_CONV": ("Deconvolution",),
        "MAX_POOL_2D": ("Max Pooling",),
        "CONCATENATION": ("Copy", "Concatenate"),
        "QUANTIZE": ("Convert",),
        "LOGISTIC": ("Sigmoid",),
    }
    assert [row["xnnpack"].startswith(names[row["operator"]]) for row in result["rows"]] == [True] * 37
    assert math.isclose(sum(row["xnnpack_ms"] for row in result["rows"]), result["xnnpack_ms"])
    assert 0 <= result["apart"] <= 2 * result["variation"] <= 2


def test_profile_crosscheck_refuses_a_model_that_cannot_be_used(tmp_path: Path) -> None:
    broken = tmp_path / "cut.tflite"
    broken.write_bytes(BUNDLED["tflite"].read_bytes()[:1000])
    said = script_refused("profile_crosscheck.py", "--model", broken)
    assert said.count("\n") == 1
    assert ("cut off" in said) == VERSION.startswith("2.1.")
