"""MobileUNet: recognised by its keys, whatever its widths."""

from __future__ import annotations

import pytest
import torch

from segexport.errors import ArchitectureError
from segexport.networks import ARCHITECTURES
from segexport.networks.families.mobile_unet import STAGES, MobileUNet, Stage
from segexport.networks.recognise import recognise
from segexport.presets import PREPROCESSING

SMALL = Stage(out=24, blocks=2, expansion=2, kernel=3)
MEMBERS = {
    "widths 16-24-40-64-80": MobileUNet(),
    "widths 8-16-24": MobileUNet((8, 16), (SMALL,), 2),
    "widths 8-24-12": MobileUNet((8,), (SMALL, Stage(out=12, blocks=1, expansion=5, kernel=5))),
}


@pytest.mark.parametrize("variant", MEMBERS)
def test_rebuilt_from_keys_and_shapes(variant: str) -> None:
    original = MEMBERS[variant].eval()
    network = recognise(original.state_dict())
    assert (network.name, network.variant) == ("mobile_unet", variant)
    assert network.preprocessing == PREPROCESSING["unit"]
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(network.module(image), original(image))
    assert network.out_channels == original(image).shape[1]


def test_one_logit_a_pixel_of_the_picture() -> None:
    for height, width in ((32, 32), (96, 160)):
        assert MobileUNet().eval()(torch.rand(1, 3, height, width)).shape == (1, 1, height, width)


def test_a_wrong_shape_is_named() -> None:
    weights = MobileUNet().state_dict()
    weights["stages.1.2.project.0.weight"] = torch.zeros(3, 256, 1, 1)
    with pytest.raises(ArchitectureError, match=r"stages\.1\.2\.project\.0\.weight"):
        recognise(weights)


def test_sizes_that_do_not_halve_are_refused_with_those_that_work() -> None:
    with pytest.raises(ArchitectureError, match="224x256 or 256x256"):
        ARCHITECTURES["mobile_unet"].plan({}).sizes.check(250, 256)


def test_absurd_keys_make_no_huge_network() -> None:
    plan = ARCHITECTURES["mobile_unet"].plan({f"stages.{k}.{k}.expand.0.weight": (1, 1, 1, 1) for k in range(99)})
    assert sum(one.numel() for one in plan.module.parameters()) < 100_000_000
    assert len(STAGES) == 3
