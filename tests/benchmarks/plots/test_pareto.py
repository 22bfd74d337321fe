"""Accuracy against latency: what belongs together, which configurations are on the front, and what is left out by name."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.benchmarks.made_results import as_accuracy, as_latency

from segbench.plots import picture
from segbench.plots.pareto import pareto_plot
from segbench.plots.pareto_front import Point, fields_of, pareto_front, without_partner
from segbench.plots.sources import Source
from segbench.results.accuracy import AccuracyResult
from segbench.results.latency import LatencyResult

Made = dict[str, Any]
Make = Callable[..., Made]


def point(name: str, p50_ms: float, iou: float) -> Point:
    return Point(name=name, source="a.json", p50_ms=p50_ms, p90_ms=p50_ms * 1.2, iou=iou, size_bytes=1_000_000)


def latency(result: Made, name: str = "results.json") -> Source[LatencyResult]:
    return Source(path=Path(name), result=as_latency(result))


def accuracy(result: Made, name: str = "accuracy.json") -> Source[AccuracyResult]:
    return Source(path=Path(name), result=as_accuracy(result))


def test_front_by_hand_with_ties() -> None:
    """Equally fast: the more exact one. Equally exact: the faster one. Equal in both: both."""
    points = [
        point("fast", 10, 0.90),
        point("as fast, less exact", 10, 0.89),
        point("slower, as exact as fast", 11, 0.90),
        point("middle", 20, 0.95),
        point("its twin", 20, 0.95),
        point("slow and worse than the middle", 30, 0.94),
        point("slow and best", 40, 0.96),
    ]
    assert [one.name for one in pareto_front(points)] == ["fast", "middle", "its twin", "slow and best"]


def test_front_of_one_point_is_that_point() -> None:
    assert pareto_front([point("alone", 5, 0.1)]) == [point("alone", 5, 0.1)]


def test_every_point_is_on_the_front_or_beaten_by_one_that_is() -> None:
    rng = np.random.default_rng(5)
    points = [point(str(k), float(ms), float(iou)) for k, (ms, iou) in enumerate(rng.integers(1, 9, (60, 2)))]
    front = pareto_front(points)
    for one in points:
        beaten = any(
            (best.p50_ms < one.p50_ms and best.iou >= one.iou) or (best.p50_ms <= one.p50_ms and best.iou > one.iou)
            for best in front
        )
        assert beaten != (one in front)


def test_accuracy_is_found_by_model_backend_and_preset(small_result: Made, small_accuracy: Made) -> None:
    (field,) = fields_of([latency(small_result)], [accuracy(small_accuracy)])
    (found,) = field.points
    assert (found.name, found.source) == ("portrait_int8.tflite", "results.json")
    assert (found.p50_ms, found.iou, found.size_bytes) == (10, pytest.approx(0.94), 2_000_000)
    assert (field.frame, field.pictures) == ("640x480 (the drawn frame)", 2)
    for edit in (
        lambda one: one["model"].update(sha256="cd" * 32),
        lambda one: one["model"].update(backend="onnx"),
        lambda one: one.update(preset="fast"),
    ):
        other = copy.deepcopy(small_accuracy)
        edit(other)
        assert fields_of([latency(small_result)], [accuracy(other)]) == []
        assert without_partner([latency(small_result)], [accuracy(other)]) == [
            "no accuracy for portrait_int8.tflite",
            "no latency for what accuracy.json measured",
        ]


def test_threads_share_an_accuracy_and_frames_of_another_size_stand_apart(
    small_result: Made, small_accuracy: Made
) -> None:
    (one,) = small_result["configurations"]
    frame = {**one["frame"], "width": 1280, "height": 720}
    small_result["configurations"] = [one, {**one, "name": "b", "threads": 4}, {**one, "name": "c", "frame": frame}]
    fields = fields_of([latency(small_result)], [accuracy(small_accuracy)])
    assert [[p.name for p in field.points] for field in fields] == [["portrait_int8.tflite", "b"], ["c"]]


def test_masks_of_other_pictures_stand_apart_and_the_last_of_the_same_counts(
    small_result: Made, small_accuracy: Made
) -> None:
    other, again = copy.deepcopy(small_accuracy), copy.deepcopy(small_accuracy)
    other["pictures_sha256"] = "01" * 32
    again["summary"]["iou"]["mean"] = 0.5
    results = [accuracy(one) for one in (small_accuracy, other, again)]
    assert [field.points[0].iou for field in fields_of([latency(small_result)], results)] == [
        0.5,
        pytest.approx(0.94),
    ]


def test_a_camera_s_pace_stands_apart(small_result: Made, small_accuracy: Made) -> None:
    paced = copy.deepcopy(small_result)
    paced["settings"]["rate"] = 30
    fields = fields_of([latency(small_result), latency(paced)], [accuracy(small_accuracy)])
    assert [field.frame for field in fields] == [
        "640x480 (the drawn frame)",
        "640x480 (the drawn frame), 30 frames/s as from a camera",
    ]


def test_what_is_left_out_is_said_once_for_each_model(small_result: Made, small_accuracy: Made) -> None:
    (one,) = small_result["configurations"]
    other = {**one, "model": {**one["model"], "sha256": "00" * 32}}
    small_result["configurations"] = [one, {**other, "name": "x, 1 thread"}, {**other, "name": "x, 2 threads"}]
    assert without_partner([latency(small_result)], [accuracy(small_accuracy)]) == [
        "no accuracy for x, 1 thread and 1 more of that model, backend and preset"
    ]
    assert without_partner([latency(small_result)], []) == []
    assert without_partner([], [accuracy(small_accuracy)]) == []


def test_plot_has_a_number_and_a_line_of_its_key_for_each_point(small_result: Made, small_accuracy: Made) -> None:
    (one,) = small_result["configurations"]
    names = [f"net_{k}.tflite, {k} threads" for k in range(24)]
    small_result["configurations"] = [{**one, "name": name, "threads": k + 1} for k, name in enumerate(names)]
    fields = fields_of([latency(small_result)], [accuracy(small_accuracy)])
    root = ElementTree.fromstring(picture(pareto_plot(fields), ".svg"))  # noqa: S314
    read = ["".join(text.itertext()) for text in root.iter() if text.tag.endswith("}text")]
    assert set(names) <= set(read)
    assert "94.00" in read
    for k in range(24):
        assert read.count(str(k + 1)) >= 2  # at its point and in the key
    assert "640x480 (the drawn frame); masks of 2 pictures" in read


def test_key_names_the_file_only_where_there_are_several(small_result: Made, small_accuracy: Made) -> None:
    for sources, expected in (
        ([latency(small_result)], "portrait_int8.tflite"),
        ([latency(small_result, "a.json"), latency(small_result, "b.json")], "portrait_int8.tflite (b.json)"),
    ):
        svg = picture(pareto_plot(fields_of(sources, [accuracy(small_accuracy)])), ".svg").decode()
        assert f">{expected}<" in svg
        assert ("(a.json)" in svg) == (len(sources) > 1)


def test_a_hundredth_of_a_point_of_iou_is_no_step(small_result: Made, small_accuracy: Made) -> None:
    """The axis spans half a point at least."""
    svg = picture(pareto_plot(fields_of([latency(small_result)], [accuracy(small_accuracy)])), ".svg").decode()
    assert ">93.8<" in svg
    assert ">94.2<" in svg
