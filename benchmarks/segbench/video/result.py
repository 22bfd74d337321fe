"""Video results, version 1: one JSON object with every frame's values, for each model with each preset."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from segbench.machine.model import LoadedModel
from segbench.results.header import Header
from segbench.video.temporal import AgreementOverTime

FORMAT = "segedge.segbench.video"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFacts:
    """`frames`: how many were measured. `fps` and `declared_frames` as the file says, None where it does not."""

    path: str
    width: int
    height: int
    fps: float | None
    frames: int
    declared_frames: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFlicker:
    """`frame` from 0."""

    frame: int
    flicker: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceAgreement:
    """With the stream `reference`; `flicker_ratio`: the flicker over the reference's, None where that has none."""

    reference: str
    over_time: AgreementOverTime
    flicker_ratio: float | None

    def to_json(self) -> dict[str, Any]:
        return {"reference": self.reference, **asdict(self.over_time), "flicker_ratio": self.flicker_ratio}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamResult:
    """One model with one preset; `flicker` over the clip, None without a pair of frames; `…_per_frame`: raw values."""

    label: str
    model: LoadedModel
    preset: str | None
    threshold: float
    flicker: float | None
    flicker_uncompensated: float | None
    pairs: int
    pairs_left_out: int
    worst_frames: list[FrameFlicker]
    agreement: ReferenceAgreement | None
    flicker_per_frame: list[float | None]
    iou_per_frame: list[float] | None

    def to_json(self) -> dict[str, Any]:
        agreement = None if self.agreement is None else self.agreement.to_json()
        return {**asdict(self), "model": self.model.to_json(), "agreement": agreement}


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoResult:
    """What `segbench video --json` gives; the reference's streams are the first."""

    header: Header
    clip: ClipFacts
    streams: list[StreamResult]
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        streams = [one.to_json() for one in self.streams]
        return self.header.to_json({"clip": asdict(self.clip), "streams": streams, "warnings": self.warnings})
