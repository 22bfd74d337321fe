"""The rewritten stem pool is F.max_pool2d(kernel 3, stride 2, padding 1), bit for bit, after a ReLU."""

from __future__ import annotations

import pytest
import torch
from tests.exporter.golden.lively_weights import uniform
from torch.nn import functional as F

from segexport.networks.stem_pool import StemPool


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (13, 8), (112, 111)])
@pytest.mark.parametrize("kind", ["spread", "zeros", "ties", "tiny"])
def test_equal_to_padding_with_minus_infinity(kind: str, size: tuple[int, int]) -> None:
    values = torch.from_numpy(uniform(f"{kind} {size}", (2, 3, *size), -1, 1))
    x = {
        "spread": F.relu(values),
        "zeros": torch.zeros_like(values),
        "ties": F.relu(torch.round(2 * values)),
        "tiny": F.relu(values * 1e-40),
    }[kind]
    assert torch.equal(StemPool()(x), F.max_pool2d(x, 3, stride=2, padding=1))
