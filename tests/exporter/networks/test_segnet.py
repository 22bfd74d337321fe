"""SegNet, against its forward pass written out on the keys of a state dict."""

from __future__ import annotations

import pytest
import torch
from tests import messages
from tests.exporter.golden.agreement import assert_same_as, lively_tensors, seed_shapes, shapes_of_module, weights_of
from tests.exporter.golden.lively_weights import picture
from torch import Tensor
from torch.nn import functional as F

from segexport.errors import ArchitectureError
from segexport.networks.families.segnet import SegNet, SegNetWidths
from segexport.networks.recognise import recognise

SMALL = SegNetWidths(
    encoder=((4, 5), (6, 7), (8, 8, 9), (10, 10, 11), (12, 12, 12)),
    decoder=((12, 12, 11), (10, 10, 9), (8, 8, 7), (6, 5), (4, 4)),
)
SHALLOW = SegNetWidths(encoder=((4,), (5,), (6,), (7,), (8, 8)), decoder=((7,), (6,), (5,), (4,), (9,)))


def reference(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """Walks the keys of each stage in the order in which the checkpoint lists them."""

    def stage(x: Tensor, name: str) -> Tensor:
        for key in (key for key in weights if key.startswith(f"{name}.") and key.endswith(".weight")):
            layer = key.removesuffix(".weight")
            if weights[key].ndim == 4:
                x = F.conv2d(x, weights[key], weights[f"{layer}.bias"], padding=1)
            else:
                mean, var = weights[f"{layer}.running_mean"], weights[f"{layer}.running_var"]
                x = F.relu(F.batch_norm(x, mean, var, weights[key], weights[f"{layer}.bias"], eps=1e-5))
        return x

    stack = []
    for number in "12345":
        x = stage(x, f"stage{number}_encoder")
        pooled, indices = F.max_pool2d(x, 2, 2, return_indices=True)
        stack.append((indices, x.shape))
        x = pooled
    for number in "12345":
        indices, shape = stack.pop()
        x = stage(F.max_unpool2d(x, indices, 2, 2, output_size=shape), f"stage{number}_decoder")
    return x


@pytest.mark.parametrize(("size", "out_channels"), [((64, 96), 1), ((32, 32), 3)])
@pytest.mark.parametrize("widths", [SMALL, SHALLOW], ids=["small", "shallow"])
def test_same_logits_as_the_reference(widths: SegNetWidths, size: tuple[int, int], out_channels: int) -> None:
    """The same operators on the same numbers, in the same order: no near-tie may choose another place."""
    network = assert_same_as(reference, SegNet(widths, out_channels), size)
    assert (network.name, network.out_channels) == ("segnet", out_channels)


def test_full_size_has_the_keys_of_the_seed_and_its_logits() -> None:
    shapes = seed_shapes("segnet")
    with torch.device("meta"):
        assert shapes_of_module(SegNet(SegNetWidths())) == shapes
    weights = lively_tensors(shapes)
    image = torch.from_numpy(picture(96, 64))
    with torch.no_grad():
        assert torch.equal(recognise(weights).module(image), reference(weights, image))


def test_variant_names_the_widths() -> None:
    assert recognise(weights_of(SegNet(SMALL))).variant == "VGG16, widths 5-7-9-11-12"
    assert recognise(weights_of(SegNet(SHALLOW))).variant == "6 convolutions below, widths 4-5-6-7-8"


def test_a_decoder_that_cannot_take_its_pools_channels_is_refused() -> None:
    weights = weights_of(SegNet(SMALL))
    bent = {**weights, "stage1_decoder.6.weight": torch.zeros(5, 12, 3, 3)}
    with pytest.raises(ArchitectureError, match=r"stage1_decoder\.6\.weight has shape \(5, 12, 3, 3\), expected \(11,"):
        recognise(bent)


def test_a_size_that_is_no_multiple_of_32_is_refused_with_the_nearest_that_are() -> None:
    network = recognise(weights_of(SegNet(SMALL)))
    network.check_size(224, 256)
    assert (network.default_size, network.size_rule) == ((256, 256), "multiples of 32")
    with pytest.raises(ArchitectureError, match=f"{messages.MULTIPLES_OF_32} 250x256; give --size 224x256 or"):
        network.check_size(250, 256)
    with pytest.raises(ArchitectureError, match=r"got 33x70; give --size 32x64 or 64x96$"):
        network.check_size(33, 70)
    with pytest.raises(ArchitectureError, match=r"at least 32 pixels each way, got 20x64"):
        network.check_size(20, 64)
