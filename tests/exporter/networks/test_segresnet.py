"""SegResNet, against its forward pass written out on the keys of a state dict."""

from __future__ import annotations

from itertools import count

import pytest
import torch
from tests import messages
from tests.exporter.golden.agreement import assert_same_as, lively_tensors, seed_shapes, shapes_of_module, weights_of
from tests.exporter.golden.lively_weights import picture
from torch import Tensor
from torch.nn import functional as F

from segexport.errors import ArchitectureError
from segexport.networks.families.segresnet import SegResNet, SegResNetWidths
from segexport.networks.recognise import recognise

SMALL = SegResNetWidths(stem=6, layers=(2, 3, 4, 5), last=7, encoder=(1, 2, 3, 2), decoder=(2, 3, 1, 2))
NARROW = SegResNetWidths(stem=8, layers=(4, 4, 4, 4), last=8)


def reference(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """The README's words; a 2x2 kernel is a transposed convolution, for nothing else here has one."""

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        kernel = weights[f"{name}.weight"]
        if kernel.shape[-1] == 2:
            return F.conv_transpose2d(x, kernel, stride=2)
        return F.conv2d(x, kernel, weights.get(f"{name}.bias"), stride, padding=kernel.shape[-1] // 2)

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, gamma, beta = (
            weights[f"{name}.{kind}"] for kind in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, var, gamma, beta, eps=1e-5)

    def block(x: Tensor, name: str, stride: int) -> Tensor:
        out = F.relu(norm(conv(x, f"{name}.conv1"), f"{name}.bn1"))
        out = F.relu(norm(conv(out, f"{name}.conv2", stride), f"{name}.bn2"))
        out = norm(conv(out, f"{name}.conv3"), f"{name}.bn3")
        if f"{name}.downsample.0.weight" in weights:
            x = norm(conv(x, f"{name}.downsample.0", stride), f"{name}.downsample.1")
        return F.relu(out + x)

    def layers(x: Tensor, name: str, strides: tuple[int, ...]) -> Tensor:
        for layer, stride in enumerate(strides):
            for index in count():
                if f"{name}.{layer}.{index}.conv1.weight" not in weights:
                    break
                x = block(x, f"{name}.{layer}.{index}", stride if index == 0 else 1)
        return x

    x = F.relu(norm(conv(x, "first_conv.0", 2), "first_conv.1"))
    x, indices = F.max_pool2d(x, 3, 2, 1, return_indices=True)
    x = layers(layers(x, "encoder", (1, 2, 2, 2)), "decoder", (1, 1, 1, 1))
    x = F.max_unpool2d(x, indices, 2, 2)
    return conv(conv(x, "last_conv.0"), "last_conv.1")


@pytest.mark.parametrize(("size", "out_channels"), [((64, 96), 1), ((32, 32), 3)])
@pytest.mark.parametrize("widths", [SMALL, NARROW], ids=["small", "narrow"])
def test_same_logits_as_the_reference(widths: SegResNetWidths, size: tuple[int, int], out_channels: int) -> None:
    """The same operators on the same numbers, in the same order: no near-tie may choose another place."""
    network = assert_same_as(reference, SegResNet(widths, out_channels), size)
    assert (network.name, network.out_channels) == ("segresnet", out_channels)


def test_full_size_has_the_keys_of_the_seed_and_its_logits() -> None:
    shapes = seed_shapes("segresnet")
    with torch.device("meta"):
        assert shapes_of_module(SegResNet(SegResNetWidths())) == shapes
    weights = lively_tensors(shapes)
    image = torch.from_numpy(picture(64, 96))
    with torch.no_grad():
        assert torch.equal(recognise(weights).module(image), reference(weights, image))


def test_variant_names_depth_and_widths() -> None:
    with torch.device("meta"):
        plain = SegResNet(SegResNetWidths()).state_dict()
    assert recognise({key: torch.zeros(tensor.shape) for key, tensor in plain.items()}).variant == (
        "ResNet-50 and its mirror image"
    )
    assert recognise(weights_of(SegResNet(NARROW))).variant == "ResNet-50 and its mirror image, widths 8-4-4-4-4"
    assert recognise(weights_of(SegResNet(SMALL))).variant == "blocks 1-2-3-2 and above 2-3-1-2, widths 6-2-3-4-5"


def test_a_size_that_is_no_multiple_of_32_is_refused() -> None:
    network = recognise(weights_of(SegResNet(SMALL)))
    network.check_size(64, 32)
    with pytest.raises(ArchitectureError, match=f"{messages.MULTIPLES_OF_32} 65x32; give --size 64x32 or 96x32"):
        network.check_size(65, 32)
