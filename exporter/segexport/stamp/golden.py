"""The golden pictures of an export: which of the measured ones, how small, and what each file makes of them.

`choose_golden` picks a few pictures and asks PyTorch for their masks, once for an export; `golden_pictures` runs a finished
file on them. With both inside, `segexport verify FILE` and `Segmenter.self_test` need nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segexport.compare.reference import THRESHOLD, Reference
from segexport.pictures.files import Picture, draw_pictures
from segruntime import Segmenter
from segruntime.model_file.golden import MOST_BYTES, GoldenPicture, golden_text

Masks = npt.NDArray[np.float32]
AskPytorch = Callable[[Sequence[Picture]], Masks]

COUNT = 3
SIDES = range(112, 63, -8)  # of the long side, in pixels: below 64 a network may no longer find the person
_DRAWN, _MOST_DRAWN = 4, 32
_LEAST = 0.02
"""Of the pixels: a network for which simple shapes are nobody is shown more of them."""
_SHORTLIST = 4
_NARROW = 0.75
_ROOM = 0.9
"""A file's own masks may pack worse than PyTorch's; `golden_pictures` leaves a picture out where it is not enough."""
_NO_DIGEST = 64 * "0"  # for measuring the size


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenChoice:
    """Small frames `(h, w, 3) uint8, BGR` and PyTorch's masks of them, `(N, mh, mw) float32, 0–1`."""

    names: tuple[str, ...]
    frames: tuple[Picture, ...]
    masks: Masks


def choose_golden(reference: Reference, ask: AskPytorch, *, drawn: bool, count: int = COUNT) -> GoldenChoice:
    """Choose `count` pictures (at most 4) and make them so small that they fit into a model file.

    Wanted are pictures in which PyTorch finds a person and background, and of those the ones whose mask changes most when
    red and blue are swapped: they show a fault that most pictures hide. The first is made narrower than the network's input,
    because letterbox and stretch do the same to pictures of the input's own shape.

    Args:
        reference: the pictures that were measured, with PyTorch's masks.
        ask: frames of any size → PyTorch's masks `(N, mh, mw) float32, 0–1`; called two or three times.
        drawn: take pictures that segexport draws, whatever was measured: nobody's face ends up in a file that is shipped.
    """
    height, width = reference.frames.shape[1:3]
    known = not drawn or reference.of_drawn
    frames, masks = (list(reference.frames), reference.masks) if known else _drawn(ask, count)
    chosen = _most_telling(frames, masks, ask, count)
    small = _small_enough([frames[k] for k in chosen], masks[chosen], (height, width))
    word = "drawn" if drawn or reference.of_drawn else "picture"  # file names stay at home
    names = tuple(f"{word} {k + 1}" for k in range(len(small)))
    return GoldenChoice(names=names, frames=tuple(small), masks=ask(small))


def _drawn(ask: AskPytorch, count: int) -> tuple[list[Picture], Masks]:
    frames = draw_pictures(_MOST_DRAWN)
    first = _DRAWN if count > 1 else 1
    masks = ask(frames[:first])
    if float((masks > THRESHOLD).mean(axis=(1, 2)).max()) >= _LEAST:
        return frames[:first], masks
    return frames, np.concatenate([masks, ask(frames[first:])])


def golden_pictures(
    choice: GoldenChoice, segmenter: Segmenter, *, most: int | None = None
) -> tuple[GoldenPicture, ...]:
    """The choice, or the first `most` of it, with the masks that this file gives on this machine.

    Fewer than were chosen where its masks pack badly, none where it gives NaN.
    """
    pictures = tuple(
        GoldenPicture(name=name, frame=frame, reference=mask, made=segmenter.network_mask(frame))
        for name, frame, mask in list(zip(choice.names, choice.frames, choice.masks, strict=True))[:most]
    )
    if not all(np.isfinite(one.made).all() for one in pictures):
        return ()
    while len(pictures) > 1 and len(golden_text(pictures, _NO_DIGEST)) > MOST_BYTES:
        pictures = pictures[:-1]
    return pictures


def _most_telling(frames: Sequence[Picture], masks: Masks, ask: AskPytorch, count: int) -> list[int]:
    share = (masks > THRESHOLD).mean(axis=(1, 2))
    shortlist = np.argsort(-np.minimum(share, 1 - share), kind="stable")[: _SHORTLIST if count > 1 else 1]
    if len(shortlist) == 1:
        return [int(shortlist[0])]
    swapped = ask([np.ascontiguousarray(frames[k][:, :, ::-1]) for k in shortlist])
    by_colour = np.abs(swapped - masks[shortlist]).mean(axis=(1, 2))
    return [int(k) for k in shortlist[np.argsort(-by_colour, kind="stable")[:count]]]


def _small_enough(frames: Sequence[Picture], masks: Masks, size: tuple[int, int]) -> list[Picture]:
    """As large as fits; where even the smallest do not fit, the last ones are left out."""
    for count in range(len(frames), 0, -1):
        for side in SIDES:
            small = [_shrunk(frame, side, size, _NARROW if k == 0 else 1.0) for k, frame in enumerate(frames[:count])]
            entry = [GoldenPicture(name="", frame=f, reference=m, made=m) for f, m in zip(small, masks, strict=False)]
            if len(golden_text(entry, _NO_DIGEST)) <= _ROOM * MOST_BYTES:
                return small
    return small


def _shrunk(frame: Picture, side: int, size: tuple[int, int], narrow: float) -> Picture:
    """In the shape of the network's input, `size` (height, width), times `narrow` in width."""
    scale = min(1.0, side / max(size))
    height, width = max(1, round(size[0] * scale)), max(1, round(size[1] * scale * narrow))
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
