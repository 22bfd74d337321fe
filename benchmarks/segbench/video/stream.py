"""What is measured of one model file with one preset, over a clip."""

from __future__ import annotations

from segbench.frames.masking import Masker
from segbench.machine.model import describe_model
from segbench.video.result import FrameFlicker, ReferenceAgreement, StreamResult
from segbench.video.temporal import TemporalAgreement
from segruntime import Segmenter
from segruntime.arrays import Alpha
from segruntime.measures.flicker import FlickerMeter, Gray

_WORST_PAIRS = 5


class Stream:
    """The masks of one model file and preset; compared with those of `reference` where there is one."""

    def __init__(self, label: str, segmenter: Segmenter, preset: str | None, reference: Stream | None) -> None:
        self.label = label
        self.segmenter = segmenter
        self.alpha: Alpha | None = None
        self.flicker: list[float | None] = []
        self._masker = Masker(preset)
        self._meter = FlickerMeter()
        self._reference = reference
        self._agreement = _agreement(self, reference)

    def add(self, gray: Gray, coarse: Alpha) -> None:
        """The next frame's luma `(H, W) uint8` and the network's mask of it; the reference's stream has had it already."""
        self.alpha = self._masker.soft_mask(coarse, gray)
        pair = self._meter.add(gray, self.alpha)
        self.flicker.append(None if pair is None else pair.value)
        if self._agreement is not None and self._reference is not None and self._reference.alpha is not None:
            self._agreement.add(self.alpha, self._reference.alpha)

    def result(self) -> StreamResult:
        """What was measured until now."""
        meter = self._meter
        return StreamResult(
            label=self.label,
            model=describe_model(self.segmenter),
            preset=self._masker.preset,
            threshold=self.segmenter.contract.threshold,
            flicker=meter.value,
            flicker_uncompensated=meter.uncompensated,
            pairs=meter.pairs,
            pairs_left_out=meter.left_out,
            worst_frames=self._worst_frames(),
            agreement=self._with_reference(),
            flicker_per_frame=self.flicker,
            iou_per_frame=None if self._agreement is None else self._agreement.ious,
        )

    def _worst_frames(self) -> list[FrameFlicker]:
        measured = [(value, frame) for frame, value in enumerate(self.flicker) if value is not None]
        return [
            FrameFlicker(frame=frame, flicker=value) for value, frame in sorted(measured, reverse=True)[:_WORST_PAIRS]
        ]

    def _with_reference(self) -> ReferenceAgreement | None:
        if self._agreement is None or self._reference is None:
            return None
        own, other = self._meter.value, self._reference._meter.value
        ratio = own / other if own is not None and other else None
        label, over_time = self._reference.label, self._agreement.found()
        return ReferenceAgreement(reference=label, over_time=over_time, flicker_ratio=ratio)


def _agreement(stream: Stream, reference: Stream | None) -> TemporalAgreement | None:
    if reference is None:
        return None
    return TemporalAgreement(stream.segmenter.contract.threshold, reference.segmenter.contract.threshold)
