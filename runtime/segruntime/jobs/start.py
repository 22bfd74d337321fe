"""The start of a job: is it the same as before, what is left of it, and is anything in its way?"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import gethostname
from typing import Any

import segruntime
from segruntime.errors import OutputError, PictureError
from segruntime.jobs.journal import FORMAT, Journal
from segruntime.jobs.options import JobOptions
from segruntime.jobs.place import Place
from segruntime.jobs.plan import Names, foreign_kind, units_of, what_it_is
from segruntime.jobs.unit import Outcome, Unit, digest
from segruntime.run.video.av_library import require_av


def begin(options: JobOptions, place: Place, journal: Journal) -> list[Unit]:
    """The units that are left, after what had no name yet has got it, and the journal knows of this start.

    Raises:
        OutputError: the options or the model are others than before, or results are there that are not the job's.
        PictureError: there is nothing to do. MissingExtraError: PyAV is not installed, and there are videos.
    """
    source, what = Path(options.run.source), what_it_is(options.run, options.segment_s)
    header = {"segrun": FORMAT, "version": segruntime.__version__, "source": str(source.resolve()), "options": what}
    _check_same(options, journal, header)
    found = Found()
    for unit in units_of(source, digest(json.dumps(what, sort_keys=True))):
        found.take(unit, place, journal)
    left = _named(found.left, options, journal)
    if not found.files and not found.passed_over:
        raise PictureError(f"{source}: no picture in it and no video, expected a folder of them; check it")
    if not options.run.overwrite:
        _check_free(left, place, journal)
    if any(not unit.is_quick for unit in left):
        require_av()
    head = [] if journal.record.header else [header]
    journal.add([*head, _run_line(options, found, left), *found.passed_over])
    return left


@dataclass(slots=True)
class Found:
    """What a listing holds: how many files can be done and how many of them are, those that are left, lines of the others."""

    files: int = 0
    done: int = 0
    left: list[Unit] = field(default_factory=list)
    passed_over: list[dict[str, Any]] = field(default_factory=list)

    def take(self, unit: Unit, place: Place, journal: Journal) -> None:
        kind = foreign_kind(unit)
        if kind is not None:
            error = f"{unit.source}: is {kind}, which is not read; convert it first"
            self.passed_over.append(Outcome(unit=unit, state="skipped", error=error).to_json())
            return
        self.files += 1
        name = journal.record.finished.get(unit.id)
        if name is not None and (os.path.exists(place.path(name)) or _delivered(replace(unit, name=name), place)):
            self.done += 1
        else:
            self.left.append(unit)


def _check_same(options: JobOptions, journal: Journal, job: dict[str, Any]) -> None:
    if not journal.record.header:
        return
    before, now = ({"input": one["source"], **one["options"]} for one in (journal.record.header, job))
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            raise OutputError(
                f"{options.run.output}: holds a job with another {name.replace('_', ' ')}: {_short(before.get(name))}, now "
                f"{_short(now.get(name))}; give the same to go on, --overwrite to begin anew, or another -o"
            )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:20]}…{text[-57:]}"


def _named(left: Sequence[Unit], options: JobOptions, journal: Journal) -> list[Unit]:
    """Each with the name of its result: the one that it had before, or a new one."""
    source, record = Path(options.run.source), journal.record
    if source.is_file():
        return [replace(unit, name=Path(str(options.run.output)).name) for unit in left]
    names = Names(source, record.results() if left else (), options.run.mode)
    return [replace(unit, name=record.finished.get(unit.id) or names(unit)) for unit in left]


def _delivered(unit: Unit, place: Place) -> bool:
    """Whether only that was left to do of a unit that was finished: its draft gets its name."""
    if not unit.draft(place.drafts).exists():
        return False
    place.deliver(unit)
    return True


def _check_free(left: Iterable[Unit], place: Place, journal: Journal) -> None:
    there = [unit for unit in left if os.path.exists(place.path(unit.name))]
    ours = journal.record.results() if there else set()
    taken = [unit for unit in there if unit.name not in ours]
    if taken:
        more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
        raise OutputError(
            f"{place.path(taken[0].name)}{more}: is there already, and not of this job; add --overwrite to replace it, "
            "or choose another name with -o"
        )


def _run_line(options: JobOptions, found: Found, left: Sequence[Unit]) -> dict[str, Any]:
    weights: Counter[str] = Counter()
    for unit in left:
        weights[unit.kind] += unit.size_bytes
    crew = {"engine": options.crew.engine, "workers": options.crew.workers}
    began = {"began": round(time.time(), 3), "host": gethostname(), "process": os.getpid()}
    files = found.files + len(found.passed_over)
    return {**began, **crew, "files": files, "done": found.done, "left_bytes": dict(weights)}
