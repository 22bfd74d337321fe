"""Padded max-pools and adaptive average pools against PyTorch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.exporter.golden.lively_weights import uniform
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.rewrites.adaptive_avg_pool import FixedAvgPool, bins_of
from segexport.rewrites.lower import lower
from segexport.rewrites.padded_max_pool import PaddedMaxPool

SIZES = [(1, 1), (1, 7), (2, 2), (13, 8), (112, 111)]
# kernel, stride, padding, dilation, ceil_mode
SETTINGS = [
    ((3, 3), (2, 2), (1, 1), (1, 1), False),
    ((3, 3), (1, 1), (1, 1), (1, 1), False),
    ((2, 2), (2, 2), (1, 1), (1, 1), False),
    ((5, 3), (2, 1), (2, 0), (1, 1), False),
    ((3, 3), (2, 2), (1, 1), (1, 1), True),
    ((3, 3), (3, 3), (0, 0), (1, 1), True),
    ((2, 2), (3, 3), (1, 1), (1, 1), True),
]
DILATED = ((3, 3), (1, 1), (1, 1), (2, 2), False)


class Before(nn.Module):
    """An activation, then a pool."""

    def __init__(self, activation: nn.Module, pool: nn.Module) -> None:
        super().__init__()
        self.activation, self.pool = activation, pool

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pool(self.activation(x))
        return out


def values(kind: str, size: tuple[int, int]) -> Tensor:
    spread = torch.from_numpy(uniform(f"{kind} {size}", (2, 3, *size), -1, 1))
    return {
        "spread": spread,
        "negative": -spread.abs() - 1,
        "zeros": torch.zeros_like(spread),
        "ties": torch.round(2 * spread),
        "tiny": spread * 1e-40,
    }[kind]


def differing(x: Tensor, settings: list[Any], *, zeros: bool) -> tuple[list[Any], int]:
    """The settings whose rewrite gives other numbers than PyTorch, and how many PyTorch takes at this size."""
    wrong, taken = [], 0
    for kernel, stride, padding, dilation, ceil_mode in settings:
        try:
            expected = F.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
        except RuntimeError:
            continue  # too small for PyTorch
        taken += 1
        size = (x.shape[2], x.shape[3])
        out = PaddedMaxPool(size, kernel, stride, padding, dilation, ceil_mode=ceil_mode, zeros=zeros)(x)
        if not torch.equal(out, expected):
            wrong.append((kernel, stride, padding, dilation, ceil_mode))
    return wrong, taken


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["spread", "negative", "zeros", "ties", "tiny"])
def test_max_pool_by_continued_edges_is_the_one_with_minus_infinity(kind: str, size: tuple[int, int]) -> None:
    wrong, taken = differing(values(kind, size), SETTINGS, zeros=False)
    assert wrong == []
    assert taken >= 3


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["spread", "zeros", "ties", "tiny"])
def test_max_pool_of_nothing_below_zero_by_zeros_is_the_one_with_minus_infinity(
    kind: str, size: tuple[int, int]
) -> None:
    wrong, taken = differing(F.relu(values(kind, size)), [*SETTINGS, DILATED], zeros=True)
    assert wrong == []
    assert taken >= 3


@pytest.mark.parametrize(
    ("activation", "zeros"),
    [
        (nn.ReLU6(), True),
        (nn.Sigmoid(), True),
        (nn.Softmax(1), True),
        (nn.Hardtanh(0, 1), True),
        (nn.Sequential(nn.ReLU(), nn.Dropout(), nn.AvgPool2d(1)), True),
        (nn.Sequential(nn.ReLU(), nn.MaxPool2d(1), nn.Upsample(scale_factor=1)), True),
        (nn.Hardtanh(), False),
        (nn.LeakyReLU(), False),
        (nn.SiLU(), False),
        (nn.Hardswish(), False),
        (nn.Sequential(nn.ReLU(), nn.Conv2d(3, 3, 1)), False),
        (nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)), False),
    ],
)
def test_zeros_are_padded_only_where_nothing_can_be_below(activation: nn.Module, *, zeros: bool) -> None:
    x = values("spread", (7, 8))
    with torch.no_grad():
        expected = F.max_pool2d(activation.eval()(x), 3, 2, 1)
        lowered = lower(Before(activation, nn.MaxPool2d(3, 2, 1)).eval(), x)
        out = lowered.module(x)
    (rewrite,) = (module for module in lowered.module.modules() if isinstance(module, PaddedMaxPool))
    assert rewrite.zeros == zeros
    assert torch.equal(out, expected)


def test_a_ceiling_of_a_network_is_rewritten() -> None:
    x = values("spread", (7, 8))
    pool = nn.MaxPool2d(2, 2, ceil_mode=True)
    lowered = lower(pool, x)
    assert [done.rewrite for done in lowered.rewrites] == ["padded_max_pool"]
    assert torch.equal(lowered.module(x), pool(x))


def test_a_dilated_pool_of_signed_values_is_left_as_it_is() -> None:
    """Its windows skip lines, so the edge's values need not be in them."""
    pool = nn.MaxPool2d(3, 1, padding=1, dilation=2)
    assert lower(pool, values("spread", (9, 9))).module is pool


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("target", [(1, 1), (2, 2), (3, 3), (6, 6), (4, 7), (14, 14), (8, 12), (16, 24), (20, 5)])
@pytest.mark.parametrize("size", [(8, 12), (7, 13), (14, 14), (1, 3)])
def test_average_to_any_size_is_pytorchs(size: tuple[int, int], target: tuple[int, int], dtype: torch.dtype) -> None:
    x = values("spread", size).to(dtype)
    rounding = 8 * torch.finfo(dtype).eps  # of sums of at most 196 numbers below 1, in another order
    out, expected = FixedAvgPool(size, target)(x), F.adaptive_avg_pool2d(x, target)
    torch.testing.assert_close(out, expected, rtol=rounding, atol=rounding)


def test_bins_are_those_of_the_documentation() -> None:
    # start = floor(i * size / bins), end = ceil((i + 1) * size / bins)
    assert bins_of(7, 3) == [(0, 3), (2, 3), (4, 3)]
    assert bins_of(2, 3) == [(0, 1), (0, 2), (1, 1)]
    assert bins_of(6, 3) == [(0, 2), (2, 2), (4, 2)]


@pytest.mark.parametrize("target", [1, 3, 4, (None, 2), (5, None)])
def test_adaptive_average_of_a_network_is_rewritten(target: object) -> None:
    x = values("spread", (7, 8))
    module = nn.AdaptiveAvgPool2d(target)  # type: ignore[arg-type]
    lowered = lower(module, x)
    assert [(done.rewrite, done.count) for done in lowered.rewrites] == [("adaptive_avg_pool", 1)]
    torch.testing.assert_close(lowered.module(x), module(x), rtol=1e-6, atol=1e-6)
