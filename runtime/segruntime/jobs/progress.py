"""How far a job is: the same numbers for the bar, for `segrun status` and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from segruntime.jobs.journal import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Files by what became of them; segments of videos that are not whole yet; the rate of the last start.

    `seconds_left` is None as long as nothing says how long a file takes.
    """

    files: int
    finished: int
    failed: int
    skipped: int
    segments: int
    frames: int
    seconds: float
    frames_per_second: float
    seconds_left: float | None

    @property
    def left(self) -> int:
        return max(0, self.files - self.finished - self.failed - self.skipped)

    @classmethod
    def of(cls, record: Record, now: float) -> Progress:
        """`now`: seconds since 1970, of the last line where nobody works."""
        seconds = max(0.0, now - record.run.get("began", now))
        states = [line["state"] for line in record.failed.values() if "of" not in line]
        is_done = record.files + len(states) >= record.run.get("files", 0)
        return cls(
            files=record.run.get("files", 0),
            finished=record.files,
            failed=states.count("failed"),
            skipped=states.count("skipped"),
            segments=sum(1 for video in record.segments.values() if video not in record.finished),
            frames=record.all.frames,
            seconds=seconds,
            frames_per_second=sum(tally.frames for tally in record.latest.values()) / seconds if seconds > 0 else 0.0,
            seconds_left=0.0 if is_done else _seconds_left(record, seconds),
        )

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "left": self.left}

    def line(self) -> str:
        """For people: what is done, failing, left, rate, time left."""
        parts = [f"{self.finished} of {self.files} done"]
        parts += [f"{self.segments} segments of the next"] if self.segments else []
        parts += [f"{count} {what}" for count, what in ((self.failed, "failed"), (self.skipped, "skipped")) if count]
        parts += [f"{self.left} left"] if self.left else []
        parts += [f"{self.frames_per_second:.1f} fps"] if self.frames_per_second else []
        if self.left and self.seconds_left is not None:
            parts.append(f"{clock(self.seconds_left)} to go")
        return ", ".join(parts)


def _seconds_left(record: Record, seconds: float) -> float | None:
    """The input that is left, by kind of file, at what a byte of each kind took; an unknown kind takes what the known do."""
    left = dict(record.run.get("left_bytes", {}))
    busy = sum(tally.seconds for tally in record.latest.values())
    if not busy or not seconds:
        return None
    known = sum(tally.source_bytes for tally in record.latest.values())
    work_s = 0.0
    for kind, bytes_ in left.items():
        tally = record.latest.get(kind)
        done = tally.source_bytes if tally else 0
        pace = tally.seconds / done if tally and done else busy / max(1, known)
        work_s += max(0, bytes_ - done) * pace
    return work_s * seconds / busy


def clock(seconds: float) -> str:
    """`1:02:05`, or `2:05` under an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
