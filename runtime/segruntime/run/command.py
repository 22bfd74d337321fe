"""One run of `segrun`, from its options to its statistics."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segruntime.errors import OptionError, OutputError
from segruntime.picture_files import SUFFIXES
from segruntime.refine import Refiner
from segruntime.run.backgrounds import Backdrop, VideoBackdrop, parse_backdrop
from segruntime.run.camera_source import CameraSource
from segruntime.run.live_sinks import Preview
from segruntime.run.pipeline import Overlap
from segruntime.run.signals import handled
from segruntime.run.stages import Finish, Mode, Network
from segruntime.run.statistics import Statistics, shares
from segruntime.run.still_source import StillSource
from segruntime.run.targets import Sink, check_output, still_sink, video_sink
from segruntime.run.video_source import VideoSource, join_sound
from segruntime.segmenter import Segmenter, default_threads, load

STAGES = ("decode", "network", "composite", "encode")
Source = StillSource | VideoSource | CameraSource


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """`segrun`'s words as they were typed; `encoder`: settings of the video codec as ffmpeg names them."""

    source: str
    output: str | None = None
    background: str = "blur"
    preset: str = "balanced"
    model: str | None = None
    backend: str | None = None
    threads: int | None = None
    every: int = 1
    light_wrap: float = 0.0
    preview: bool = False
    overwrite: bool = False
    camera_size: tuple[int, int] | None = None
    encoder: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.output is None and not self.preview:
            raise OptionError("output: got none, expected -o OUTPUT, or --preview to look at it in a window")
        if self.every < 1:
            raise OptionError(f"every: got {self.every}, expected 1 or more: the network runs every N frames")

    @property
    def mode(self) -> Mode:
        if self.background == "transparent":
            return "transparent"
        return "alpha" if self.background == "alpha" else "replaced"


Watch = Callable[[int], None]


def run(options: RunOptions, started: Callable[[int | None], Watch] | None = None) -> Statistics:
    """Read, mask, compose and write until the input ends or the user stops it.

    `started(frames)` is called with the number of frames, where it is known; what it returns, with the count of each
    frame that is done.

    Raises:
        SegRuntimeError: see `segruntime.errors`; nothing half-written is left.
    """
    check_output(options.output, options.source, overwrite=options.overwrite)
    backdrop = parse_backdrop(options.background) if options.mode == "replaced" else None
    refiner = Refiner(options.preset)
    source = open_source(options)
    try:
        sink = _sink(options, source)
        try:
            return _run(options, source, sink, backdrop, refiner, started)
        except BaseException:
            sink.abandon()
            raise
    finally:
        source.close()


def open_source(options: RunOptions) -> Source:
    """The input by its name: a number or `/dev/video*` is a camera, a folder or a picture's ending a still, else a video."""
    name = options.source
    path = Path(name)
    if name.isdecimal() and not path.exists():
        return CameraSource(int(name), options.camera_size)
    if name.startswith("/dev/video"):
        return CameraSource(name, options.camera_size)
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        return StillSource(path)
    return VideoSource(name)


def _sink(options: RunOptions, source: Source) -> Sink:
    if isinstance(source, StillSource):
        return still_sink(source, options.output, options.mode, overwrite=options.overwrite)
    return video_sink(source.facts, options.output, options.mode, overwrite=options.overwrite, encoder=options.encoder)


def _run(
    options: RunOptions,
    source: Source,
    sink: Sink,
    backdrop: Backdrop | None,
    refiner: Refiner,
    started: Callable[[int | None], Watch] | None,
) -> Statistics:
    threads = network_threads(source) if options.threads is None else options.threads
    segmenter = load(options.model, backend=options.backend, threads=threads)
    if isinstance(backdrop, VideoBackdrop) and not isinstance(source, StillSource):
        backdrop = backdrop.in_time_of(source.facts.time_base)
    finish = Finish(refiner, options.mode, backdrop, sink.canvas, options.light_wrap)
    overlap = overlapped(source, segmenter, finish, options.every)
    preview = Preview(options.mode) if options.preview else None
    expected = expected_frames(source)
    tally = Tally(watch=started(expected) if started else None)
    stopped_by: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        """The first ends the input and lets the rest finish; the second ends everything."""
        if stopped_by:
            raise KeyboardInterrupt
        stopped_by.append(number)
        overlap.stop()

    begin = time.perf_counter()
    with handled(on_signal, signal.SIGINT, signal.SIGTERM), closing(preview) if preview else nullcontext():
        for finished in overlap:
            tally.timed(sink.write, finished)
            tally.count(finished.age)
            if preview is not None and not preview.show(finished):
                overlap.stop()
        if tally.frames == 0:
            raise OutputError("stopped before the first frame was done; nothing was written")
        tally.timed(sink.finish, () if isinstance(source, StillSource) else source.trailing_sound())
    return Statistics(
        frames=tally.frames,
        seconds=time.perf_counter() - begin,
        stage_shares=shares([*STAGES], [*overlap.busy_s, tally.busy_s]),
        mask_age_mean=tally.ages / tally.frames,
        mask_age_max=tally.oldest,
        flicker=finish.flicker.value,
        broken=source.broken,
        dropped=overlap.dropped,
        interrupted=bool(stopped_by),
        unplugged=isinstance(source, CameraSource) and source.cut is not None,
        output=options.output,
        notes=[*sink.notes, *_problems(source, tally.frames)],
    )


def network_threads(source: Source) -> int:
    """How many threads the network gets: all cores, but half of them where a decoder and an encoder work next to it."""
    is_file = isinstance(source, VideoSource) and not source.facts.is_live
    return max(1, default_threads() // 2) if is_file else default_threads()


def overlapped(source: Source, segmenter: Segmenter, finish: Finish, every: int = 1) -> Overlap:
    """The pipeline up to the encoder."""
    is_live = not isinstance(source, StillSource) and source.facts.is_live
    return Overlap(source, [Network(segmenter, every), finish], newest_wins=join_sound if is_live else None)


def expected_frames(source: Source) -> int | None:
    """How many frames there will be, where that is known."""
    return len(source.paths) if isinstance(source, StillSource) else source.facts.frames


@dataclass(slots=True)
class Tally:
    """What is counted while the frames go by."""

    watch: Watch | None
    frames: int = 0
    ages: int = 0
    oldest: int = 0
    busy_s: float = 0.0

    def timed(self, call: Callable[[Any], None], argument: Any) -> None:
        start = time.perf_counter()
        call(argument)
        self.busy_s += time.perf_counter() - start

    def count(self, age: int) -> None:
        self.frames += 1
        self.ages += age
        self.oldest = max(self.oldest, age)
        if self.watch is not None:
            self.watch(self.frames)


def _problems(source: Source, frames: int) -> list[str]:
    if isinstance(source, StillSource):
        return source.problems
    return [] if source.cut is None else [f"the input ends early ({source.cut}); {frames} frames were done"]
