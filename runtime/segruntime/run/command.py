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
from segruntime.picture_files import SUFFIXES, kind_of
from segruntime.picture_files.kinds import FOREIGN
from segruntime.refine import Refiner
from segruntime.run.backgrounds import parse_backdrop
from segruntime.run.live.camera import CameraSource
from segruntime.run.live.sinks import Preview
from segruntime.run.pictures.animated.source import AnimationSource
from segruntime.run.pictures.source import StillSource, not_read
from segruntime.run.pipeline import Overlap
from segruntime.run.signals import handled
from segruntime.run.source import FrameSource, VideoFacts, join_packets
from segruntime.run.stages import Finish, Mode, Network
from segruntime.run.statistics import Statistics, shares
from segruntime.run.targets import Sink, check_output, segment_sink, still_sink, video_sink, wants_planes
from segruntime.run.video.pixels import Hdr, PixelOptions
from segruntime.run.video.source import VideoSource
from segruntime.run.video.span import Span
from segruntime.segmenter import Segmenter, default_threads, load

STAGES = ("decode", "network", "composite", "encode")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """`segrun`'s words as they were typed; `encoder`: settings of the video codec as ffmpeg names them.

    `hdr`: whether a video's HDR and its 10 bits are kept. `keep_alpha`: whether an input's own transparency is.

    With `span` only that part of a video is done, and the output is a segment for `segruntime.jobs.join`.
    """

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
    hdr: Hdr = "sdr"
    keep_alpha: bool = False
    span: Span | None = None

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
Started = Callable[[int | None], Watch]


def run(options: RunOptions, started: Started | None = None, segmenter: Segmenter | None = None) -> Statistics:
    """Read, mask, compose and write until the input ends or the user stops it.

    `started(frames)` is called with the number of frames, where it is known; what it returns, with the count of each
    frame that is done. `segmenter`: one that is loaded already.

    Raises:
        SegRuntimeError: see `segruntime.errors`; nothing half-written is left.
    """
    check_output(options.output, options.source, overwrite=options.overwrite)
    finish = finish_of(options)
    source = open_source(options)
    try:
        sink = _sink(options, source.facts)
        try:
            finish.canvas = sink.canvas
            first = options.span.first if options.span else 0
            network = Network(segmenter or _segmenter(options, source), options.every, first)
            return _run(options, source, sink, (network, finish), started)
        except BaseException:
            sink.abandon()
            raise
    finally:
        source.close()


def open_source(options: RunOptions) -> FrameSource:
    """The input by its name: a number or `/dev/video*` is a camera, a picture's ending a still, else a video."""
    name = options.source
    path = Path(name)
    if name.isdecimal() and not path.exists():
        return CameraSource(int(name), options.camera_size)
    if name.startswith("/dev/video"):
        return CameraSource(name, options.camera_size)
    if path.is_dir():
        raise OptionError(f"{name}: is a folder, expected one input; a folder is for segruntime.jobs.job.run_job")
    if path.suffix.lower() in FOREIGN:
        raise not_read(path)
    if path.suffix.lower() in SUFFIXES:
        if kind_of(path) == "animation" and wants_planes(options.output):
            return AnimationSource(path, keep_alpha=options.keep_alpha)
        return StillSource(path, keep_alpha=options.keep_alpha)
    only_mask = options.mode == "alpha"
    hdr: Hdr = "sdr" if only_mask else options.hdr
    pixels = PixelOptions(hdr=hdr, alpha=options.keep_alpha, only_mask=only_mask)
    return VideoSource(name, span=options.span, pixels=pixels)


def _sink(options: RunOptions, facts: VideoFacts | None) -> Sink:
    output, mode, overwrite = options.output, options.mode, options.overwrite
    if facts is None:
        moves = kind_of(Path(options.source)) == "animation"
        return still_sink(output, mode, moves=moves, overwrite=overwrite)
    if options.span is not None:
        return segment_sink(facts, str(output), mode, options.encoder, options.span)
    return video_sink(facts, output, mode, overwrite=overwrite, encoder=options.encoder)


def finish_of(options: RunOptions) -> Finish:
    """The last stage, for an output that has no memory of its own for pictures.

    Raises:
        OptionError, PictureError, VideoError: the background cannot be used.
    """
    origin = options.span.origin if options.span else None
    backdrop = parse_backdrop(options.background, origin, options.hdr) if options.mode == "replaced" else None
    return Finish(Refiner(options.preset), options.mode, backdrop, options.light_wrap)


def _segmenter(options: RunOptions, source: FrameSource) -> Segmenter:
    threads = network_threads(source) if options.threads is None else options.threads
    return load(options.model, backend=options.backend, threads=threads)


def _run(
    options: RunOptions, source: FrameSource, sink: Sink, stages: tuple[Network, Finish], started: Started | None
) -> Statistics:
    _, finish = stages
    newest_wins = join_packets if source.is_live else None
    overlap = Overlap(source, stages, newest_wins=newest_wins)
    preview = Preview(options.mode) if options.preview else None
    tally = Tally(watch=started(source.frames) if started else None)
    stop = Stop(overlap)
    begin = time.perf_counter()
    with handled(stop, signal.SIGINT, signal.SIGTERM), closing(preview) if preview else nullcontext():
        for finished in overlap:
            if finished.frame.is_warm_up:
                continue
            tally.timed(sink.write, finished)
            tally.count(finished.age)
            if preview is not None and not preview.show(finished):
                overlap.stop()
        if tally.frames == 0:
            raise OutputError("stopped before the first frame was done; nothing was written")
        tally.timed(sink.finish, source.trailing_packets())
    return Statistics(
        frames=tally.frames,
        seconds=time.perf_counter() - begin,
        stage_shares=shares([*STAGES], [*overlap.busy_s, tally.busy_s]),
        mask_age_mean=tally.ages / tally.frames,
        mask_age_max=tally.oldest,
        flicker=finish.flicker.value,
        broken=source.broken,
        dropped=overlap.dropped,
        interrupted=stop.asked,
        unplugged=source.unplugged,
        output=options.output,
        notes=[*sink.notes, *source.problems(tally.frames)],
    )


def network_threads(source: FrameSource) -> int:
    """How many threads the network gets: all cores, but half of them where a decoder and an encoder work next to it."""
    is_file = source.facts is not None and not source.is_live
    return max(1, default_threads() // 2) if is_file else default_threads()


class Stop:
    """For signals: the first ends the input and lets the rest finish, a second one ends everything."""

    def __init__(self, overlap: Overlap) -> None:
        self.asked = False
        self._overlap = overlap

    def __call__(self, _number: int, _frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self._overlap.stop()


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
