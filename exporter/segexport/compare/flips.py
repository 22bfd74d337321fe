"""Argmax flips: where rounding in another order of summing let another place win in a window of a max-pool.

A network with unpools carries the place that won, not only its value. Where two values of a window are nearly equal, any
other order of summing may put the value elsewhere, and then a few pixels differ by much more than rounding though nothing
is wrong. So flips are counted by themselves, and the file is compared once more with PyTorch making the file's choices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from segexport.convert.torch_rewrites.choice import Choice, Parts
from segexport.convert.torch_rewrites.threads import UnpoolsInOrder
from segexport.errors import ConversionError
from segexport.tflite.readable import open_readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """How many of all pools' windows chose another place than PyTorch, and what is left when PyTorch makes the same choices."""

    windows: int
    flipped: int
    max_difference: float
    """Of the probability, each making its own choices."""
    max_difference_same_choices: float
    """Of the probability, PyTorch making the file's choices: rounding alone."""
    lowering_difference: float
    """Between the network as it was and as it was rewritten, both in PyTorch: 0 unless a rewrite is wrong or averages."""
    pictures: int

    def __str__(self) -> str:
        share = self.flipped / self.windows if self.windows else 0.0
        return (
            f"{self.flipped} of {self.windows} pool windows chose another place ({share:.2g}); "
            f"with the same choices the largest difference is {self.max_difference_same_choices:.2g}"
        )


def choices_of(lowered: nn.Module) -> list[Choice]:
    """The modules in which places are chosen, in the order in which they run; none: nothing can flip."""
    return [module for module in lowered.modules() if isinstance(module, Choice)]


def audit_flips(path: Path, original: nn.Module, lowered: nn.Module, frames: npt.NDArray[np.uint8]) -> Flips:
    """Count flips of a float file (ONNX, float32, float16) and compare with the same choices.

    `original` and `lowered` are the deployable graph before and after `lower`; `frames` is `(N, H, W, 3) uint8, BGR`, of the
    size that the file takes.

    Raises:
        ConversionError: the file's choices cannot be found in it.
    """
    run = open_readable(path)
    choices = choices_of(lowered)
    rows = [_audit(path, run, original, lowered, choices, image) for image in _images(frames)]
    windows, flipped, own, same, lowering = zip(*rows, strict=True)
    return Flips(
        windows=sum(windows),
        flipped=sum(flipped),
        max_difference=max(own),
        max_difference_same_choices=max(same),
        lowering_difference=max(lowering),
        pictures=len(rows),
    )


def _audit(
    path: Path,
    run: Callable[[npt.NDArray[np.float32]], Any],
    original: nn.Module,
    lowered: nn.Module,
    choices: Sequence[Choice],
    image: npt.NDArray[np.float32],
) -> tuple[int, int, float, float, float]:
    """Windows, flipped ones, largest difference with own and with the same choices, and that of the rewriting."""
    probability, said = run(image)
    tensor = torch.from_numpy(image)
    with UnpoolsInOrder(), torch.inference_mode():
        before = original(tensor)[0, 0].numpy()
        own, ours = recorded(lowered, choices, tensor)
        theirs = _find(path, choices, ours, [torch.from_numpy(np.ascontiguousarray(array)) for array in said])
        same = injected(lowered, choices, theirs, tensor)
        flips = [_flipped(choice, a, b) for choice, a, b in zip(choices, ours, theirs, strict=True)]
    return (
        sum(flip.numel() for flip in flips),
        sum(int(flip.sum()) for flip in flips),
        _largest(own[0, 0].numpy(), probability),
        _largest(same[0, 0].numpy(), probability),
        _largest(own[0, 0].numpy(), before),
    )


def recorded(lowered: nn.Module, choices: Sequence[Choice], image: Tensor) -> tuple[Tensor, list[Parts]]:
    """What the network gives, and what was chosen on the way."""
    made: dict[int, Parts] = {}
    with ExitStack() as hooks:
        for index, choice in enumerate(choices):

            def remember(*call: Any, index: int = index) -> None:
                made[index] = call[2]  # module, arguments, result

            hooks.enter_context(_hook(choice, remember))
        out: Tensor = lowered(image)
    return out, [made[index] for index in range(len(choices))]


def injected(lowered: nn.Module, choices: Sequence[Choice], given: Sequence[Parts], image: Tensor) -> Tensor:
    """What the network gives when these places are taken for the ones that won."""
    with ExitStack() as hooks:
        for choice, parts in zip(choices, given, strict=True):
            hooks.enter_context(_hook(choice, lambda *_, parts=parts: parts))
        out: Tensor = lowered(image)
    return out


def _hook(choice: Choice, hook: Callable[..., Any]) -> Any:
    if not isinstance(choice, nn.Module):
        raise TypeError(f"{type(choice).__name__} is no torch.nn.Module, expected a choice of a lowered network")
    return choice.register_forward_hook(hook)


def _find(path: Path, choices: Sequence[Choice], ours: Sequence[Parts], said: list[Tensor]) -> list[Parts]:
    """For each of our masks the most alike of the file's: converters keep neither the order nor the names."""
    left = list(said)
    theirs = []
    for choice, parts in zip(choices, ours, strict=True):
        found = tuple(_take_most_alike(path, left, part, _could_be(choice, parts)) for part in parts)
        per_window = sum(int(part.sum()) for part in found), choice.per_window(tuple(p.float() for p in found)).numel()
        if per_window[0] != per_window[1]:
            raise ConversionError(
                f"{path.name}: {per_window[0]} places won in {per_window[1]} windows of a pool, expected one in each; "
                "the converter changed the unpool, so this file cannot be trusted"
            )
        theirs.append(found)
    return theirs


def _could_be(choice: Choice, parts: Parts) -> Callable[[Tensor], bool]:
    """Whether a comparison may be this choice: one place in each window. Of several parts that holds together only.

    Next to each choice stands the comparison it is made of, where ties let several places reach the maximum; with many flips,
    as in float16, that one may be more alike.
    """
    if len(parts) > 1:
        return lambda _: True

    def one_in_each(candidate: Tensor) -> bool:
        windows = choice.per_window((candidate.float(),))
        return int(candidate.sum()) == windows.numel() and bool((windows == 1).all())

    return one_in_each


def _take_most_alike(path: Path, left: list[Tensor], mask: Tensor, could_be: Callable[[Tensor], bool]) -> Tensor:
    there = [index for index, candidate in enumerate(left) if candidate.shape == mask.shape]
    alike = [index for index in there if could_be(left[index])] or there
    if not alike:
        raise ConversionError(
            f"{path.name}: no GREATER_EQUAL of shape {tuple(mask.shape)} (NCHW) is left for an unpool's choice; "
            "expected one for each, as segexport writes them"
        )
    return left.pop(min(alike, key=lambda index: int((left[index] != mask).sum())))


def _flipped(choice: Choice, ours: Parts, theirs: Parts) -> Tensor:
    """For each window: did another place win? `(N, C, h, w)` bool."""
    return choice.per_window(tuple((a != b).float() for a, b in zip(ours, theirs, strict=True))) > 0


def _images(frames: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
    from segruntime.model_file.contract import InputSpec
    from segruntime.preprocess import Preprocessor

    height, width = frames.shape[1:3]
    spec = InputSpec(width=width, height=height, layout="NCHW", dtype="float32", color="rgb", value_range=(0.0, 1.0))
    preprocess = Preprocessor(spec)
    return [np.asarray(preprocess(frame), np.float32).copy() for frame in frames]


def _largest(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    return float(np.abs(a - b).max())
