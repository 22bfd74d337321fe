"""What a network asks of its own constants is answered while it is traced; what it asks of a picture is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segexport.convert.torch_rewrites.lower import lower


class Network(nn.Module):
    """Asks `ask(self, x)` before its one convolution: a number that the result is multiplied with."""

    std: Tensor

    def __init__(self, ask: Callable[[Any, Tensor], float]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)
        self.register_buffer("std", torch.tensor([0.25, 0.5, 2.0]))
        self.flag, self.listed = torch.tensor(True), [torch.tensor([3.0, 4.0])]
        self.ask = ask

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x) * self.ask(self, x)
        return out


def zero_check(net: Any, x: Tensor) -> float:
    """As torchvision's normalize."""
    std = torch.as_tensor([0.229, 0.224, 0.225], dtype=x.dtype, device=x.device)
    if (std == 0).any():
        raise ValueError("std is zero")
    return 2.0 if std.view(-1, 1, 1).shape == (3, 1, 1) else 3.0


def walked(net: Any, x: Tensor) -> float:
    total = 0.0
    for step in torch.linspace(0, 1, 5):
        total += float(step)
    return total + float(sum(torch.arange(4).tolist()))


def of_a_weight_of_its_own(net: Any, x: Tensor) -> float:
    weight = net.conv.weight
    return 2.0 if (weight - weight.mean()).std() > 0.01 else 3.0


CONSTANT: dict[str, Callable[[Any, Tensor], float]] = {
    "a check of zeros": zero_check,
    "a buffer": lambda net, x: 2.0 if (net.std > 1).any() else 3.0,
    "a buffer, negated": lambda net, x: 2.0 if not (net.std > 5).any() else 3.0,
    "an attribute": lambda net, x: 2.0 if net.flag else 3.0,
    "a tensor in a list": lambda net, x: float(net.listed[0].sum()),
    "a loop": walked,
    "a parameter": of_a_weight_of_its_own,
    "a comparison": lambda net, x: 2.0 if torch.equal(net.std, torch.tensor([0.25, 0.5, 2.0])) else 3.0,
    "membership": lambda net, x: 2.0 if 0.5 in net.std else 3.0,
    "numpy": lambda net, x: float(net.std.numpy().max()),
    "an index": lambda net, x: [3.0, 2.0][torch.tensor([0, 1])[1]],
    "views": lambda net, x: 2.0 if net.std[None].expand(4, 3).t().reshape(-1).max().item() > 1 else 3.0,
    "several at once": lambda net, x: 2.0 if net.std.max(0)[0] > torch.split(net.std, 1)[0] else 3.0,
}


@pytest.mark.parametrize("kind", CONSTANT)
def test_a_constant_that_is_asked_for_its_value_gives_it(kind: str) -> None:
    torch.manual_seed(2)
    module = Network(CONSTANT[kind]).eval()
    x = torch.rand(1, 3, 4, 5)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with torch.no_grad():
        expected = module(x)
        traced = lower(module, torch.zeros_like(x)).program.module()(x)
    torch.testing.assert_close(traced, expected, rtol=0, atol=0)
    assert "forward" not in vars(module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def changed_in_place(net: Any, x: Tensor) -> float:
    limits = torch.tensor([0.0, 0.0])
    view = limits[:1]
    view.add_(x.mean())
    return 2.0 if limits.sum() > 0.1 else 3.0


def changed_by_index(net: Any, x: Tensor) -> float:
    limits = torch.zeros(2)
    limits[0] = x.mean()
    return 2.0 if limits.sum() > 0.1 else 3.0


def changed_buffer(net: Any, x: Tensor) -> float:
    net.std.mul_(x.mean())
    return 2.0 if net.std.sum() > 0.1 else 3.0


def changed_by_out(net: Any, x: Tensor) -> float:
    limits = torch.zeros(())
    torch.mul(x.mean(), 2, out=limits)
    return 2.0 if limits > 0.1 else 3.0


NOT_CONSTANT: dict[str, Callable[[Any, Tensor], float]] = {
    "the picture": lambda net, x: 2.0 if x.mean() > 0.1 else 3.0,
    "the picture and a constant": lambda net, x: 2.0 if (net.std + x.mean()).sum() > 0.1 else 3.0,
    "a list with a part of the picture": lambda net, x: 2.0 if torch.stack([net.std[0], x.mean()]).sum() > 0.1 else 3.0,
    "chance": lambda net, x: 2.0 if torch.rand(3).sum() > 0.1 else 3.0,
    "chance in the form of a constant": lambda net, x: 2.0 if torch.randn_like(net.std).sum() > 0.1 else 3.0,
    "chance in a function": lambda net, x: 2.0 if nn.functional.dropout(net.std, 0.5, True).sum() > 0.1 else 3.0,
    "memory that nobody wrote": lambda net, x: 2.0 if torch.empty(3).sum() > 0.1 else 3.0,
    "a constant changed through a view": changed_in_place,
    "a constant changed by index": changed_by_index,
    "a buffer that is changed": changed_buffer,
    "a constant as the output of another": changed_by_out,
}


@pytest.mark.parametrize("kind", NOT_CONSTANT)
def test_what_is_no_constant_is_not_answered(kind: str) -> None:
    module = Network(NOT_CONSTANT[kind]).eval()
    before = module.std.clone()
    with pytest.raises(Exception, match="data-dependent"):
        lower(module, torch.zeros(1, 3, 4, 5))
    assert "forward" not in vars(module)
    assert torch.equal(module.std, before)


def test_a_forward_of_the_instance_is_put_back() -> None:
    module = Network(CONSTANT["a buffer"]).eval()
    module.forward = own = lambda x: module.conv(x) * 2  # type: ignore[method-assign]
    lower(module, torch.zeros(1, 3, 4, 5))
    assert module.forward is own
