"""One unit of a job: a picture, an animation, a video, or a segment of a long video; and what became of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from segruntime.picture_files.kinds import VIDEO_SUFFIXES
from segruntime.run.video.span import Span

State = Literal["finished", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What one worker does in one go: paths and numbers, never pixels.

    `id` is the same in every run of the job. `source`: the file that it reads, of `size_bytes`, last changed at
    `changed_ns`. `name`: of the result, below the output folder. A segment of a video has the video's id in `of`, its
    number there in `part`, counted from 1, its own `span`, and `share_bytes` of the file.
    """

    id: str
    source: str
    name: str
    size_bytes: int
    changed_ns: int
    of: str | None = None
    part: int = 0
    span: Span | None = None
    share_bytes: int = 0

    def draft(self, folder: str) -> Path:
        """Where its result lies until it is delivered."""
        return Path(folder) / f"{self.id}{Path(self.name).suffix.lower()}"

    @property
    def weight_bytes(self) -> int:
        """How much of the input it is."""
        return self.share_bytes if self.of else self.size_bytes

    @property
    def label(self) -> str:
        """What it is called in a message."""
        return f"{self.source}, segment {self.part}" if self.of else self.source

    @property
    def kind(self) -> str:
        """For estimates: files of one kind take a worker about as long a byte."""
        return "picture" if self.is_quick else "video"

    @property
    def is_quick(self) -> bool:
        """Whether it is by its name no video: a matter of less than a second."""
        return Path(self.source).suffix.lower() not in VIDEO_SUFFIXES

    def has_changed(self) -> bool:
        """Whether its file is not the one that was listed."""
        try:
            found = os.stat(self.source)
        except OSError:
            return True
        return (found.st_size, found.st_mtime_ns) != (self.size_bytes, self.changed_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a unit. `seconds`: a worker's time. `is_last`: nothing else would fare better, as on a full disk.

    `is_joined`: it was made of its segments.
    """

    unit: Unit
    state: State
    frames: int = 0
    seconds: float = 0.0
    error: str | None = None
    notes: tuple[str, ...] = ()
    is_last: bool = False
    is_joined: bool = False

    def to_json(self) -> dict[str, Any]:
        unit = self.unit
        line: dict[str, Any] = {"id": unit.id, "state": self.state, "name": unit.name, "frames": self.frames}
        line |= {"seconds": round(self.seconds, 3), "source_bytes": unit.weight_bytes}
        line |= {"kind": unit.kind}
        line |= {"of": unit.of, "part": unit.part} if unit.of else {}
        line |= {"joined": True} if self.is_joined else {}
        line |= {"error": self.error} if self.error else {}
        return line | ({"notes": list(self.notes)} if self.notes else {})


def digest(*parts: Any) -> str:
    """32 hexadecimal digits of BLAKE2b (RFC 7693) over the parts, none of which holds a zero byte."""
    return blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
