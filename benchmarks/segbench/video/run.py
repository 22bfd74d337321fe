"""How steady the masks of model files are over a clip, and how well they go together with those of a reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import segruntime
from segbench.console import Advance, no_progress
from segbench.errors import OptionError
from segbench.frames.clip import Clip
from segbench.frames.masking import coarse_mask, luma
from segbench.machine.describe import describe_machine
from segbench.results.header import header_of, sealed
from segbench.video.result import FORMAT, VERSION, ClipFacts, VideoResult
from segbench.video.stream import Stream
from segruntime import Segmenter
from segruntime.preprocess import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoJob:
    """One measurement: each model with each preset. No model: the bundled one. No preset: the mask of `Segmenter.alpha`."""

    clip: Path
    models: tuple[Path, ...] = ()
    presets: tuple[str, ...] = ()
    reference: Path | None = None
    backend: str | None = None
    threads: int | None = None
    frames: int | None = None

    def __post_init__(self) -> None:
        if self.frames is not None and (type(self.frames) is not int or self.frames < 1):
            raise OptionError(f"frames: got {self.frames!r}, expected a whole number from 1")


def run_video(job: VideoJob, advance: Advance = no_progress) -> VideoResult:
    """Measure the clip in one pass.

    Raises:
        SegBenchError, SegRuntimeError: a clip or model that cannot be used.
    """
    with Clip(job.clip) as clip:
        streams = _streams(job)
        total = min(filter(None, (clip.declared_frames, job.frames)), default=None)
        count = 0
        for frame in clip.frames(job.frames):
            _measure(frame, f"frame {count}", streams)
            count += 1
            advance(total)
        return _result(job, clip, count, total, streams)


def _measure(frame: Frame, what: str, streams: list[Stream]) -> None:
    gray = luma(frame)
    coarse = {
        id(one): coarse_mask(one, frame, what) for one in {id(s.segmenter): s.segmenter for s in streams}.values()
    }
    for stream in streams:
        stream.add(gray, coarse[id(stream.segmenter)])


def _streams(job: VideoJob) -> list[Stream]:
    presets: tuple[str | None, ...] = job.presets or (None,)
    models = [
        _load(job, path) for path in dict.fromkeys(job.models or (None,)) if path is None or path != job.reference
    ]
    if job.reference is None:
        return [Stream(_label(s, p, models), s, p, None) for s in models for p in presets]
    reference = segruntime.load(job.reference, threads=job.threads)
    every = [reference, *models]
    truths = {preset: Stream(_label(reference, preset, every), reference, preset, None) for preset in presets}
    compared = [Stream(_label(s, p, every), s, p, truths[p]) for s in models for p in presets]
    return [*truths.values(), *compared]


def _load(job: VideoJob, path: Path | None) -> Segmenter:
    return segruntime.load(path, backend=job.backend, threads=job.threads)


def _label(segmenter: Segmenter, preset: str | None, every: list[Segmenter]) -> str:
    is_unique = sum(one.path.name == segmenter.path.name for one in every) == 1
    name = segmenter.path.name if is_unique else str(segmenter.path)
    return name if preset is None else f"{name} {preset}"


def _result(job: VideoJob, clip: Clip, count: int, total: int | None, streams: list[Stream]) -> VideoResult:
    facts = ClipFacts(
        path=str(job.clip),
        width=clip.width,
        height=clip.height,
        fps=clip.fps,
        frames=count,
        declared_frames=clip.declared_frames,
    )
    return sealed(
        VideoResult(
            header=header_of(FORMAT, VERSION, describe_machine()),
            clip=facts,
            streams=[stream.result() for stream in streams],
            warnings=_warnings(count, total),
        )
    )


def _warnings(count: int, total: int | None) -> list[str]:
    found = []
    if count == 1:
        found.append("one frame only: flicker is a change between frames, so there is none to measure")
    if total is not None and count < total:
        found.append(f"the clip ends after {count} of {total} frames; it may be cut off")
    return found
