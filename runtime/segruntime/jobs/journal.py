"""`job.jsonl`: what a job is, and one line for each unit that is finished, failed or skipped; appended and synced.

Written by one process, the one that holds the lock; read once by who goes on, and by `segrun status` at any time. A line is
written before its result gets its name: a file that has no line is not the job's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segruntime.errors import OutputError

FORMAT = 1
JOURNAL = "job.jsonl"


@dataclass(slots=True)
class Totals:
    """Of units that were finished: how many, their frames, the seconds of workers, the bytes of input."""

    units: int = 0
    frames: int = 0
    seconds: float = 0.0
    source_bytes: int = 0

    def add(self, line: dict[str, Any]) -> None:
        self.units += 1
        self.frames += line.get("frames", 0)
        self.seconds += line.get("seconds", 0.0)
        self.source_bytes += line.get("source_bytes", 0)


@dataclass(slots=True)
class Record:
    """What the lines say: the job (`header`), its last start (`run`), and the last word on each unit by its id.

    `finished`: the name of the result. `failed`: since the last start, the line. `files`: how many of the input are done.
    `spans`: how a video was cut. `segments`: of a segment that is finished, its video; `frames` of it. `all`, `latest`: since
    the job began; since its last start, for pictures and for videos.
    """

    header: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    finished: dict[str, str] = field(default_factory=dict)
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: int = 0
    spans: dict[str, list[Any]] = field(default_factory=dict)
    segments: dict[str, str] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    all: Totals = field(default_factory=Totals)
    latest: dict[str, Totals] = field(default_factory=dict)

    def take(self, line: dict[str, Any]) -> None:
        """One line more."""
        if "segrun" in line:
            self.header = line
        elif "began" in line:
            self.run, self.files, self.failed, self.latest = line, line["done"], {}, {}
        elif "cut" in line:
            self.spans[line["cut"]] = line["spans"]
        else:
            self._take_unit(line)

    def results(self) -> set[str]:
        """The names of what was delivered; a segment's is that of its video, which need not be."""
        return {name for unit, name in self.finished.items() if unit not in self.segments}

    def errors(self, state: str) -> list[str]:
        """What is said of each file that failed, or was skipped."""
        return [line["error"] for line in self.failed.values() if line["state"] == state and "of" not in line]

    def _take_unit(self, line: dict[str, Any]) -> None:
        unit = line["id"]
        for told in (self.failed, self.finished, self.segments):
            told.pop(unit, None)
        if line["state"] != "finished":
            self.failed[unit] = line
            return
        self.finished[unit] = line["name"]
        if "of" in line:
            self.segments[unit], self.frames[unit] = line["of"], line["frames"]
        else:
            self.files += 1
        if not line.get("joined"):  # its segments were counted
            for tally in (self.all, self.latest.setdefault(line["kind"], Totals())):
                tally.add(line)


class Journal:
    """Appends lines; `record` is what they say so far."""

    def __init__(self, folder: Path) -> None:
        """Read what is there, and drop a last line that was torn.

        Raises:
            OutputError: it cannot be read or written, or is not this version's.
        """
        self.path = folder / JOURNAL
        try:
            folder.mkdir(exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            self.record, whole = read_record(self.path)
            os.ftruncate(self._file, whole)
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be written ({error.strerror or error}); choose another folder"
            ) from error

    def add(self, lines: Iterable[dict[str, Any]]) -> None:
        """Append lines, and wait until they are on the disk.

        Raises:
            OutputError: the disk is full.
        """
        lines = list(lines)
        text = "".join(json.dumps(line) + "\n" for line in lines).encode()
        try:
            while text:
                text = text[os.write(self._file, text) :]
            os.fsync(self._file)
        except OSError as error:
            raise OutputError(f"{self.path}: writing failed ({error.strerror}); free some space") from error
        for line in lines:
            self.record.take(line)

    def close(self) -> None:
        os.close(self._file)


def read_record(path: Path) -> tuple[Record, int]:
    """What a journal says, and how many of its bytes are whole lines; nothing where there is none.

    Raises:
        OutputError: it is of another version, or damaged in the middle. OSError: it cannot be read.
    """
    record, whole = Record(), 0
    for number, text in enumerate(_lines(path), 1):
        if not text.endswith(b"\n"):
            break
        try:
            record.take(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise OutputError(
                f"{path}: line {number} is damaged, expected a line of JSON as segrun writes it; "
                "--overwrite begins the job anew"
            ) from error
        if record.header.get("segrun") != FORMAT:
            raise OutputError(
                f"{path}: is of format {str(record.header.get('segrun'))[:20]}, expected {FORMAT}; "
                "go on with the segrun that began it, or begin anew with --overwrite"
            )
        whole += len(text)
    return record, whole


def _lines(path: Path) -> Iterator[bytes]:
    if path.is_file():
        with path.open("rb") as file:
            yield from file
