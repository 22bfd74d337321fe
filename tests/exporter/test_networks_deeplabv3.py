"""DeepLabV3 gives torchvision's numbers: see golden/make_torchvision_golden.py for where those come from."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.exporter.golden.lively_weights import lively_state_dict, picture, positions
from torch import Tensor
from torch.nn import functional as F

from segexport.networks import Network
from segexport.networks.deeplabv3 import (
    MOBILENET_AUX_CHANNELS,
    DeepLabV3,
    ImagePooling,
    make_aux_classifier,
    make_classifier,
)
from segexport.networks.mobilenetv3 import DilatedMobileNetV3, squeezed_channels
from segexport.networks.recognise import recognise
from segexport.networks.resnet import DEPTHS, DilatedResNet

GOLDEN = Path(__file__).parent / "golden"
SEED = Path(__file__).parents[2].parent / "shared" / "seed-checkpoints"
NAMES = {
    "deeplabv3_resnet50": "ResNet-50",
    "deeplabv3_resnet101": "ResNet-101",
    "deeplabv3_mobilenet_v3_large": "MobileNetV3-Large",
}
# float32 sums of up to 18,432 products in another order, through 101 layers: 2e-6 of the output's spread was seen;
# a rate that is off by one moves it by 1e-2 and more (tested below)
TOLERANCE = 1e-4
CASES = [
    pytest.param(path, marks=[pytest.mark.slow] if path.stem == "resnet101_aux_21" else [], id=path.stem)
    for path in sorted(GOLDEN.glob("*.json"))
]


def meta_shapes(golden: dict) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of our module in the golden file's variant."""
    backbone = NAMES[golden["factory"]]
    mobile = backbone not in DEPTHS
    aux_channels = MOBILENET_AUX_CHANNELS if mobile else 1024
    with torch.device("meta"):
        module = DeepLabV3(
            DilatedMobileNetV3() if mobile else DilatedResNet(DEPTHS[backbone]),
            make_classifier(960 if mobile else 2048, golden["classes"], appended=golden["appended"]),
            make_aux_classifier(aux_channels, golden["classes"]) if golden["aux"] else None,
        )
    return {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}


def fingerprint(shapes: dict[str, tuple[int, ...]]) -> int:
    return zlib.crc32("\n".join(sorted(f"{key} {shape}" for key, shape in shapes.items())).encode())


