"""The same pass over and over, told minute by minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from segbench.machine.sensors import Sensors
from segbench.results.sustained import Minute
from segbench.statistics.summary import summarize

SECONDS_BETWEEN_READINGS = 5.0
_MINUTE = 60.0
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """What is read off the machine meanwhile: its sensors, and the seconds of a core that other programs took."""

    sensors: Callable[[], Sensors]
    others: Callable[[], float | None]


@dataclass(slots=True, kw_only=True)
class _Open:
    """The minute that is being measured."""

    number: int
    begin: float
    end: float
    readings: list[Sensors]
    others: float | None
    values_ms: list[float] = field(default_factory=list)


def measure_minutes(
    one_pass: Callable[[Item], object],
    items: Iterator[Item],
    gauges: Gauges,
    minutes: float,
    tell: Callable[[Minute], None],
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[list[Minute], bool]:
    """Give `one_pass` one item after the other for so many minutes; → the minutes, and whether Ctrl-C ended them early.

    Only the pass is timed, not how an item comes about. A minute is given to `tell` when it ends. Sensors are read between
    passes, every five seconds.
    """
    passed: list[Minute] = []
    start = clock()
    one = _Open(number=1, begin=start, end=start, readings=[gauges.sensors()], others=gauges.others())
    interrupted = False
    try:
        read_at = start + SECONDS_BETWEEN_READINGS
        while (now := clock()) < start + minutes * _MINUTE:
            if now >= start + one.number * _MINUTE and one.values_ms:
                one = _close(one, int((now - start) // _MINUTE) + 1, gauges, passed, tell)
            item = next(items)
            begin = clock()
            one_pass(item)
            one.end = clock()
            one.values_ms.append(round((one.end - begin) * 1e3, 5))
            if one.end >= read_at:
                one.readings.append(gauges.sensors())
                read_at = one.end + SECONDS_BETWEEN_READINGS
    except KeyboardInterrupt:
        interrupted = True
    is_told = bool(passed) and passed[-1].minute == one.number  # Ctrl-C may come while a minute is closed
    if one.values_ms and not is_told:
        _close(one, one.number + 1, gauges, passed, tell)
    return passed, interrupted


def _close(one: _Open, following: int, gauges: Gauges, passed: list[Minute], tell: Callable[[Minute], None]) -> _Open:
    """Add what is done to `passed`, and open the minute `following`."""
    reading, others = gauges.sensors(), gauges.others()
    one.readings.append(reading)
    passed.append(_minute(one, others))
    fresh = _Open(number=following, begin=one.end, end=one.end, readings=[reading], others=others)
    tell(passed[-1])
    return fresh


def _minute(one: _Open, others: float | None) -> Minute:
    summary = summarize(one.values_ms)
    seconds = one.end - one.begin
    cores = None if others is None or one.others is None or seconds <= 0 else max(0.0, others - one.others) / seconds
    sensors = _of_sensors(one.readings)
    return Minute(
        minute=one.number,
        seconds=round(seconds, 3),
        n=summary.n,
        p50_ms=summary.p50_ms,
        p90_ms=summary.p90_ms,
        others_cores=None if cores is None else round(cores, 3),
        temperature_c=sensors.temperature_c,
        frequency_mhz=sensors.frequency_mhz,
        throttled=sensors.throttled,
        throttle_flags=sensors.throttle_flags,
        values_ms=one.values_ms,
    )


def _of_sensors(readings: list[Sensors]) -> Sensors:
    """What they come to; each None where no reading has it."""
    degrees = [one.temperature_c for one in readings if one.temperature_c is not None]
    clocks = [one.frequency_mhz for one in readings if one.frequency_mhz is not None]
    held = [one.throttled for one in readings if one.throttled is not None]
    counts = [one.throttle_count for one in readings if one.throttle_count is not None]
    flags = [one.throttle_flags for one in readings if one.throttle_flags is not None]
    if counts:
        held.append(counts[-1] > counts[0])
    return Sensors(
        temperature_c=max(degrees, default=None),
        frequency_mhz=round(sum(clocks) / len(clocks), 1) if clocks else None,
        throttled=any(held) if held else None,
        throttle_flags=tuple(dict.fromkeys(word for words in flags for word in words)) if flags else None,
        throttle_count=counts[-1] if counts else None,
    )
