"""How training prepared its pictures, and how a network ends: the choices, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """What training did to a picture after scaling it to 0..1: `(x - mean) / std`, then, if so, a stretch to 0..1.

    `mean` and `std` are in the order of the network's channels: with `bgr`, blue comes first.
    """

    name: str
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    minmax: bool = False
    summary: str = ""


_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

PREPROCESSING: dict[str, Preprocessing] = {
    "imagenet": Preprocessing(name="imagenet", mean=_MEAN, std=_STD, summary="ImageNet's mean and standard deviation"),
    "imagenet-minmax": Preprocessing(
        name="imagenet-minmax",
        mean=_MEAN,
        std=_STD,
        minmax=True,
        summary="imagenet, then each picture stretched to 0..1",
    ),
    "unit": Preprocessing(name="unit", summary="0..1, as ToTensor gives"),
    "symmetric": Preprocessing(name="symmetric", mean=(0.5,) * 3, std=(0.5,) * 3, summary="-1..1"),
    "none": Preprocessing(name="none", std=(1 / 255,) * 3, summary="0..255, the bytes as they are"),
}
SCALES = ("1", "255")
_LARGEST_MEAN = _LARGEST_STD = 2.0  # of what may be meant for pictures in 0..1
DEFAULT_PREPROCESSING = "imagenet"
HEADS = ("auto", "sigmoid", "softmax", "none")
"""How the network ends, in logits or a probability."""
ONE_CHANNEL, TWO_CHANNEL = OUTPUTS = ("person", "two-channel")
"""What the file gives: the person alone, or background and person."""
COLORS = ("rgb", "bgr")
GOLDEN = ("drawn", "pictures", "none")


def choose_preprocessing(
    name: str | None, mean: Sequence[float] | None, std: Sequence[float] | None, scale: str | None = None
) -> tuple[Preprocessing, str | None]:
    """The preset or the user's own mean and std; and, where something was assumed, a sentence on it.

    Args:
        scale: what `mean` and `std` are for, pictures in 0..1 ("1") or in 0..255 ("255"); None where the user did not say.

    Raises:
        ValueError: both given, only one of mean and std given, or values whose scale cannot be known.
    """
    if scale is not None and mean is None and std is None:
        raise ValueError(f"--scale {scale} says what --mean and --std are for; give them too")
    if mean is None and std is None:
        assumed = (
            None
            if name
            else f"a checkpoint does not say how it was trained: assuming --preprocess {DEFAULT_PREPROCESSING} "
            f"(others: {', '.join(k for k in PREPROCESSING if k != DEFAULT_PREPROCESSING)}, or --mean and --std)"
        )
        return PREPROCESSING[name or DEFAULT_PREPROCESSING], assumed
    if name is not None:
        raise ValueError(f"--preprocess {name} and --mean/--std exclude each other; give one of them")
    if mean is None or std is None:
        given, other = ("--std", "--mean") if mean is None else ("--mean", "--std")
        neutral = "--mean 0" if mean is None else "--std 1"
        raise ValueError(f"{given} without {other}: give both ({neutral} where training used none)")
    if min(std) <= 0:
        raise ValueError(f"--std {_listed(std)}: expected numbers above 0")
    said = None
    if scale is None:
        scale, said = _scale_of(mean, std)
    factor = float(scale)
    return Preprocessing(name="custom", mean=tuple(m / factor for m in mean), std=tuple(s / factor for s in std)), said


def _scale_of(mean: Sequence[float], std: Sequence[float]) -> tuple[str, str | None]:
    """A mean above 2 is none of pictures in 0..1; one in 0..1 is hardly one of bytes; of none the std alone says nothing."""
    if max(map(abs, mean)) > _LARGEST_MEAN:
        return "255", f"--mean {_listed(mean)} is for pictures in 0..255, so --std {_listed(std)} is taken so too"
    if max(std) <= _LARGEST_STD:
        return "1", None
    if max(map(abs, mean)) > 0:
        return (
            "1",
            f"--std {_listed(std)} is taken for pictures in 0..1, as --mean {_listed(mean)} is; else give --scale 255",
        )
    raise ValueError(
        f"--std {_listed(std)}: whether it is for pictures in 0..1 or in 0..255 cannot be known; give --scale 1 or --scale 255"
    )


def _listed(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)
