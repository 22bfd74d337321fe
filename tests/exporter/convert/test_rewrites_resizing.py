"""Resizings that converters would take for others, against PyTorch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.exporter.golden.lively_weights import uniform
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.convert.torch_rewrites.along_axes import AlongAxes
from segexport.convert.torch_rewrites.lower import lower
from segexport.convert.torch_rewrites.resizing import BySize, Selected


class Resize(nn.Module):
    def __init__(self, **how: Any) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, **self.how)


def picture(size: tuple[int, int]) -> Tensor:
    return torch.from_numpy(uniform(f"resized {size}", (1, 3, *size), -1, 1))


SIZES = [(16, 16), (7, 13)]
MISTAKEN: list[tuple[dict[str, Any], type[nn.Module]]] = [
    ({"scale_factor": 0.7, "mode": "nearest"}, Selected),
    ({"scale_factor": (0.55, 1.7), "mode": "nearest"}, Selected),
    ({"scale_factor": 2, "mode": "nearest-exact"}, BySize),
    ({"scale_factor": 0.5, "mode": "nearest-exact"}, Selected),
    ({"size": (9, 21), "mode": "nearest-exact"}, Selected),
    ({"scale_factor": 1.7, "mode": "bilinear"}, AlongAxes),
    ({"scale_factor": 0.7, "mode": "bilinear"}, AlongAxes),
    ({"scale_factor": (0.55, 1.7), "mode": "bicubic"}, AlongAxes),
    ({"size": (3, 4), "mode": "bilinear", "antialias": True}, AlongAxes),
    ({"size": (3, 4), "mode": "bicubic", "antialias": True, "align_corners": True}, AlongAxes),
    ({"scale_factor": 0.4, "mode": "bilinear", "antialias": True}, AlongAxes),
]


@pytest.mark.parametrize(("how", "kind"), MISTAKEN)
def test_a_resizing_that_converters_would_mistake_gives_the_same_numbers(
    how: dict[str, Any], kind: type[nn.Module]
) -> None:
    for size in SIZES:
        x, module = picture(size), Resize(**how)
        lowered = lower(module, x)
        assert [(done.rewrite, done.kind) for done in lowered.rewrites] == [("resizing", "Resize")]
        rounding = 4e-6 if kind is AlongAxes else 0  # of sums of at most 16 products below 1.5
        torch.testing.assert_close(lowered.module(x), module(x), rtol=0, atol=rounding)
    kinds = {type(part) for part in lowered.module.modules()}
    assert kind in kinds or BySize in kinds  # of some sizes, the lines are those of the sizes


LEFT: list[dict[str, Any]] = [
    {"scale_factor": 2, "mode": "nearest"},
    {"scale_factor": 1.5, "mode": "nearest"},
    {"size": (7, 25), "mode": "nearest"},
    {"scale_factor": 0.5, "mode": "bilinear"},
    {"scale_factor": 0.7, "mode": "bilinear", "align_corners": True},
    {"scale_factor": 0.7, "mode": "bilinear", "recompute_scale_factor": True},
    {"size": (7, 25), "mode": "bilinear"},
    {"size": (7, 25), "mode": "bicubic"},
]


@pytest.mark.parametrize("how", LEFT)
def test_a_resizing_by_the_ratio_of_its_sizes_is_left_as_it_is(how: dict[str, Any]) -> None:
    module = Resize(**how)
    assert lower(module, picture((16, 20))).module is module


def test_half_of_an_odd_size_is_no_half() -> None:
    x, module = picture((15, 16)), Resize(scale_factor=0.5, mode="bilinear")
    lowered = lower(module, x)
    assert [done.rewrite for done in lowered.rewrites] == ["resizing"]
    torch.testing.assert_close(lowered.module(x), module(x), rtol=0, atol=1e-6)
