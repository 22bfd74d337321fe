"""SegResNet, against its forward pass written out on the keys of a state dict."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest
import torch
from tests.exporter.golden.lively_weights import lively_state_dict, picture
from torch import Tensor
from torch.nn import functional as F

from segexport.errors import ArchitectureError
from segexport.networks.families.segresnet import SegResNet, SegResNetWidths
from segexport.networks.recognise import recognise

SEED = Path(__file__).parents[2].parent / "shared" / "seed-checkpoints" / "segresnet.keys.json"
SMALL = SegResNetWidths(stem=6, layers=(2, 3, 4, 5), last=7, encoder=(1, 2, 3, 2), decoder=(2, 3, 1, 2))
NARROW = SegResNetWidths(stem=8, layers=(4, 4, 4, 4), last=8)


def lively_tensors(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return {key: torch.from_numpy(array) for key, array in lively_state_dict(shapes).items()}


def weights_of(module: torch.nn.Module) -> dict[str, Tensor]:
    return lively_tensors({key: tuple(tensor.shape) for key, tensor in module.state_dict().items()})


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
    weights = weights_of(SegResNet(widths, out_channels))
    network = recognise(weights)
    assert (network.name, network.out_channels) == ("segresnet", out_channels)
    image = torch.from_numpy(picture(*size))
    with torch.no_grad():
        out, expected = network.module(image), reference(weights, image)
    assert out.shape == (1, out_channels, *size)
    # the same operators on the same numbers, in the same order: no near-tie may choose another place
    torch.testing.assert_close(out, expected, rtol=0, atol=0)


def test_full_size_has_the_keys_of_the_seed_and_its_logits() -> None:
    if not SEED.is_file():
        pytest.skip("the seed checkpoints' key lists are not next to this checkout")
    shapes = {key: tuple(shape) for key, shape in json.loads(SEED.read_text()).items()}
    with torch.device("meta"):
        ours = {key: tuple(tensor.shape) for key, tensor in SegResNet(SegResNetWidths()).state_dict().items()}
    assert ours == shapes
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
    with pytest.raises(
        ArchitectureError, match=r"multiples of 32 pixels each way, got 65x32; give --size 64x32 or 96x32"
    ):
        network.check_size(65, 32)
