"""What a job accepts and how it survives the way to the worker; a camera's rate."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from tests import messages
from tests.each_case import each_case

import segbench.process.pacing
from segbench.errors import OptionError
from segbench.process.job import Effort, Job, parse_size, parse_threads
from segbench.process.pacing import Pacer

EFFORT = asdict(Effort())


@pytest.mark.parametrize(
    "job",
    [
        Job(),
        Job(model="a.onnx", backend="onnx", threads=3, width=640, height=480, effort=Effort(runs=1, processes=2)),
        Job(input="talk.mp4", preset="fast", rate=29.97, effort=Effort(warmup_runs=0, warmup_seconds=0)),
    ],
)
def test_job_comes_back_from_json_as_it_was(job: Job) -> None:
    assert Job.from_json(job.to_json()) == job


@each_case(
    ("options", "message"),
    [
        ({"threads": 0}, f"threads: got 0, {messages.THREADS}"),
        ({"threads": True}, "threads: got True"),
        ({"threads": "2"}, "threads: got '2'"),
        ({"backend": "torch"}, "backend: got 'torch', expected one of tflite, onnx"),
        ({"width": 0, "height": 0}, "size: width: got 0"),
        ({"width": 640}, "size: got one side"),
        ({"effort": {**EFFORT, "runs": 0}}, "runs: got 0"),
        ({"effort": {**EFFORT, "warmup_runs": -1}}, "warmup_runs: got -1"),
        ({"effort": {**EFFORT, "warmup_seconds": float("inf")}}, "warmup_seconds: got inf"),
        ({"rate": 0}, "rate: got 0, expected a number from 0.1 to 1000"),
        ({"rate": float("nan")}, "rate: got nan"),
        ({"preset": "finest"}, "preset: got 'finest', expected one of fast, balanced, best"),
        ({"preset": ["fast"]}, "preset: got"),
        ({"input": 7}, "input: got 7, expected the path"),
        ({"effort": {**EFFORT, "seconds": -0.1}}, "seconds: got -0.1"),
        ({"effort": {**EFFORT, "seconds": float("nan")}}, "seconds: got nan"),
        ({"effort": {**EFFORT, "seconds": "2"}}, "seconds: got '2'"),
        ({"model": 7}, "model: got 7, expected the path"),
        ({"effort": {**EFFORT, "processes": 0}}, "processes: got 0, expected a whole number from 1 to 1000"),
        ({"effort": {"runs": 1}}, "effort.seconds is missing"),
        ({"effort": 5}, "effort is of type int"),
        ({"speed": 7}, "unknown field 'speed', known: model, backend"),
    ],
)
def test_unusable_option_is_refused_with_what_was_expected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Job.from_json(options)


@pytest.mark.parametrize("data", [None, [], "job", 3])
def test_job_is_an_object(data: object) -> None:
    with pytest.raises(OptionError, match="expected a JSON object"):
        Job.from_json(data)


@pytest.mark.parametrize(
    ("text", "size"), [("640x480", (640, 480)), (" 1280X720 ", (1280, 720)), ("8192x16", (8192, 16))]
)
def test_size_is_width_and_height(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@each_case("text", ["", "abc", "640", "640x", "x480", "-640x480", "640x480x3", "6.4x4.8", "640x480" * 9, "٦٤٠x480"])
def test_text_that_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="expected WIDTHxHEIGHT in pixels, like 1280x720"):
        parse_size(text)


@each_case("text", ["0x0", "1x1", "8193x720", "999999999x999999999"])
def test_size_that_no_frame_has_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=f"{messages.SIDES} pixels"):
        parse_size(text)


def test_threads_are_a_number() -> None:
    assert parse_threads(" 4 ") == 4


@each_case(("text", "message"), [("", "got ''"), ("-1", "got '-1'"), ("2.0", "got"), ("257", "got 257")])
def test_text_that_is_no_number_of_threads_is_refused(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=f"threads: {message}.*from 1 to 256"):
        parse_threads(text)


class Clock:
    """Time that passes only where somebody waits or works."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(segbench.process.pacing.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(segbench.process.pacing.time, "sleep", self.work)

    def work(self, seconds: float) -> None:
        self.now += seconds


def run(pacer: Pacer, clock: Clock, *work: float) -> list[float]:
    """When each frame starts."""
    starts = []
    for seconds in work:
        pacer.wait()
        starts.append(clock.now)
        clock.work(seconds)
        pacer.done()
    return starts


def test_quick_frames_start_when_they_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pacer = Pacer(10)
    assert run(pacer, clock, 0.01, 0.09, 0.05) == pytest.approx([100, 100.1, 100.2])
    assert pacer.late == 0


def test_one_slow_frame_makes_one_late_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pacer = Pacer(10)
    assert run(pacer, clock, 0.01, 0.35, 0.02, 0.02) == pytest.approx([100, 100.1, 100.45, 100.55])
    assert pacer.late == 1


def test_where_every_frame_is_slow_every_frame_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pacer = Pacer(10)
    run(pacer, clock, *[0.11] * 5)
    assert pacer.late == 5
