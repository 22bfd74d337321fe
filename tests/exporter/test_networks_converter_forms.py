"""Forms that onnx2tf converts right stand in for the plain ones, and give the same numbers."""

from __future__ import annotations

import pytest
import torch
from tests.exporter.golden.lively_weights import picture
from torch import nn

from segexport.networks.anchor import anchor
from segexport.networks.corner_upsample import CornerUpsample, shares


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 3), (7, 4), (20, 20)])
def test_corner_upsample_is_torchs_with_aligned_corners(size: tuple[int, int], factor: int) -> None:
    image = torch.from_numpy(picture(*size)).repeat(2, 1, 1, 1)
    image[:, 1] = 0
    image[:, 2] = image[:, 2].round()  # ties
    expected = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=True)(image)
    torch.testing.assert_close(CornerUpsample(factor)(image), expected, rtol=0, atol=2e-5)


def test_shares_of_each_place_add_up_and_keep_the_corners() -> None:
    rows = shares(5, 4)[:, :, 0, 0]
    torch.testing.assert_close(rows.sum(1), torch.ones(20))
    assert torch.equal(rows[0], torch.eye(5)[0])
    assert torch.equal(rows[-1], torch.eye(5)[-1])


@pytest.mark.parametrize("size", [(1, 1), (3, 5)])
def test_anchor_changes_no_bit(size: tuple[int, int]) -> None:
    image = torch.from_numpy(picture(*size))
    image[:, 1] = 0
    assert torch.equal(anchor(image), image)
