"""The files that an export makes, and how near to PyTorch each has to come."""

from __future__ import annotations

from dataclasses import dataclass, replace

from segruntime.measures.agreement import Agreement

LARGE_LOGITS = 40.0
LEAST_IOU_WHEN_RELATIVE = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a file is held to: largest difference of the probability, smallest mask IoU; None is not checked."""

    max_difference: float | None = None
    mask_iou: float | None = None
    relative_to: float | None = None

    def for_logits(self, largest: float) -> Bound:
        """The bound for a network whose logits reach `largest`.

        A converter's rounding error grows with the size of the activations, and the sigmoid passes on at most a quarter of
        it: |Δp| ≤ |Δlogit| / 4. Up to 40 the bound stands as it is (float32 cannot tell sigmoid(17) from 1); above, it grows
        in proportion, so that the error *relative to the largest logit* is what is held, and the mask has to agree as well.
        """
        if self.max_difference is None or largest <= LARGE_LOGITS:
            return self
        iou = max(self.mask_iou or 0.0, LEAST_IOU_WHEN_RELATIVE)
        return replace(
            self, max_difference=self.max_difference * largest / LARGE_LOGITS, mask_iou=iou, relative_to=largest
        )

    def holds(self, measured: Agreement) -> bool:
        near = self.max_difference is None or measured.max_difference <= self.max_difference
        return near and (self.mask_iou is None or measured.mask_iou >= self.mask_iou)

    def __str__(self) -> str:
        parts = []
        if self.max_difference is not None:
            parts.append(f"largest difference at most {self.max_difference:.3g}")
        if self.mask_iou is not None:
            parts.append(f"mask IoU at least {self.mask_iou:g}")
        if self.relative_to is not None:
            parts.append(f"relative to logits up to {self.relative_to:.3g}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """A kind of file: its suffix after the model's name, its bound, how it is made and for whom it is."""

    suffix: str
    bound: Bound
    summary: str
    calibrated: bool = False
    """Whether its ranges come from calibration pictures."""
    from_float32: bool = False
    """Whether it is made out of the float32 file."""
    exact: bool = False
    """Whether only rounding and half-precision weights part it from PyTorch, so that a few pictures tell all."""
    default: bool = True


ONNX = Precision(suffix=".onnx", bound=Bound(max_difference=1e-4), summary="float32 for onnxruntime", exact=True)
SLOW_S = 60.0
"""A file that needs longer than this for all pictures is compared on fewer, three at least; the report says on how many."""

PRECISIONS: dict[str, Precision] = {
    "float32": Precision(
        suffix="_float32.tflite",
        bound=Bound(max_difference=1e-3),
        summary="the network as it is, for TFLite",
        exact=True,
    ),
    "float16": Precision(
        suffix="_float16.tflite",
        bound=Bound(max_difference=1e-2),
        summary="half the size, float speed, GPUs like it",
        exact=True,
        from_float32=True,
    ),
    "dynamic": Precision(
        suffix="_dynamic.tflite",
        bound=Bound(mask_iou=0.95),
        summary="int8 weights, float activations; needs no pictures",
        from_float32=True,
        default=False,
    ),
    "int8": Precision(
        suffix="_int8.tflite",
        bound=Bound(mask_iou=0.95),
        summary="int8 throughout: smallest, and fastest where the processor has VNNI or is Arm's",
        calibrated=True,
        from_float32=True,
    ),
    "int16x8": Precision(
        suffix="_int16x8.tflite",
        bound=Bound(mask_iou=0.95),
        summary="int16 activations, int8 weights: exact, small, and slow on CPUs",
        calibrated=True,
        from_float32=True,
        default=False,
    ),
}
