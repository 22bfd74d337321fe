"""Attention with a mask against PyTorch's own, and without minus infinity in the ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tests.exporter.golden.lively_weights import uniform
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.convert.torch_rewrites.lower import lower
from segexport.convert.trace.onnx_export import write_onnx

TOKENS = 4 * 5


class Attention(nn.Module):
    """Of the places of a picture: `mask` as PyTorch takes it, of float32 or bool."""

    mask: Tensor | None

    def __init__(self, mask: Tensor | None = None, **how: Any) -> None:
        super().__init__()
        self.project, self.how = nn.Conv2d(3, 12, 1), how
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (part.flatten(2).transpose(1, 2)[:, None] for part in self.project(x).chunk(3, 1))
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=self.mask, **self.how)
        return attended.transpose(2, 3).reshape(x.shape[0], 4, *x.shape[2:])


def far(seed: int) -> Tensor:
    """True on the diagonal and at two thirds of the other places."""
    random = torch.rand(TOKENS, TOKENS, generator=torch.Generator().manual_seed(seed))
    return (random > 1 / 3) | torch.eye(TOKENS, dtype=torch.bool)


SEEN = far(1)
BIAS = torch.linspace(-3, 2, TOKENS * TOKENS).view(TOKENS, TOKENS)
MASKED: dict[str, Attention] = {
    "causal": Attention(is_causal=True),
    "truths": Attention(SEEN),
    "a scale": Attention(SEEN, scale=0.3),
    "minus infinity": Attention(torch.zeros(TOKENS, TOKENS).masked_fill(~SEEN, -torch.inf)),
    "the least number and others": Attention(BIAS.masked_fill(~SEEN, torch.finfo(torch.float32).min)),
}


def picture(scale: float) -> Tensor:
    return scale * torch.from_numpy(uniform("attention", (1, 3, 4, 5), -1, 1))


def seeded(module: nn.Module) -> nn.Module:
    for name, value in module.named_parameters():
        value.data = torch.from_numpy(uniform(name, tuple(value.shape), -1, 1))
    return module.eval().requires_grad_(False)


@pytest.mark.parametrize("kind", MASKED)
def test_attention_with_a_mask_gives_the_same_numbers(kind: str) -> None:
    module = seeded(MASKED[kind])
    lowered = lower(module, picture(1))
    assert [(done.rewrite, done.kind) for done in lowered.rewrites] == [("masked_attention", "Attention")]
    for scale in (0.0, 1.0, 30.0):
        x = picture(scale)
        torch.testing.assert_close(lowered.module(x), module(x), rtol=1e-5, atol=1e-5 * max(scale, 1))


@pytest.mark.parametrize(
    "module", [Attention(), Attention(BIAS), Attention(SEEN & (torch.arange(TOKENS) > 0)[:, None])]
)
def test_attention_without_a_mask_or_with_a_query_that_sees_nothing_is_left(module: Attention) -> None:
    assert lower(seeded(module), picture(1)).module is module


def test_its_onnx_file_has_no_minus_infinity(tmp_path: Path) -> None:
    module, x = seeded(MASKED["minus infinity"]), picture(1)
    write_onnx(module, 4, 5, tmp_path / "a.onnx")
    constants = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(tmp_path / "a.onnx").graph.initializer]
    assert all(np.abs(values[np.isfinite(values)]).max() < 1e30 for values in constants if values.dtype.kind == "f")
    assert all(np.isfinite(values).all() for values in constants if values.dtype.kind == "f")
    session = onnxruntime.InferenceSession(str(tmp_path / "a.onnx"), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"image": x.numpy()})[0], module(x).numpy(), atol=1e-5)
