"""A file whose masks are nobody's is told in one line, and one that finds what the reference finds is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segexport.compare import FileMasks, emptiness
from segexport.compare.reference import Reference
from segruntime.model_file.contract import EXAMPLE

SIDE, COUNT = 20, 4


def reference(share: float) -> Reference:
    """Masks of which the upper rows, this share of them, are the person."""
    masks = np.full((COUNT, SIDE, SIDE), 0.1, np.float32)
    masks[:, : round(share * SIDE)] = 0.9
    frames = np.zeros((COUNT, SIDE, SIDE, 3), np.uint8)
    return Reference(frames=frames, masks=masks, names=("a", "b", "c", "d"), largest_logit=4.0)


def ran(masks: Any, places: tuple[int, ...] = (0, 1, 2, 3)) -> FileMasks:
    shaped = np.broadcast_to(np.asarray(masks, np.float32), (len(places), SIDE, SIDE))
    return FileMasks(
        name="net_int8.tflite", contract=EXAMPLE, masks=shaped, places=places, invoke_ms=(1.0,) * len(places)
    )


def test_masks_like_the_references_are_not_told() -> None:
    assert emptiness(ran(reference(0.5).masks), reference(0.5)) is None


@pytest.mark.parametrize(("value", "said"), [(0.2, "finds nobody"), (0.8, "takes everything for the person")])
def test_masks_without_anybody_or_full_of_them_are_one_line(value: float, said: str) -> None:
    told = emptiness(ran(value), reference(0.25))
    assert told is not None
    assert told.startswith(f"net_int8.tflite: {said} on all 4 pictures, where PyTorch's masks hold 25% of the pixels;")
    assert "look at the ranges" in told
    assert "\n" not in told


@pytest.mark.parametrize(("value", "share"), [(0.2, 0.0), (0.8, 1.0)])
def test_where_the_reference_finds_the_same_the_file_is_right(value: float, share: float) -> None:
    assert emptiness(ran(value), reference(share)) is None


def test_one_picture_with_somebody_is_enough() -> None:
    masks = np.full((COUNT, SIDE, SIDE), 0.2, np.float32)
    masks[3] = reference(0.5).masks[3]
    assert emptiness(ran(masks), reference(0.5)) is None


def test_only_the_pictures_that_the_file_saw_are_compared() -> None:
    """On the two that it saw nobody is there."""
    wanted = reference(0.5)
    wanted.masks[:2] = 0.1
    assert emptiness(ran(0.2, places=(0, 1)), wanted) is None
    told = emptiness(ran(0.2, places=(2,)), wanted)
    assert told is not None
    assert "finds nobody on the one picture, " in told


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_one_line_with_how_many_pictures(broken: float) -> None:
    masks = reference(0.5).masks.copy()
    masks[2, 3, 4] = broken
    told = emptiness(ran(masks), reference(0.5))
    assert told is not None
    assert told.startswith("net_int8.tflite: gives NaN or infinite values on 1 of 4 pictures, PyTorch none;")
    assert "\n" not in told
