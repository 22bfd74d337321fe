"""The origin's own class, against its forward pass written out on the state dict with the names that it uses."""

from __future__ import annotations

import json

import pytest
import torch
from tests.exporter.golden.lively_weights import lively_state_dict, picture
from tests.places import SHARED
from torch import Tensor
from torch.nn import functional as F

from segexport.errors import ArchitectureError
from segexport.networks.families.deeplabv3_custom import DeepLabV3Custom
from segexport.networks.fit import shared_keys
from segexport.networks.recognise import recognise

SEED = SHARED / "seed-checkpoints" / "deeplabv3_custom.keys.json"


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """Lively weights with the values of the last name under every name of a shared tensor."""
    with torch.device("meta"):
        module = DeepLabV3Custom()
    shapes = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    tensors = {key: torch.from_numpy(array) for key, array in lively_state_dict(shapes).items()}
    for keys in shared_keys(module):
        tensors |= dict.fromkeys(keys, tensors[keys[-1]])
    return tensors


def reference(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    def conv(x: Tensor, name: str, **how: int) -> Tensor:
        return F.conv2d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), **how)

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, gamma, beta = (
            weights[f"{name}.{kind}"] for kind in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean[:, None, None]) / torch.sqrt(var + 1e-5)[:, None, None] * gamma[:, None, None] + beta[
            :, None, None
        ]

    def layer(x: Tensor, name: str, blocks: int, stride: int) -> Tensor:
        for index in range(blocks):
            block, step = f"{name}.{index}", stride if index == 0 else 1
            y = F.relu(norm(conv(x, f"{block}.conv1"), f"{block}.bn1"))
            y = F.relu(norm(conv(y, f"{block}.conv2", stride=step, padding=1), f"{block}.bn2"))
            y = norm(conv(y, f"{block}.conv3"), f"{block}.bn3")
            if index == 0:
                x = norm(conv(x, f"{block}.downsample.0", stride=step), f"{block}.downsample.1")
            x = F.relu(x + y)
        return x

    stem = F.relu(norm(conv(x, "begin_resnet_layers.0", stride=2, padding=3), "begin_resnet_layers.1"))
    stem = F.max_pool2d(stem, 3, 2, 1)
    high = layer(stem, "resnet_4_layers.0", 3, 1)
    high = layer(layer(high, "resnet_4_layers.1", 4, 2), "resnet_4_layers.2", 6, 2)
    a1 = F.relu(norm(conv(high, "aspp_conv1"), "aspp_bn"))
    a2 = F.relu(norm(conv(a1, "aspp_conv3_r6", padding=6, dilation=6), "aspp_bn"))
    a3 = F.relu(norm(conv(a2, "aspp_conv3_r12", padding=12, dilation=12), "aspp_bn"))
    a4 = F.relu(norm(conv(a3, "aspp_conv3_r18", padding=18, dilation=18), "aspp_bn"))
    a5 = F.adaptive_avg_pool2d(a4, (14, 14))
    high = F.relu(norm(conv(torch.cat([a1, a2, a3, a4, a5], 1), "conv1_encoder"), "b1_encoder"))
    high = F.interpolate(high, scale_factor=4)
    low = layer(stem, "resnet_2_layers.0", 3, 1)
    low = F.relu(norm(conv(low, "low_level_conv"), "low_level_bn"))
    out = F.relu(norm(conv(torch.cat([low, high], 1), "conv3_decoder", padding=1), "bn_decoder"))
    return conv(F.interpolate(out, scale_factor=4), "final_conv")


def test_same_logits_as_the_reference(weights: dict[str, Tensor]) -> None:
    network = recognise(weights)
    image = torch.from_numpy(picture(224, 224))
    with torch.no_grad():
        out = network.module(image)
        expected = reference(weights, image)
    assert out.shape == (1, 1, 224, 224)
    # batch norm is written out with a division here: rounding, through 50 layers
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-4 * float(expected.std()))


def test_keys_and_parameters_are_those_of_the_seed(weights: dict[str, Tensor]) -> None:
    if not SEED.is_file():
        pytest.skip("the seed checkpoints' key lists are not next to this checkout")
    seed = {key: tuple(shape) for key, shape in json.loads(SEED.read_text()).items()}
    assert {key: tuple(tensor.shape) for key, tensor in weights.items()} == seed
    assert recognise(weights).parameters == 12_150_081


def test_every_shared_module_is_one_module() -> None:
    with torch.device("meta"):
        groups = {keys[0]: keys for keys in shared_keys(DeepLabV3Custom())}
    assert groups["in_conv.weight"] == (
        "in_conv.weight",
        "begin_resnet_layers.0.weight",
        "resnet_4.0.weight",
        "renset_2.0.weight",
    )
    assert groups["resnet_4_layers.0.0.conv1.weight"][1:] == (
        "resnet_4.4.0.conv1.weight",
        "resnet_2_layers.0.0.conv1.weight",
        "renset_2.4.0.conv1.weight",
    )


def test_torn_shared_tensors_are_told_and_the_last_is_used(weights: dict[str, Tensor]) -> None:
    torn = weights | {"begin_resnet_layers.0.weight": weights["in_conv.weight"] + 1}
    network = recognise(torn)
    assert any(
        "begin_resnet_layers.0.weight and renset_2.0.weight should be one tensor and differ" in note
        for note in network.notes
    )
    assert torch.equal(network.module.state_dict()["begin_resnet_layers.0.weight"], weights["renset_2.0.weight"])


def test_what_is_used_of_torn_tensors_is_what_pytorch_would_load(weights: dict[str, Tensor]) -> None:
    torn = weights | {"in_bn.weight": weights["in_bn.weight"] + 1, "resnet_4.4.0.bn1.bias": torch.ones(64)}
    module = DeepLabV3Custom()
    module.load_state_dict(torn)
    ours = recognise(torn).module.state_dict()
    assert all(torch.equal(ours[key], tensor) for key, tensor in module.state_dict().items() if "batches" not in key)


def test_whole_tensors_have_no_torn_note(weights: dict[str, Tensor]) -> None:
    assert not any("differ" in note for note in recognise(weights).notes)


def test_file_with_one_name_of_each_shared_tensor_is_enough(weights: dict[str, Tensor]) -> None:
    with torch.device("meta"):
        others = {key for keys in shared_keys(DeepLabV3Custom()) for key in keys[1:]}
    network = recognise({key: tensor for key, tensor in weights.items() if key not in others})
    assert network.parameters == 12_150_081
    assert any("filled in" in note for note in network.notes)


def test_other_sizes_are_refused(weights: dict[str, Tensor]) -> None:
    network = recognise(weights)
    network.check_size(224, 224)
    assert (network.default_size, network.size_rule) == ((224, 224), "224x224 only")
    with pytest.raises(ArchitectureError, match="takes 224x224 only, got 256x256; leave --size out"):
        network.check_size(256, 256)


def test_can_be_exported(weights: dict[str, Tensor]) -> None:
    module = recognise(weights).module
    image = torch.from_numpy(picture(224, 224))
    exported = torch.export.export(module, (image,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(image), module(image))
