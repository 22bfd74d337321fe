"""Padded max-pools and adaptive average pools against PyTorch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.each_case import each_case
from tests.exporter.golden.lively_weights import uniform
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.convert.torch_rewrites.adaptive_avg_pool import FixedAvgPool
from segexport.convert.torch_rewrites.adaptive_max_pool import FixedMaxPool
from segexport.convert.torch_rewrites.along_axes import AlongAxes
from segexport.convert.torch_rewrites.bins import bins_of, plain_window
from segexport.convert.torch_rewrites.ceil_avg_pool import CeilAvgPool
from segexport.convert.torch_rewrites.lower import lower
from segexport.convert.torch_rewrites.padded_max_pool import PaddedMaxPool, margins

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
        "rows": spread,
        "columns": spread,
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
        lines = zip(size, kernel, stride, padding, dilation, strict=True)
        above, left = (margins(*axis, ceil_mode=ceil_mode) for axis in lines)
        out = PaddedMaxPool(kernel, stride, (above, left), dilation=dilation, zeros=zeros)(x)
        if not torch.equal(out, expected):
            wrong.append((kernel, stride, padding, dilation, ceil_mode))
    return wrong, taken


@each_case("size", SIZES)
@each_case("kind", ["spread", "negative", "zeros", "ties", "tiny"])
def test_max_pool_by_continued_edges_is_the_one_with_minus_infinity(kind: str, size: tuple[int, int]) -> None:
    wrong, taken = differing(values(kind, size), SETTINGS, zeros=False)
    assert wrong == []
    assert taken >= 3


@each_case("size", SIZES)
@each_case("kind", ["spread", "zeros", "ties", "tiny"])
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


TARGETS = [(1, 1), (2, 2), (3, 3), (6, 6), (4, 7), (14, 14), (8, 12), (16, 24), (20, 5)]
POOLED = [(8, 12), (7, 13), (14, 14), (1, 3)]


@each_case("target", TARGETS)
@each_case("size", POOLED)
def test_average_to_any_size_is_pytorchs(size: tuple[int, int], target: tuple[int, int]) -> None:
    x = values("spread", size)
    rounding = 8 * torch.finfo(torch.float32).eps  # of sums of at most 196 numbers below 1, in another order
    out, expected = FixedAvgPool(size, target)(x), F.adaptive_avg_pool2d(x, target)
    torch.testing.assert_close(out, expected, rtol=rounding, atol=rounding)


@each_case("kind", ["spread", "negative", "zeros", "ties"])
@each_case("target", TARGETS)
@each_case("size", POOLED)
def test_maximum_to_any_size_is_pytorchs(size: tuple[int, int], target: tuple[int, int], kind: str) -> None:
    x = values(kind, size)
    assert torch.equal(FixedMaxPool(size, target)(x), F.adaptive_max_pool2d(x, target))


def test_bins_that_are_alike_are_a_plain_pools() -> None:
    assert plain_window((8, 12), (4, 3)) == ((2, 4), (2, 4))
    assert plain_window((7, 7), (3, 1)) == ((3, 7), (2, 7))  # they overlap, at equal distances
    assert plain_window((7, 8), (4, 4)) is None
    assert plain_window((3, 3), (6, 6)) is None  # each line twice
    assert plain_window((1, 4), (2, 4)) is None


@each_case("bins", [3, 7, 40])
def test_an_adaptive_average_costs_two_convolutions_however_many_bins(bins: int) -> None:
    (graph,) = [torch.fx.symbolic_trace(FixedAvgPool((32, 33), (bins, bins)).weighted or nn.Identity())]
    calls = [node.target for node in graph.graph.nodes if node.op in ("call_function", "call_method")]
    assert calls == ["permute", F.conv2d, "permute", F.conv2d, "permute"]


def test_a_line_is_the_weighted_sum_of_lines() -> None:
    x = values("spread", (4, 5))
    rows, columns = values("rows", (3, 4))[0, 0], values("columns", (6, 5))[0, 0]
    expected = torch.einsum("hH,wW,ncHW->nchw", rows, columns, x)
    torch.testing.assert_close(AlongAxes(rows, columns)(x), expected, rtol=1e-6, atol=1e-6)


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


@pytest.mark.parametrize("target", [1, 2, (3, 5), (None, 2)])
def test_adaptive_maximum_of_a_network_is_rewritten(target: object) -> None:
    x = values("ties", (7, 8))
    module = nn.AdaptiveMaxPool2d(target)  # type: ignore[arg-type]
    lowered = lower(module, x)
    assert [(done.rewrite, done.count) for done in lowered.rewrites] == [("adaptive_max_pool", 1)]
    assert torch.equal(lowered.module(x), module(x))


class IndicesToo(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        most, where = F.adaptive_max_pool2d(x, 3, return_indices=True)
        return most + where


def test_adaptive_maximum_whose_indices_are_used_is_left() -> None:
    module = IndicesToo()
    assert lower(module, values("spread", (7, 8))).module is module


# kernel, stride, padding
CEILINGS = [((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (0, 0)), ((3, 2), (2, 3), (1, 1)), ((2, 2), (3, 3), (1, 1))]


@each_case("settings", CEILINGS)
@each_case("size", [(4, 6), (7, 8), (9, 13), (3, 3), (16, 17)])
def test_average_with_a_ceiling_is_pytorchs(size: tuple[int, int], settings: Any) -> None:
    x = values("spread", size)
    kernel, stride, padding = settings
    expected = F.avg_pool2d(x, kernel, stride, padding, ceil_mode=True)
    torch.testing.assert_close(CeilAvgPool(size, *settings)(x), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("pool", "rewrites"),
    [
        (nn.AvgPool2d(2, ceil_mode=True), ["ceil_avg_pool"]),
        (nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False), ["ceil_avg_pool"]),
        (nn.AvgPool2d(3, 2, 1, ceil_mode=True), ["ceil_avg_pool"]),
        (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), []),
        (nn.AvgPool2d(3, 2, ceil_mode=True, divisor_override=2), []),
        (nn.AvgPool2d(9, 9, ceil_mode=True, padding=1), []),  # not one full window of rows
        (nn.AvgPool2d(3, 2, 1), []),
    ],
)
def test_average_with_a_ceiling_of_a_network_is_rewritten_where_it_fits(pool: nn.Module, rewrites: list[str]) -> None:
    x = values("spread", (6, 9))
    lowered = lower(pool, x)
    assert [done.rewrite for done in lowered.rewrites] == rewrites
    torch.testing.assert_close(lowered.module(x), pool(x), rtol=1e-6, atol=1e-6)
