"""Times that start again within a transport stream, as where two recordings were joined, go on instead."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

FORMATS = ("mpegts", "mpeg")  # the others have one clock from start to end
_BACK_S = Fraction(1, 2)  # smaller steps back are damage of one packet


class Continuity:
    """Moves the times of packets, each stream's in the order of the file.

    Where a stream's decoding time goes back, its next part begins, at the end of all that came before; the other streams
    follow with the same shift when theirs goes back: at a joint they do not change in the same packet.
    """

    def __init__(self) -> None:
        self._shifts = [Fraction(0)]
        self._part: dict[int, int] = {}
        self._last_s: dict[int, Fraction] = {}
        self._end_s = Fraction(0)

    def __call__(self, packet: Any) -> None:
        """Change `pts` and `dts` of a packet."""
        if packet.dts is None:
            return
        index, time_s = packet.stream.index, packet.dts * packet.time_base
        if time_s < self._last_s.get(index, time_s) - _BACK_S:
            self._begin_part(index, time_s)
        self._last_s[index] = time_s
        shift = self._shifts[self._part.get(index, 0)]
        self._end_s = max(self._end_s, time_s + shift + (packet.duration or 0) * packet.time_base)
        _move(packet, round(shift / packet.time_base))

    @property
    def parts(self) -> int:
        """How many recordings, each with a clock of its own, there were so far."""
        return len(self._shifts)

    def _begin_part(self, index: int, time_s: Fraction) -> None:
        part = self._part[index] = self._part.get(index, 0) + 1
        if part == len(self._shifts):
            self._shifts.append(self._end_s - time_s)


def _move(packet: Any, ticks: int) -> None:
    packet.dts += ticks
    if packet.pts is not None:
        packet.pts += ticks
