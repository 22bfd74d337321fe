"""Does this file give the same mask here as where it was made? Asked of the golden pictures inside it, without PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segruntime.arrays import Alpha
from segruntime.errors import GoldenError, ModelFileError
from segruntime.measures.agreement import agreement
from segruntime.model_file.contract import Contract
from segruntime.model_file.entries import model_sha256
from segruntime.model_file.golden import GoldenPicture, as_stored, read_golden
from segruntime.preprocess import Frame

ALMOST_NONE = 0.001  # of the pixels: where so few changed side, a low IoU says only that the person is small
FLOAT_PRECISIONS = ("float32", "float16")


@dataclass(frozen=True, slots=True, kw_only=True)
class SameBound:
    """What still counts as the same mask on each picture: mean difference of the probability, IoU at 0.5."""

    mean_difference: float
    mask_iou: float

    def holds(self, one: PictureTest) -> bool:
        near = one.mean_difference <= self.mean_difference
        return near and (one.iou_made >= self.mask_iou or one.changed_pixels <= ALMOST_NONE)

    def __str__(self) -> str:
        return f"IoU at least {self.mask_iou:g} and a mean difference of at most {self.mean_difference:g}"


# `python benchmarks/claims/self_test_variation.py` measures what these stand between. Float kernels differ by rounding:
# XNNPACK, LiteRT's own and its reference kernels, LiteRT 2.1 and 2.3, onnxruntime 1.23 and 1.32 with and without
# optimizations: one step of 1/255 at most, mean 0.00006, IoU 0.9999. What moves a mask more is the resize before it:
# another exact implementation rounds 11 % of the bytes to the neighbour: mean 0.003, IoU 0.989. Faults, on the picture
# that shows them most: red and blue swapped 0.010 and more, another interpolation 0.029 and more.
FLOAT_BOUND = SameBound(mean_difference=0.005, mask_iou=0.985)
# Between integer kernels every layer may round to the other side, and an output step is 1/256: XNNPACK against LiteRT's own and
# its reference kernels gives mean 0.003 and IoU 0.986 in int8, 0.007 and 0.989 with dynamic ranges; the resize 0.005 and 0.982.
QUANTIZED_BOUND = SameBound(mean_difference=0.01, mask_iou=0.97)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTest:
    """One golden picture: this device's mask against PyTorch's, and against what the file gave where it was made.

    Masks are compared as they are stored, in steps of 1/255. Differences are of the probability, 0–1, and like `changed_pixels`
    refer to the mask as made.
    """

    name: str
    iou_pytorch: float
    iou_made: float
    max_difference: float
    mean_difference: float
    changed_pixels: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """What `Segmenter.self_test` found; `str()` of it is one sentence.

    `altered`: the model's bytes are not those that made the masks. Pictures cannot show every damaged weight, so an altered
    model is never `same`, whatever its masks.
    """

    same: bool
    altered: bool
    pictures: tuple[PictureTest, ...]
    bound: SameBound

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "pictures": [asdict(one) for one in self.pictures], "sentence": str(self)}

    def __str__(self) -> str:
        made = min(one.iou_made for one in self.pictures)
        pytorch = min(one.iou_pytorch for one in self.pictures)
        ious = f"IoU {made:.4f} with it, {pytorch:.4f} with PyTorch"
        count = f"({len(self.pictures)} picture{'' if len(self.pictures) == 1 else 's'})"
        if self.same:
            return f"same mask as where it was made: {ious} {count}"
        worst = max(self.pictures, key=lambda one: one.mean_difference)
        if self.altered:
            return (
                f"not the model that the golden pictures were made with: its SHA-256 differs, it is damaged, edited or another "
                f"one; its mask here: {ious} {count}. Copy the file again, or export it again"
            )
        return (
            f"not the mask that it gave where it was made: {ious}, mean difference {worst.mean_difference:.3g} "
            f"in {worst.name!r} {count}; expected {self.bound} on each. Copy the file again, and load it without a contract "
            "or backend of your own; if it stays, update the interpreter, or take another file of the same export"
        )


def run_self_test(path: Path, contract: Contract, network_mask: Callable[[Frame], Alpha]) -> SelfTest:
    """Run the golden pictures of `path` through `network_mask`: frame → `(h, w) float32, 0–1` at the network's output size.

    Raises:
        GoldenError: the file holds no golden pictures.
        ModelFileError: they are damaged, or belong to a network of another size.
    """
    golden = read_golden(path)
    if golden is None:
        raise GoldenError(
            f"{path}: holds no golden pictures, so it cannot test itself; export the checkpoint again with this segexport, "
            "without --golden none"
        )
    bound = bound_for(contract)
    altered = model_sha256(path.read_bytes()) != golden.model_sha256
    pictures = tuple(_test(path, one, as_stored(network_mask(one.frame))) for one in golden.pictures)
    same = not altered and all(bound.holds(one) for one in pictures)
    return SelfTest(same=same, altered=altered, pictures=pictures, bound=bound)


def _test(path: Path, golden: GoldenPicture, mask: Alpha) -> PictureTest:
    if mask.shape != golden.made.shape:
        raise ModelFileError(
            f"{path}: the mask of golden picture {golden.name!r} is {golden.made.shape}, this network gives {mask.shape}; "
            "the pictures belong to another network, export it again"
        )
    made = agreement(golden.made, mask)
    return PictureTest(
        name=golden.name,
        iou_pytorch=agreement(golden.reference, mask).mask_iou,
        iou_made=made.mask_iou,
        max_difference=made.max_difference,
        mean_difference=made.mean_difference,
        changed_pixels=made.changed_pixels,
    )


def bound_for(contract: Contract) -> SameBound:
    """By the precision that the contract names; of a file without one, by the dtype of its output."""
    conversion = contract.conversion
    exact = contract.output.scale is None if conversion is None else conversion.precision in FLOAT_PRECISIONS
    return FLOAT_BOUND if exact else QUANTIZED_BOUND