def lively_tensors(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return {key: torch.from_numpy(array) for key, array in lively_state_dict(shapes).items()}


def spread_of_difference(out: Tensor, golden: dict, name: str) -> float:
    """The largest difference from torchvision's samples, in standard deviations of its output."""
    samples = out.flatten()[torch.from_numpy(positions(name, out.numel()))].numpy()
    return float(np.abs(samples - np.asarray(golden["samples"])).max() / golden["std"])


def small_mobile(classes: int = 2) -> Network:
    golden = {"factory": "deeplabv3_mobilenet_v3_large", "aux": False, "classes": classes, "appended": None}
    return recognise(lively_tensors(meta_shapes(golden)))


def test_there_are_golden_files_for_every_backbone() -> None:
    assert {json.loads(path.read_text())["factory"] for path in GOLDEN.glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("path", CASES)
def test_same_keys_and_numbers_as_torchvision(path: Path) -> None:
    golden = json.loads(path.read_text())
    shapes = meta_shapes(golden)
    assert (len(shapes), fingerprint(shapes)) == (golden["keys"], golden["fingerprint"])
    network = recognise(lively_tensors(shapes))
    assert network.name == "deeplabv3_torchvision"
    assert network.variant.startswith(NAMES[golden["factory"]])
    assert network.parameters == golden["parameters"]
    assert network.out_channels == golden["output_shape"][1]
    with torch.no_grad():
        out = network.module(torch.from_numpy(picture(*golden["input_size"])))
    assert list(out.shape) == golden["output_shape"]
    assert spread_of_difference(out, golden, path.stem) <= TOLERANCE
    assert out.double().mean().item() == pytest.approx(golden["mean"], abs=TOLERANCE * golden["std"])
    assert out.double().std().item() == pytest.approx(golden["std"], rel=TOLERANCE)


@pytest.mark.parametrize("changed", ["classifier.0.convs.1.0", "classifier.0.convs.2.0", "classifier.0.convs.3.0"])
def test_the_golden_numbers_notice_a_rate_that_is_off_by_one(changed: str) -> None:
    golden = json.loads((GOLDEN / "mobilenetv3_1.json").read_text())
    module = recognise(lively_tensors(meta_shapes(golden))).module
    convolution = module.get_submodule(changed)
    convolution.dilation = convolution.padding = (convolution.dilation[0] - 1,) * 2
    with torch.no_grad():
        out = module(torch.from_numpy(picture(*golden["input_size"])))
    assert spread_of_difference(out, golden, "mobilenetv3_1") > 100 * TOLERANCE


def test_the_seed_checkpoint_has_the_keys_of_torchvision() -> None:
    path = SEED / "deeplabv3_torchvision.keys.json"
    if not path.is_file():
        pytest.skip("the seed checkpoints' key lists are not beside this checkout")
    seed = {key: tuple(shape) for key, shape in json.loads(path.read_text()).items()}
    golden = json.loads((GOLDEN / "resnet50_aux_21_appended_1.json").read_text())
    assert fingerprint(seed) == golden["fingerprint"]


@pytest.mark.parametrize(
    ("classes", "appended", "person"), [(1, None, 0), (2, None, 1), (21, None, 15), (21, 1, 0), (5, None, None)]
)
def test_head_decides_channels_and_person(classes: int, appended: int | None, person: int | None) -> None:
    golden = {"factory": "deeplabv3_mobilenet_v3_large", "aux": True, "classes": classes, "appended": appended}
    network = recognise({key: torch.zeros(shape) for key, shape in meta_shapes(golden).items()})
    assert network.out_channels == (appended or classes)
    assert network.person_channel == person
    assert "auxiliary head" in network.variant
    assert any("aux_classifier" in note for note in network.notes)
    assert not any(key.startswith("aux") for key in network.module.state_dict())


def test_last_layer_may_come_without_bias() -> None:
    golden = {"factory": "deeplabv3_mobilenet_v3_large", "aux": False, "classes": 2, "appended": None}
    state_dict = lively_tensors(meta_shapes(golden))
    del state_dict["classifier.4.bias"]
    assert recognise(state_dict).out_channels == 2


def test_image_pooling_is_bilinear_of_one_pixel() -> None:
    pooling = ImagePooling(8, 4).eval()
    features = torch.from_numpy(picture(7, 9)).repeat(1, 3, 1, 1)[:, :8]
    with torch.no_grad():
        pooled = F.relu(pooling[2](pooling[1](F.adaptive_avg_pool2d(features, 1))))
        expected = F.interpolate(pooled, (7, 9), mode="bilinear")
        torch.testing.assert_close(pooling(features), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("expanded", "squeezed"), [(72, 24), (120, 32), (480, 120), (672, 168), (960, 240)])
def test_squeezed_channels_are_those_of_the_checkpoints(expanded: int, squeezed: int) -> None:
    assert squeezed_channels(expanded) == squeezed


@pytest.mark.parametrize("size", [(1, 1), (33, 47)])
def test_any_size_works(size: tuple[int, int]) -> None:
    network = small_mobile()
    network.check_size(*size)
    with torch.no_grad():
        assert network.module(torch.from_numpy(picture(*size))).shape == (1, 2, *size)


def test_can_be_exported_and_leaves_its_input_alone() -> None:
    network = small_mobile(1)
    image = torch.from_numpy(picture(64, 64))
    before = image.clone()
    exported = torch.export.export(network.module, (image,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(image), network.module(image))
    assert torch.equal(image, before)
