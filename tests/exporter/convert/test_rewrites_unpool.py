"""Unpools without indices are PyTorch's own, bit for bit: F.max_pool2d's indices given to F.max_unpool2d."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from tests.each_case import each_case
from tests.exporter.golden.lively_weights import uniform
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.convert.torch_rewrites.choice import Choice
from segexport.convert.torch_rewrites.max_unpool import Unpool, WindowChoice
from segexport.convert.torch_rewrites.overlapping_unpool import OverlappingChoice, OverlappingUnpool
from segexport.convert.torch_rewrites.threads import UnpoolsInOrder

SIZES = [(2, 2), (3, 5), (6, 6), (7, 12), (9, 4), (16, 30)]
POOLS: dict[str, tuple[int, int, int]] = {"2x2 by 2": (2, 2, 0), "3x3 by 3": (3, 3, 0), "3x3 by 2": (3, 2, 1)}
KINDS: dict[str, Callable[[Tensor], Tensor]] = {
    "spread": lambda x: x,
    "after a relu": F.relu,
    "ties": lambda x: torch.round(2 * x),
    "all zero": torch.zeros_like,
    "all negative": lambda x: -x.abs() - 1,
    "nearly equal": lambda x: 1 + torch.round(x) * torch.finfo(x.dtype).eps,
}


@pytest.fixture(autouse=True)
def in_order() -> Iterator[None]:
    """Of two threads that write one place, either may be the last; one thread is what PyTorch means."""
    with UnpoolsInOrder():
        yield


def rewritten(pool: str, size: tuple[int, int]) -> tuple[nn.Module, nn.Module]:
    if pool == "3x3 by 2":
        return OverlappingChoice(), OverlappingUnpool(*size)
    return WindowChoice(POOLS[pool][0], *size), Unpool(POOLS[pool][0], *size)


def data(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(uniform(name, shape, -1, 1)).to(dtype)


@each_case("dtype", [torch.float32, torch.float64])
@each_case("size", SIZES)
@each_case("kind", list(KINDS))
@each_case("pool", list(POOLS))
def test_equal_to_pytorch_for_values_other_than_the_pooled(
    pool: str, kind: str, size: tuple[int, int], dtype: torch.dtype
) -> None:
    kernel, stride, padding = POOLS[pool]
    if min(size) < kernel - 2 * padding:
        return  # PyTorch has no window there
    x = KINDS[kind](data(f"{kind} {size}", (2, 3, *size), dtype))
    pooled, indices = F.max_pool2d(x, kernel, stride, padding, return_indices=True)
    values = data(f"values {size}", tuple(pooled.shape), dtype)
    expected = F.max_unpool2d(values, indices, kernel, stride, padding, output_size=size)
    choice, unpool = rewritten(pool, size)
    out = unpool(values, choice(x, pooled))
    assert (out.shape, out.dtype) == (expected.shape, dtype)
    assert float((out - expected).abs().max()) == 0.0


def test_unpool_kernel_of_segresnet_is_smaller_than_its_pools() -> None:
    x = data("segresnet", (2, 8, 16, 24), torch.float32).round(decimals=1)
    pooled, indices = F.max_pool2d(x, 3, 2, 1, return_indices=True)
    values = data("segresnet values", tuple(pooled.shape), torch.float32)
    choice, unpool = rewritten("3x3 by 2", (16, 24))
    assert torch.equal(unpool(values, choice(x, pooled)), F.max_unpool2d(values, indices, 2, 2))


def test_of_two_windows_that_name_one_place_the_last_one_writes() -> None:
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 1, 1] = 9  # seen by all four windows
    pooled, indices = F.max_pool2d(x, 3, 2, 1, return_indices=True)
    assert indices.flatten().tolist() == [5, 5, 5, 5]
    choice, unpool = rewritten("3x3 by 2", (4, 4))
    values = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    out = unpool(values, choice(x, pooled))
    assert torch.equal(out, F.max_unpool2d(values, indices, 2, 2))
    assert (out[0, 0, 1, 1], out.count_nonzero()) == (4, 1)


@each_case("pool", list(POOLS))
def test_each_window_has_exactly_one_place(pool: str) -> None:
    size = (12, 18)
    kernel, stride, padding = POOLS[pool]
    x = KINDS["ties"](data("places", (2, 3, *size), torch.float32))
    pooled = F.max_pool2d(x, kernel, stride, padding)
    choice, _ = rewritten(pool, size)
    masks = choice(x, pooled)
    assert isinstance(choice, Choice)
    assert all(mask.dtype == torch.bool for mask in masks)
    assert sum(int(mask.sum()) for mask in masks) == pooled.numel()
    assert (choice.per_window(tuple(mask.float() for mask in masks)) == 1).all()


@each_case("pool", list(POOLS))
def test_no_constant_grows_with_the_picture(pool: str) -> None:
    small, large = (
        [tuple(buffer.shape) for module in rewritten(pool, size) for buffer in module.buffers()]
        for size in ((12, 18), (24, 30))
    )
    assert small == large


def test_threads_do_not_change_an_unpool_in_order() -> None:
    x = KINDS["ties"](data("threads", (1, 5, 64, 64), torch.float32))
    pooled, indices = F.max_pool2d(x, 3, 2, 1, return_indices=True)
    values = data("thread values", tuple(pooled.shape), torch.float32)
    expected = torch.zeros(5, 64 * 64)
    for channel in range(5):
        for place, value in zip(indices[0, channel].flatten(), values[0, channel].flatten(), strict=True):
            expected[channel, place] = value
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with torch.inference_mode():
            out = F.max_unpool2d(values, indices, 2, 2)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert torch.equal(out[0].flatten(1), expected)
