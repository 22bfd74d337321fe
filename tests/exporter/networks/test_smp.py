"""Unet and DeepLabV3Plus give segmentation_models_pytorch's numbers: see golden/make_smp_golden.py.

The library imports torchvision, which does not import next to the project's CPU torch: so its numbers were made once,
in an environment of its own, with versions 0.6.0, 0.3.4 and 0.2.1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from tests import messages
from tests.exporter.golden.agreement import (
    GOLDEN,
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
from tests.exporter.golden.lively_weights import picture
from tests.refusals import refusal
from torch import nn

from segexport.errors import ArchitectureError
from segexport.networks import Network
from segexport.networks.network import Asked
from segexport.networks.recognise import recognise
from segexport.networks.smp.deeplabv3plus import make_smp_deeplabv3plus
from segexport.networks.smp.encoders import ENCODERS, RESNETS
from segexport.networks.smp.relatives import explain_smp
from segexport.networks.smp.unet import USUAL_CHANNELS, make_smp_unet
from segexport.networks.user import load_user_network

UNETS, DEEPLABS = cases("smp_unet"), cases("smp_deeplabv3plus")


def classification(golden: Mapping[str, Any]) -> int | None:
    aux = golden["asked"].get("aux_params")
    return None if aux is None else int(aux["classes"])


def meta_unet(golden: Mapping[str, Any]) -> nn.Module:
    channels = golden["asked"].get("decoder_channels", USUAL_CHANNELS)
    with torch.device("meta"):
        return make_smp_unet(ENCODERS[golden["encoder"]], channels, golden["classes"], classification(golden))


def meta_deeplab(golden: Mapping[str, Any]) -> nn.Module:
    asked = golden["asked"]
    depth, width = asked.get("encoder_depth", 5), asked.get("decoder_channels", 256)
    separable = asked.get("decoder_aspp_separable", True)
    with torch.device("meta"):
        return make_smp_deeplabv3plus(
            ENCODERS[golden["encoder"]], depth, width, golden["classes"], classification(golden), separable=separable
        )


def unet(encoder: str, **asked: Any) -> Network:
    module = meta_unet({"encoder": encoder, "classes": 1, "asked": asked})
    return recognise(lively_tensors(shapes_of_module(module)))


def assert_described(network: Network, golden: Mapping[str, Any]) -> None:
    """What the library was asked for is what `segexport inspect` says, and nothing that the mask does not need is left."""
    assert network.variant.startswith(f"{golden['encoder']}, ")
    has_head = classification(golden) is not None
    assert any("classification head" in note for note in network.notes) == has_head
    depth = golden["asked"].get("encoder_depth", 5)
    assert any(f"encoder depth {depth}" in note for note in network.notes) == (depth < 5)
    kept = network.module.state_dict()
    assert not any(key.startswith("classification_head") for key in kept)
    assert depth == 5 or not any(key.startswith(("encoder.layer4", "encoder.features.18")) for key in kept)


@pytest.mark.parametrize("family", [UNETS, DEEPLABS], ids=["smp_unet", "smp_deeplabv3plus"])
def test_there_are_golden_files_for_every_encoder_and_older_versions(family: list[str]) -> None:
    golden = [read(path) for path in family]
    assert {about["encoder"] for about in golden} == set(ENCODERS)
    assert {about["versions"]["smp"] for about in golden} == {"0.2.1", "0.3.4", "0.6.0"}


@pytest.mark.parametrize("path", [*UNETS, *DEEPLABS])
def test_same_keys_and_numbers_as_the_library(path: str) -> None:
    golden, family = read(path), path.partition("/")[0]
    network = recognise_like(golden, {"smp_unet": meta_unet, "smp_deeplabv3plus": meta_deeplab}[family](golden))
    assert network.name == family
    assert_described(network, golden)
    assert_agrees(network, golden)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_golden_numbers_notice_a_rate_that_is_off_by_one(number: int) -> None:
    golden = read("smp_deeplabv3plus/resnet18_1")
    module = recognise_like(golden, meta_deeplab(golden)).module
    convolution = module.get_submodule(f"decoder.aspp.0.convs.{number}.0.0")
    convolution.dilation = convolution.padding = (convolution.dilation[0] - 1,) * 2
    assert spread_of_difference(run(module, golden), golden) > 10 * TOLERANCE


@pytest.mark.parametrize("name", ["layer4.0.conv1", "layer4.1.conv2"])
def test_the_golden_numbers_notice_a_layer_that_does_not_dilate(name: str) -> None:
    golden = read("smp_deeplabv3plus/resnet18_1")
    module = recognise_like(golden, meta_deeplab(golden)).module
    convolution = module.get_submodule(f"encoder.{name}")
    convolution.dilation = convolution.padding = (1, 1)
    assert spread_of_difference(run(module, golden), golden) > 10 * TOLERANCE


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("encoder", ["resnet18", "mobilenet_v2"])
def test_unet_takes_multiples_of_two_to_its_depth(encoder: str, depth: int) -> None:
    network = unet(encoder, decoder_channels=USUAL_CHANNELS[:depth])
    multiple = 2**depth
    network.check_size(multiple, 3 * multiple)
    assert network.size_rule == f"multiples of {multiple}"
    with torch.no_grad():
        assert network.module(torch.from_numpy(picture(multiple, 3 * multiple))).shape == (1, 1, multiple, 3 * multiple)


@pytest.mark.parametrize(
    ("size", "nearest"), [((100, 64), "96x64"), ((64, 113), "64x128"), ((1, 15), "32x32"), ((48, 80), "64x96")]
)
def test_other_sizes_are_refused_with_the_nearest_that_work(size: tuple[int, int], nearest: str) -> None:
    network = unet("mobilenet_v2")
    with pytest.raises(ArchitectureError, match=rf"{messages.MULTIPLES_OF_32} {size[0]}x{size[1]}; .*{nearest}\b"):
        network.check_size(*size)


def test_what_keys_do_not_show_is_said() -> None:
    assert any("decoder_interpolation 'nearest'" in note for note in unet("mobilenet_v2").notes)
    network = recognise(zeros(shapes_of_module(make_smp_deeplabv3plus(ENCODERS["mobilenet_v2"]))))
    assert any("encoder_output_stride 16, decoder_atrous_rates 12-24-36" in note for note in network.notes)


@pytest.mark.parametrize(("classes", "person"), [(1, 0), (2, 1), (21, 15), (5, None)])
def test_head_decides_channels_and_person(classes: int, person: int | None) -> None:
    network = recognise(zeros(shapes_of_module(meta_unet({"encoder": "resnet18", "classes": classes, "asked": {}}))))
    assert (network.out_channels, network.person_channel) == (classes, person)


@pytest.mark.parametrize("name", sorted(RESNETS))
def test_one_block_less_is_told_by_its_keys(name: str) -> None:
    shapes = shapes_of_module(meta_unet({"encoder": name, "classes": 1, "asked": {}}))
    last = max(int(key.split(".")[2]) for key in shapes if key.startswith("encoder.layer4."))
    less = {key: shape for key, shape in shapes.items() if not key.startswith(f"encoder.layer4.{last}.")}
    with pytest.raises(ArchitectureError, match=rf"nearest to smp_unet \({name}.*missing encoder\.layer4\.{last}\."):
        recognise({key: torch.empty(shape, device="meta") for key, shape in less.items()})


@pytest.mark.parametrize("name", ["smp_unet", "smp_deeplabv3plus"])
def test_can_be_exported(name: str) -> None:
    make = make_smp_unet if name == "smp_unet" else make_smp_deeplabv3plus
    with torch.device("meta"):
        module: nn.Module = make(ENCODERS["mobilenet_v2"])
    network = recognise(lively_tensors(shapes_of_module(module)))
    image = torch.from_numpy(picture(64, 64))
    exported = torch.export.export(network.module, (image,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(image), network.module(image))


RELATIVES = json.loads((GOLDEN / "smp_relatives" / "keys.json").read_text())


@pytest.mark.parametrize("words", RELATIVES)
def test_relatives_that_are_not_known_are_told_by_name(words: str) -> None:
    said = refusal(
        ArchitectureError,
        recognise,
        {key: torch.empty(shape, device="meta") for key, shape in RELATIVES[words].items()},
    )
    assert said.startswith("this looks like segmentation_models_pytorch's ")
    assert words in said.partition(", which is not known")[0]
    assert "nearest is smp_" in said
    assert said.endswith(f"for your own class give {messages.OWN_CLASS}")


def test_relatives_are_told_when_the_user_names_the_network_too() -> None:
    shapes = RELATIVES["scse attention"]
    with pytest.raises(
        ArchitectureError, match=r"^--arch smp_unet \(.*\) does not fit \(this looks like .* scse attention"
    ):
        load_user_network(
            Asked(arch="smp_unet"), [{key: torch.empty(shape, device="meta") for key, shape in shapes.items()}]
        )


def test_networks_of_others_are_no_relatives() -> None:
    assert explain_smp({"encoder.0.weight": (3, 3), "decoder.p5.weight": (3,)}) is None
    assert explain_smp({"segmentation_head.0.weight": (1, 16, 3, 3), "body.weight": (3,)}) is None
    for encoder in ENCODERS:
        assert explain_smp(shapes_of_module(meta_unet({"encoder": encoder, "classes": 1, "asked": {}}))) is None
