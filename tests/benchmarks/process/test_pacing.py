"""A camera's rate."""

from __future__ import annotations

import pytest

import segbench.process.pacing
from segbench.process.pacing import Pacer


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
