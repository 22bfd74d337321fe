"""What a job is asked for, and what it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segruntime.errors import OptionError
from segruntime.jobs.executors import Crew
from segruntime.jobs.progress import Progress
from segruntime.run.command import RunOptions
from segruntime.run.targets import is_folder
from segruntime.run.video.encoder import VIDEO_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """`run`: what is done to each file. `segment_s`: videos are cut about so often, None: never."""

    run: RunOptions
    crew: Crew = field(default_factory=Crew)
    segment_s: float | None = None
    is_resumed: bool = False

    def __post_init__(self) -> None:
        source, output = Path(self.run.source), self.run.output
        if not source.exists():
            raise OptionError(f"{source}: nothing is there, expected a file or a folder; a camera or stream is no job")
        if output is None or self.run.preview:
            raise OptionError("output: a job writes files and shows nothing, expected -o OUTPUT without --preview")
        if source.is_file() and (is_folder(output) or "%" in Path(output).name):
            raise OptionError(f"output: got {output}, a job of one file gives one file; name it, like out.mp4")
        if self.segment_s is None:
            return
        if not 1 <= self.segment_s <= 86_400:
            raise OptionError(f"segment: got {self.segment_s:g}, expected seconds from 1 to 86400, like 30")
        if source.is_file() and Path(output).suffix.lower() not in VIDEO_KINDS:
            raise OptionError(f"segment: {output} is no video, expected an output like {', '.join(VIDEO_KINDS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How far a job is at its end, and what there is to say: `errors` of each file that failed."""

    progress: Progress
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    is_interrupted: bool = False

    @property
    def exit_code(self) -> int:
        return 130 if self.is_interrupted else 1 if self.errors else 0

    def to_json(self) -> dict[str, Any]:
        told = {"notes": self.notes, "errors": self.errors, "interrupted": self.is_interrupted}
        return {**self.progress.to_json(), **told}
