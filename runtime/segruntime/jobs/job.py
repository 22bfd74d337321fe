"""A job from its options to its last result: what is left is done, written down, and delivered once."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from segruntime.errors import OutputError
from segruntime.jobs.executors import ENGINES
from segruntime.jobs.feed import Feed
from segruntime.jobs.journal import Journal, Record
from segruntime.jobs.options import JobOptions, Summary
from segruntime.jobs.place import Place
from segruntime.jobs.progress import Progress
from segruntime.jobs.start import begin
from segruntime.jobs.unit import Outcome, Unit
from segruntime.jobs.worker import Work
from segruntime.run.targets import check_output
from segruntime.segmenter import default_model

Watch = Callable[[Progress], object]
Say = Callable[[str], object]
_ENCODER_THREADS = "4"  # the same on every machine, for x264's packets depend on it


def run_job(options: JobOptions, watch: Watch | None = None, say: Say = lambda _: None) -> Summary:
    """Do what is left of a job, or all of it where it is new.

    `say` takes a line for the user at the start; `watch`, after each unit, how far the job is.

    Raises:
        SegRuntimeError: see `segruntime.errors`. What was delivered stays; the same call goes on.
    """
    options = settled(options)
    run = options.run
    source, output = Path(run.source), Path(str(run.output))
    place = Place.of(output, is_folder=source.is_dir())
    has_begun = place.has_begun()
    if options.is_resumed and not has_begun and source.is_file() and output.is_file():
        say(f"{output}: is there, nothing is left to do")
        return Summary(progress=Progress.of(Record(run={"files": 1}, files=1), 0.0))
    check_output(run.output, run.source, overwrite=run.overwrite or has_begun)
    with place.held():
        if run.overwrite and not options.is_resumed:
            place.empty()
        with closing(Journal(place.state)) as journal:
            summary = Job(options, place, journal).run(watch, say)
        if source.is_file() and summary.exit_code == 0:
            place.remove()
    return summary


def settled(options: JobOptions) -> JobOptions:
    """The same with what is left open decided, so that all workers do the same."""
    run = options.run
    model = str(run.model or default_model(run.backend))
    return replace(options, run=replace(run, model=model, encoder={"threads": _ENCODER_THREADS, **run.encoder}))


class Job:
    """One start of a job, by the one process that writes its journal and gives results their names."""

    def __init__(self, options: JobOptions, place: Place, journal: Journal) -> None:
        self._options, self._place, self._journal = options, place, journal
        self._notes: dict[str, list[str]] = {}
        self._owed: Unit | None = None  # what was written down as finished, and has not got its name yet

    def run(self, watch: Watch | None, say: Say) -> Summary:
        """Until nothing is left, or the user or a full disk ends it."""
        options, record, drafts = self._options, self._journal.record, self._place.drafts
        left = begin(options, self._place, self._journal)
        if record.finished or record.failed:
            say(f"{options.run.output}: {record.files} of {record.run['files']} are done, {len(left)} left")
        self._place.sweep(self._is_kept)
        feed = Feed(left, self._journal, drafts, options.segment_s, options.run.every)
        executor = ENGINES[options.crew.engine](Work(options=options.run, drafts=drafts), options.crew)
        is_interrupted = False
        try:
            with closing(executor.run(iter(feed))) as outcomes:
                for outcome in outcomes:
                    self._take(outcome, feed)
                    self._join(feed)
                    if watch is not None:  # it counts all that failed, which may be much
                        watch(Progress.of(record, time.time()))
            self._join(feed)
        except KeyboardInterrupt:
            is_interrupted = True
        finally:
            self._deliver()  # where a signal came between its line and its name
            self._place.sweep(self._is_kept)
        return Summary(
            progress=Progress.of(record, time.time()),
            notes=[
                *feed.notes,
                *(_of_files(note, names) for note, names in self._notes.items()),
                *record.errors("skipped"),
            ],
            errors=record.errors("failed"),
            is_interrupted=is_interrupted,
        )

    def _take(self, outcome: Outcome, feed: Feed) -> None:
        """Write it down, then deliver it: in this order a result has its name only when the journal says so."""
        if outcome.is_last:
            raise OutputError(f"{outcome.error}. The same command goes on")
        unit = outcome.unit
        self._owed = unit if outcome.state == "finished" and unit.of is None else None
        self._journal.add([outcome.to_json()])
        for note in outcome.notes:
            names = self._notes.setdefault(note, [])
            names += [unit.source] if unit.source not in names else []
        if self._owed is not None:
            self._deliver()
        elif outcome.state == "finished":
            feed.videos[str(unit.of)].frames[unit.id] = outcome.frames
        elif unit.of is not None and not feed.videos[unit.of].is_given_up:
            video = feed.videos[unit.of]
            video.is_given_up = True
            self._take(replace(outcome, unit=video.video, notes=()), feed)

    def _deliver(self) -> None:
        unit = self._owed
        if unit is not None and unit.id in self._journal.record.finished and unit.draft(self._place.drafts).exists():
            self._place.deliver(unit)
        self._owed = None

    def _join(self, feed: Feed) -> None:
        """Each video whose last segment is there becomes whole."""
        for video in [video for video in feed.videos.values() if video.is_whole]:
            del feed.videos[video.video.id]
            self._take(video.joined(self._place.drafts), feed)
            if video.video.id in self._journal.record.finished:  # of the others, workers may be writing
                for part in video.parts:
                    part.draft(self._place.drafts).unlink(missing_ok=True)

    def _is_kept(self, unit: str) -> bool:
        """Whether a draft is still needed: it has no name yet, or is a segment of a video that is not whole."""
        record = self._journal.record
        return unit in record.finished and record.segments.get(unit) not in record.finished


def _of_files(note: str, names: list[str]) -> str:
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return note if note.startswith(names[0]) else f"{names[0]}{more}: {note}"
