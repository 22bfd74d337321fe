"""DeepLabV3, FCN and LR-ASPP give torchvision's numbers: see golden/make_torchvision_golden.py for where those come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from tests.exporter.golden.agreement import (
    TOLERANCE,
    assert_agrees,
    cases,
    read,
    recognise_like,
    run,
    seed_shapes,
    shapes_of_module,
    spread_of_difference,
    weights_of,
    zeros,
)
from tests.exporter.golden.lively_weights import fingerprint, picture
from torch import nn
from torch.nn import functional as F

from segexport.networks.families.aspp import ImagePooling
from segexport.networks.families.deeplabv3 import make_deeplabv3
from segexport.networks.families.fcn import make_fcn
from segexport.networks.families.lraspp import LRASPP
from segexport.networks.families.mobilenetv3 import squeezed_channels
from segexport.networks.families.torchvision_layout import Head
from segexport.networks.recognise import recognise

BACKBONES = {"resnet50": "ResNet-50", "resnet101": "ResNet-101", "mobilenet_v3_large": "MobileNetV3-Large"}
FACTORIES = {
    "deeplabv3": {f"deeplabv3_{name}" for name in BACKBONES},
    "fcn": {"fcn_resnet50", "fcn_resnet101"},
    "lraspp": {"lraspp_mobilenet_v3_large"},
}
CASES = [path for family in FACTORIES for path in cases(family)]


def meta_module(golden: Mapping[str, Any]) -> nn.Module:
    """Our module in the golden file's variant, without values."""
    family, _, backbone = golden["factory"].partition("_")
    classes = golden["classes"]
    with torch.device("meta"):
        if family == "lraspp":
            return LRASPP(classes)
        head = Head(classes=classes, appended=golden["appended"], aux_classes=classes if golden["aux"] else None)
        return {"deeplabv3": make_deeplabv3, "fcn": make_fcn}[family](BACKBONES[backbone], head)


def made(factory: str, classes: int, *, aux: bool = False, appended: int | None = None) -> nn.Module:
    return meta_module({"factory": factory, "aux": aux, "classes": classes, "appended": appended})


def mobile(classes: int = 2) -> nn.Module:
    return made("deeplabv3_mobilenet_v3_large", classes)


def test_there_are_golden_files_for_every_backbone() -> None:
    assert {read(path)["factory"] for path in CASES} == set.union(*FACTORIES.values())


@pytest.mark.parametrize("path", CASES)
def test_same_keys_and_numbers_as_torchvision(path: str) -> None:
    golden = read(path)
    network = recognise_like(golden, meta_module(golden))
    family, _, backbone = golden["factory"].partition("_")
    assert network.name == f"{family}_torchvision"
    assert_agrees(network, golden)
    if family != "lraspp":
        assert network.variant.startswith(BACKBONES[backbone])
        assert any("aux_classifier" in note for note in network.notes) == golden["aux"]
        assert not any(key.startswith("aux") for key in network.module.state_dict())


@pytest.mark.parametrize("changed", ["classifier.0.convs.1.0", "classifier.0.convs.2.0", "classifier.0.convs.3.0"])
def test_the_golden_numbers_notice_a_rate_that_is_off_by_one(changed: str) -> None:
    golden = read("deeplabv3/mobilenetv3_1")
    module = recognise_like(golden, meta_module(golden)).module
    convolution = module.get_submodule(changed)
    convolution.dilation = convolution.padding = (convolution.dilation[0] - 1,) * 2
    assert spread_of_difference(run(module, golden), golden) > 100 * TOLERANCE


def test_the_seed_checkpoint_has_the_keys_of_torchvision() -> None:
    seed = seed_shapes("deeplabv3_torchvision")
    assert fingerprint(seed) == read("deeplabv3/resnet50_aux_21_appended_1")["fingerprint"]


@pytest.mark.parametrize("factory", ["deeplabv3_mobilenet_v3_large", "fcn_resnet50", "lraspp_mobilenet_v3_large"])
@pytest.mark.parametrize(
    ("classes", "appended", "person"), [(1, None, 0), (2, None, 1), (21, None, 15), (21, 1, 0), (5, None, None)]
)
def test_head_decides_channels_and_person(factory: str, classes: int, appended: int | None, person: int | None) -> None:
    if appended and factory.startswith("lraspp"):
        pytest.skip("its head has no layer appended to it")
    aux = factory.startswith("deeplabv3")
    network = recognise(zeros(shapes_of_module(made(factory, classes, aux=aux, appended=appended))))
    assert (network.out_channels, network.person_channel) == (appended or classes, person)
    assert ("auxiliary head" in network.variant) == aux
    assert any("aux_classifier" in note for note in network.notes) == aux
    assert not any(key.startswith("aux") for key in network.module.state_dict())


def test_last_layer_may_come_without_bias() -> None:
    state_dict = weights_of(mobile())
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


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (64, 64)])
@pytest.mark.parametrize("factory", ["deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"])
def test_any_size_works_can_be_exported_and_leaves_its_input_alone(factory: str, size: tuple[int, int]) -> None:
    network = recognise(weights_of(made(factory, 1)))
    network.check_size(*size)
    image = torch.from_numpy(picture(*size))
    before = image.clone()
    exported = torch.export.export(network.module, (image,)).module()
    with torch.no_grad():
        out = network.module(image)
        torch.testing.assert_close(exported(image), out)
    assert out.shape == (1, 1, *size)
    assert torch.equal(image, before)
