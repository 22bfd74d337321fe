"""DeepLabV3 gives torchvision's numbers: see golden/make_torchvision_golden.py for where those come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.exporter.golden.agreement import (
    TOLERANCE,
    assert_agrees,
    cases,
    lively_tensors,
    read,
    recognise_like,
    run,
    shapes_of_module,
    spread_of_difference,
    zeros,
)
from tests.exporter.golden.lively_weights import fingerprint, picture
from torch import nn
from torch.nn import functional as F

from segexport.networks import Network
from segexport.networks.families.aspp import ImagePooling
from segexport.networks.families.deeplabv3 import make_deeplabv3
from segexport.networks.families.mobilenetv3 import squeezed_channels
from segexport.networks.families.torchvision_layout import Head
from segexport.networks.recognise import recognise

SEED = Path(__file__).parents[2].parent / "shared" / "seed-checkpoints"
NAMES = {
    "deeplabv3_resnet50": "ResNet-50",
    "deeplabv3_resnet101": "ResNet-101",
    "deeplabv3_mobilenet_v3_large": "MobileNetV3-Large",
}
CASES = cases("deeplabv3")


def meta_module(golden: Mapping[str, Any]) -> nn.Module:
    """Our module in the golden file's variant, without values."""
    classes = golden["classes"]
    head = Head(classes=classes, appended=golden["appended"], aux_classes=classes if golden["aux"] else None)
    with torch.device("meta"):
        return make_deeplabv3(NAMES[golden["factory"]], head)


def mobile(classes: int = 2, *, aux: bool = False, appended: int | None = None) -> nn.Module:
    return meta_module(
        {"factory": "deeplabv3_mobilenet_v3_large", "aux": aux, "classes": classes, "appended": appended}
    )


def small_mobile(classes: int = 2) -> Network:
    return recognise(lively_tensors(shapes_of_module(mobile(classes))))


def test_there_are_golden_files_for_every_backbone() -> None:
    assert {read(path)["factory"] for path in CASES} == set(NAMES)


@pytest.mark.parametrize("path", CASES)
def test_same_keys_and_numbers_as_torchvision(path: str) -> None:
    golden = read(path)
    network = recognise_like(golden, meta_module(golden))
    assert network.name == "deeplabv3_torchvision"
    assert network.variant.startswith(NAMES[golden["factory"]])
    assert_agrees(network, golden)


@pytest.mark.parametrize("changed", ["classifier.0.convs.1.0", "classifier.0.convs.2.0", "classifier.0.convs.3.0"])
def test_the_golden_numbers_notice_a_rate_that_is_off_by_one(changed: str) -> None:
    golden = read("deeplabv3/mobilenetv3_1")
    module = recognise_like(golden, meta_module(golden)).module
    convolution = module.get_submodule(changed)
    convolution.dilation = convolution.padding = (convolution.dilation[0] - 1,) * 2
    assert spread_of_difference(run(module, golden), golden) > 100 * TOLERANCE


def test_the_seed_checkpoint_has_the_keys_of_torchvision() -> None:
    path = SEED / "deeplabv3_torchvision.keys.json"
    if not path.is_file():
        pytest.skip("the seed checkpoints' key lists are not next to this checkout")
    seed = {key: tuple(shape) for key, shape in json.loads(path.read_text()).items()}
    assert fingerprint(seed) == read("deeplabv3/resnet50_aux_21_appended_1")["fingerprint"]


@pytest.mark.parametrize(
    ("classes", "appended", "person"), [(1, None, 0), (2, None, 1), (21, None, 15), (21, 1, 0), (5, None, None)]
)
def test_head_decides_channels_and_person(classes: int, appended: int | None, person: int | None) -> None:
    network = recognise(zeros(shapes_of_module(mobile(classes, aux=True, appended=appended))))
    assert network.out_channels == (appended or classes)
    assert network.person_channel == person
    assert "auxiliary head" in network.variant
    assert any("aux_classifier" in note for note in network.notes)
    assert not any(key.startswith("aux") for key in network.module.state_dict())


def test_last_layer_may_come_without_bias() -> None:
    state_dict = lively_tensors(shapes_of_module(mobile(2)))
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
