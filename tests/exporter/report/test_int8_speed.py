"""Whether int8 pays here: told from pairs of times on a clock that the tests hold, and said on table, JSON and page alike."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from segexport.compare import int8_speed as module
from segexport.compare.int8_speed import Int8Speed, int8_speed, measure_int8_speed
from segexport.report.page import build_page
from segruntime import Segmenter
from segruntime.processor import Processor, find_processor

FRAME = np.zeros((4, 4, 3), np.uint8)


class Clock:
    """Stands still but where a made-up network runs."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    process_time = monotonic


class Network:
    """Takes the times of `costs_ms`, one after another, the last one again and again."""

    threads = 1

    def __init__(self, clock: Clock, name: str, costs_ms: list[float], ran: list[str]) -> None:
        self.clock, self.name, self.costs_ms, self.ran = clock, name, costs_ms, ran

    def preprocess(self, frame: Any) -> Any:
        return frame

    def invoke(self, tensor: Any) -> Any:
        self.ran.append(self.name)
        self.clock.now += (self.costs_ms.pop(0) if len(self.costs_ms) > 1 else self.costs_ms[0]) / 1000
        return tensor


def measured(monkeypatch: pytest.MonkeyPatch, float32: list[float], int8: list[float]) -> tuple[Int8Speed, list[str]]:
    clock, ran = Clock(), cast("list[str]", [])
    monkeypatch.setattr(module, "time", clock)
    pair = (Network(clock, "float32", float32, ran), Network(clock, "int8", int8, ran))
    return measure_int8_speed(*(cast(Segmenter, one) for one in pair), FRAME), ran


def test_both_files_run_in_turn_and_the_first_invokes_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    found, ran = measured(monkeypatch, [900.0, 900.0, 20.0], [900.0, 900.0, 5.0])
    assert (found.float32_ms, found.int8_ms, found.ratio) == pytest.approx((20, 5, 0.25))
    assert (found.turns, found.threads, found.pays) == (15, 1, True)
    assert ran == ["float32", "int8"] * (2 + 15)


def test_a_clock_that_does_not_move_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(monkeypatch, [0.0], [0.0])[0].ratio == 1


@pytest.mark.parametrize(("cost_ms", "turns"), [(60_000.0, 3), (500.0, 3), (250.0, 6), (1.0, 15)])
def test_a_slow_network_takes_fewer_turns(monkeypatch: pytest.MonkeyPatch, cost_ms: float, turns: int) -> None:
    assert measured(monkeypatch, [cost_ms], [cost_ms])[0].turns == turns


@pytest.mark.parametrize(
    ("ratios", "pays"),
    [
        ([0.36] * 15, True),
        ([0.914] * 15, False),
        ([1.0] * 15, False),
        ([3.0] * 15, False),
        ([0.5] * 12 + [9.0] * 3, True),  # three disturbed turns of fifteen
        ([0.5] * 11 + [9.0] * 4, None),
        ([0.5] * 8 + [1.0] * 7, None),
        ([0.36] * 3, True),
        ([0.36, 0.36, 1.1], None),
        ([0.95, 0.99, 1.05], False),
    ],
)
def test_what_is_said_holds_beyond_chance(ratios: list[float], pays: bool | None) -> None:
    found = int8_speed([(10.0, 10.0 * ratio) for ratio in ratios], threads=1)
    assert found.pays is pays
    assert found.to_json()["pays"] is pays
    assert min(ratios) - 1e-9 <= found.low <= found.ratio <= found.high <= max(ratios) + 1e-9


@pytest.mark.parametrize(
    ("count", "outside"), [(1, 0), (2, 0), (5, 0), (6, 0), (8, 0), (9, 1), (12, 2), (15, 3), (20, 5), (25, 7)]
)
def test_the_interval_is_the_sign_tests(count: int, outside: int) -> None:
    """The ranks of the 95 % interval of a median in the usual tables: 1 of 6, 2 of 9, 3 of 12, 4 of 15, 6 of 20, 8 of 25."""
    found = int8_speed([(1.0, float(k + 1)) for k in range(count)], threads=1)
    assert (found.low, found.high) == (outside + 1, count - outside)


def test_the_sentence_says_what_to_take_instead() -> None:
    said = {pays: str(int8_speed([(10.0, 10 * r) for r in ratios], threads=1)) for pays, ratios in SAID.items()}
    assert said[True] == "int8 pays on this processor: 0.36 of float32's time (0.36 to 0.36, 1 thread)"
    assert said[False] == (
        "int8 does not pay on this processor: 0.91 of float32's time (0.91 to 0.91, 1 thread). Take the float32 file on "
        "machines like this, or float16, as fast at half the size; int8 where a file must be small, and for processors on "
        "which it pays (docs/precision.md)"
    )
    assert said[None].startswith(
        "int8 against float32: 0.50 of float32's time (0.30 to 1.20, 1 thread): too unsteady to tell"
    )


SAID: dict[bool | None, list[float]] = {True: [0.36] * 9, False: [0.914] * 9, None: [0.3, 0.5, 1.2]}
SLOW = Processor(name="Slow [One]", int8="neither")


def test_an_export_measures_it_and_names_the_processor(exported: Any) -> None:
    speed = exported.body["int8_speed"]
    assert exported.body["processor"] == find_processor().to_json()
    assert speed["threads"] == 1
    assert speed["turns"] >= 3
    assert speed["low"] <= speed["ratio"] <= speed["high"]
    assert speed["text"] in html.unescape((exported.folder / "report.html").read_text("utf-8"))


def test_table_and_json_name_this_machines_processor_and_say_what_to_take(
    segexport: Callable[..., Any], exported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    speed = int8_speed([(10.0, 9.14)] * 9, threads=1)
    monkeypatch.setattr("segexport.compare.verify.measure_int8_speed", lambda *_: speed)
    monkeypatch.setattr("segexport.compare.verify.find_processor", lambda: SLOW)
    shown = segexport("verify", exported.folder)
    assert "; times: Slow [One] (neither VNNI nor dot product)\n" in shown.out
    assert shown.out.endswith(f"{speed}\n")
    body = json.loads(segexport("verify", exported.folder, "--json").out)
    assert body["processor"] == {"name": "Slow [One]", "int8": "neither"}
    assert body["int8_speed"] == speed.to_json()


def test_a_file_alone_is_compared_with_nothing(exported: Any, tmp_path: Any, segexport: Callable[..., Any]) -> None:
    done = segexport("onnx", exported.trained.checkpoint, "--size", 32, "--output", tmp_path / "out", "--json")
    assert json.loads(done.out)["int8_speed"] is None


@pytest.mark.parametrize(
    ("processor", "shown"),
    [
        ({"name": "Fast One", "int8": "VNNI"}, "exported, Fast One (VNNI)."),
        ({"name": "Fast One", "int8": "unknown"}, "exported, Fast One (VNNI and dot product unknown)."),
        ({"name": "<b>", "int8": "new"}, "exported, &lt;b&gt; (new)."),
        ({"name": "Fast One"}, "exported, Fast One."),
        (None, "exported."),
        ([], "exported."),
    ],
)
def test_the_page_names_the_processor_where_the_report_does(processor: object, shown: str) -> None:
    page = build_page({"processor": processor}, [], [])
    assert f"Times are of the machine that {shown}</p>" in page
    assert ("<dt>Timed on</dt>" in page) == bool(processor)
