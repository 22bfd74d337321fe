"""Families that are known by their keys give the originals' numbers: see golden/make_families_golden.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests import messages
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
from tests.exporter.golden.lively_weights import picture
from torch import nn

from segexport.checkpoint import read_checkpoint
from segexport.errors import ArchitectureError
from segexport.networks import ARCHITECTURES
from segexport.networks.families.bisenetv2 import BiSeNetV2
from segexport.networks.families.extremec3 import ExtremeC3
from segexport.networks.families.fast_scnn import FastSCNN
from segexport.networks.families.modnet import MODNet
from segexport.networks.families.sinet import SINet
from segexport.networks.families.u2net import FULL, SMALL, U2Net, Width
from segexport.networks.families.unet_milesial import ConvPair, MilesialUNet, Widths
from segexport.networks.fit import shapes_of
from segexport.networks.inspection import find_network, setting_conflicts
from segexport.networks.network import LOGITS, Asked
from segexport.networks.recognise import recognise
from segexport.options import parse_triple
from segexport.presets import PREPROCESSING, choose_preprocessing


def blocks(*widths: int) -> tuple[ConvPair, ...]:
    return tuple(ConvPair(first=width, second=width) for width in widths)


def transposed(*widths: int) -> Widths:
    """The U-Net's usual shape, widths from the top down."""
    up = tuple(reversed(widths[:-1]))
    return Widths(downs=blocks(*widths), ups=blocks(*up), upsampled=up)


BILINEAR = Widths(
    downs=blocks(64, 128, 256, 512, 512),
    ups=tuple(ConvPair(first=first, second=second) for first, second in ((512, 256), (256, 128), (128, 64), (64, 64))),
    upsampled=None,
)
MEMBERS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "unet_milesial/transposed_2": (
        lambda: MilesialUNet(transposed(64, 128, 256, 512, 1024)),
        "transposed upsampling, widths 64-128-256-512-1024",
    ),
    "unet_milesial/bilinear_1": (
        lambda: MilesialUNet(BILINEAR, 1),
        "bilinear upsampling, widths 64-128-256-512-512",
    ),
    "modnet/mobilenetv2": (MODNet, "MobileNetV2"),
    "sinet/classes_1": (lambda: SINet(classes=1), "2 and 8 modules, widths 48-96"),
    "sinet/classes_2": (SINet, "2 and 8 modules, widths 48-96"),
    "extremec3/classes_1": (ExtremeC3, "1 and 5 modules"),
    "extremec3/classes_2": (lambda: ExtremeC3(classes=2), "1 and 5 modules"),
    "fast_scnn/aux_19": (lambda: FastSCNN(19, 19), "19 classes, auxiliary head"),
    "fast_scnn/classes_2": (lambda: FastSCNN(2), "2 classes"),
    "bisenetv2/training_19": (lambda: BiSeNetV2(aux=True), "19 classes, bilinear head, auxiliary heads"),
    "bisenetv2/classes_2": (lambda: BiSeNetV2(2), "2 classes, bilinear head"),
    "bisenetv2/shuffle_2": (
        lambda: BiSeNetV2(2, version="pixel shuffle", aux=True),
        "2 classes, pixel shuffle head, auxiliary heads",
    ),
    "bisenetv2/2020_2": (
        lambda: BiSeNetV2(2, version="August 2020", aux=True),
        "2 classes, August 2020 head, auxiliary heads",
    ),
    "u2net/small": (lambda: U2Net(SMALL), "U2NETP"),
    "u2net/full": (lambda: U2Net(FULL), "U2NET"),
}
LARGE = ("u2net/full",)  # 44 million lively numbers take longer than they tell: its keys are held, U2NETP's numbers are
FAMILIES = tuple(dict.fromkeys(path.partition("/")[0] for path in MEMBERS))


def meta(path: str) -> nn.Module:
    with torch.device("meta"):
        return MEMBERS[path][0]()


def test_every_golden_file_is_held() -> None:
    assert sorted(path for family in FAMILIES for path in cases(family)) == sorted(MEMBERS)


@pytest.mark.parametrize("path", [path for path in MEMBERS if path not in LARGE])
def test_same_keys_and_numbers_as_the_original(path: str) -> None:
    golden = read(path)
    network = recognise_like(golden, meta(path))
    assert (network.name, network.variant) == (path.partition("/")[0], MEMBERS[path][1])
    assert_agrees(network, golden)


@pytest.mark.parametrize("path", LARGE)
def test_same_keys_and_parameters_as_the_large_original(path: str) -> None:
    golden = read(path)
    plan = ARCHITECTURES[path.partition("/")[0]].plan(shapes_of_module(meta(path)))
    assert plan.variant == MEMBERS[path][1]
    assert sum(parameter.numel() for parameter in plan.module.parameters()) == golden["parameters"]
    assert shapes_of_module(plan.module) == shapes_of_module(meta(path))


def bend_pool(module: nn.Module) -> None:
    branch = module.get_submodule("encoder.level3.3.d2")
    branch.add_module("down_res", nn.AvgPool2d(2))
    branch.add_module("up_res", nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True))


def bend_rate(path: str) -> Callable[[nn.Module], None]:
    def bend(module: nn.Module) -> None:
        convolution = module.get_submodule(path)
        assert isinstance(convolution, nn.Conv2d)
        convolution.dilation = convolution.padding = (convolution.dilation[0] - 1,) * 2

    return bend


def bend_up(module: nn.Module) -> None:
    module.get_submodule("up1").add_module("up", nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))


def bend_norm(module: nn.Module) -> None:
    module.get_submodule("hr_branch.conv_hr4x.0.layers.1").add_module("inorm", nn.Identity())


def bend_aggregation(module: nn.Module) -> None:
    module.get_submodule("bga").bilinear = False  # type: ignore[assignment]


def open_gate(module: nn.Module) -> None:
    module.get_submodule("level2_C").add_module("act", nn.Identity())


@pytest.mark.parametrize(
    ("path", "bend"),
    [
        ("unet_milesial/bilinear_1", bend_up),
        ("modnet/mobilenetv2", bend_norm),
        ("sinet/classes_2", bend_pool),
        ("sinet/classes_2", open_gate),
        ("extremec3/classes_1", bend_rate("encoder.level3.0.d3.conv.5")),
        ("extremec3/classes_1", bend_rate("encoder.level2_0.d2.conv.5")),
        ("bisenetv2/2020_2", bend_aggregation),
        ("u2net/small", bend_rate("stage5.rebnconv3.conv_s1")),
        ("u2net/small", bend_rate("stage1.rebnconv7.conv_s1")),
    ],
)
def test_the_golden_numbers_notice_what_no_key_shows(path: str, bend: Callable[[nn.Module], None]) -> None:
    golden = read(path)
    module = recognise_like(golden, meta(path)).module
    bend(module)
    assert spread_of_difference(run(module, golden), golden) > 10 * TOLERANCE


def saved(folder: Path, path: str, prefix: str = "", **more: object) -> Path:
    """A state dict as training scripts save it."""
    weights: dict[str, object] = {prefix + key: tensor for key, tensor in zeros(shapes_of_module(meta(path))).items()}
    file = folder / "saved.pth"
    torch.save(weights | more, file)
    return file


def test_modnets_data_parallel_checkpoint_is_recognised(tmp_path: Path) -> None:
    network = find_network(read_checkpoint(saved(tmp_path, "modnet/mobilenetv2", "module.")), Asked())
    assert network.name == "modnet"
    assert network.preprocessing == PREPROCESSING["symmetric"]
    assert any("third output, the matte" in note for note in network.notes)
    assert not any(".conv_lr." in key or ".conv_hr." in key for key in network.module.state_dict())


def test_a_backbone_that_is_named_once_is_filled_in() -> None:
    """safetensors keeps one name of a shared tensor."""
    weights = zeros(shapes_of_module(meta("modnet/mobilenetv2")))
    network = recognise({key: one for key, one in weights.items() if not key.startswith("lr_branch.backbone.")})
    assert "names of shared tensors were filled in" in network.notes


def test_the_list_that_milesials_training_puts_between_the_weights_is_no_weight(tmp_path: Path) -> None:
    path = saved(tmp_path, "unet_milesial/bilinear_1", mask_values=[0, 255])
    assert find_network(read_checkpoint(path), Asked()).name == "unet_milesial"


@pytest.mark.parametrize("path", [path for path in MEMBERS if path not in LARGE])
def test_nothing_that_only_training_needs_is_left(path: str) -> None:
    network = recognise(zeros(shapes_of_module(meta(path))))
    assert not any(key.startswith(("aux", "lr_branch.conv_lr.")) for key in network.module.state_dict())


def test_scores_come_before_the_sigmoid_that_is_the_head() -> None:
    for path in ("modnet/mobilenetv2", "u2net/small"):
        network = recognise(lively_tensors(shapes_of_module(meta(path))))
        with torch.no_grad():
            scores = network.module(torch.from_numpy(picture(64, 64)))
        assert network.end == LOGITS
        assert scores.min() < 0 or scores.max() > 1
        assert any("own sigmoid is the head" in note for note in network.notes)


@pytest.mark.parametrize("family", ["sinet", "extremec3"])
def test_the_portrait_networks_take_bytes_as_their_authors_prepared_them(family: str) -> None:
    """Their code: BGR, minus mean, by std, both of bytes, then by 255."""
    plan = ARCHITECTURES[family].plan({})
    assert plan.preprocessing is not None
    color = np.array([10.0, 130.0, 250.0])
    theirs = (color - [107.304565, 115.69884, 132.35703]) / [63.97182, 65.1337, 68.29726] / 255
    ours = (color / 255 - plan.preprocessing.mean) / plan.preprocessing.std
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert plan.color == "bgr"


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_authors_did_to_their_pictures_is_said_as_one_types_it(family: str) -> None:
    plan = ARCHITECTURES[family].plan({})
    note = next(note for note in plan.notes if "its authors trained" in note)
    if plan.preprocessing is None:
        assert "--mean 0.3257,0.369,0.3223" in note
    elif plan.preprocessing.name == "custom":
        typed = re.search(r"--mean (\S+) --std (\S+) --scale 1", note)
        assert typed is not None
        said, _ = choose_preprocessing(None, parse_triple(typed[1]), parse_triple(typed[2]), "1")
        np.testing.assert_allclose((said.mean, said.std), (plan.preprocessing.mean, plan.preprocessing.std), rtol=1e-5)
    else:
        assert f"--preprocess {plan.preprocessing.name}" in note


@pytest.mark.parametrize(
    ("family", "size", "works"),
    [
        ("modnet", (500, 512), "480x512 or 512x512"),
        ("sinet", (224, 240), "224x224 or 224x256"),
        ("extremec3", (222, 224), "220x224 or 224x224"),
        ("fast_scnn", (250, 250), "224x224 or 256x256"),
        ("bisenetv2", (256, 100), "256x96 or 256x128"),
    ],
)
def test_sizes_that_the_original_cannot_take_are_refused_with_those_that_work(
    family: str, size: tuple[int, int], works: str
) -> None:
    plan = ARCHITECTURES[family].plan({})
    with pytest.raises(ArchitectureError, match=works):
        plan.sizes.check(*size)


def test_other_widths_and_depths_are_read_from_the_shapes() -> None:
    narrow = {stage: Width(inside=4, out=8) for stage in SMALL}
    made = {
        "three levels": (MilesialUNet(transposed(8, 16, 24, 40), 3, bias=True), "widths 8-16-24-40"),
        "SINet": (SINet((3, 5), 52, 100, 1), "3 and 5 modules, widths 52-100"),
        "ExtremeC3": (ExtremeC3((2, 3), 4), "2 and 3 modules"),
        "MODNet": (MODNet(16), "width 16"),
        "U2Net": (U2Net(narrow), "stages of 8-8-8-8-8-8 channels"),
    }
    for module, variant in made.values():
        image = torch.from_numpy(picture(64, 32))
        network = recognise(module.state_dict())
        assert variant in network.variant
        with torch.no_grad():
            torch.testing.assert_close(network.module(image), module.eval()(image))


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_a_plan_is_made_for_the_family_alone(name: str) -> None:
    """What keeps recognition short, and two families from being mistaken: no key of one begins as another's."""
    shapes = shapes_of(ARCHITECTURES[name].plan({}).module.state_dict())
    witnessed = [other for other, family in ARCHITECTURES.items() if family.is_witnessed(shapes)]
    assert witnessed == (["smp_unet", "smp_deeplabv3plus"] if name.startswith("smp_") else [name])


def test_the_encoder_alone_is_no_network_of_the_family() -> None:
    weights = zeros(shapes_of_module(meta("sinet/classes_2")))
    alone = {key.removeprefix("encoder."): one for key, one in weights.items() if key.startswith("encoder.")}
    with pytest.raises(ArchitectureError, match=messages.NO_KNOWN_NETWORK):
        recognise(alone)


def test_a_u_net_that_doubles_its_maps_in_two_ways_is_refused() -> None:
    weights = zeros(shapes_of_module(MilesialUNet(transposed(8, 16, 24))))
    del weights["up2.up.weight"], weights["up2.up.bias"]
    with pytest.raises(
        ArchitectureError, match=r"nearest to unet_milesial.*missing up2\.up\.weight; missing up2\.up\.bias"
    ):
        recognise(weights)


@pytest.mark.parametrize("path", ["sinet/classes_2", "fast_scnn/classes_2"])
def test_can_be_exported(path: str) -> None:
    module = recognise(lively_tensors(shapes_of_module(meta(path)))).module
    image = torch.from_numpy(picture(64, 64))
    exported = torch.export.export(module, (image,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(image), module(image))


def test_a_saved_module_that_brings_its_maps_up_otherwise_is_warned_of(tmp_path: Path) -> None:
    module = MilesialUNet(Widths(downs=blocks(4, 8), ups=blocks(4), upsampled=None))
    torch.save(module, tmp_path / "same.pth")
    bend_up(module)
    torch.save(module, tmp_path / "bent.pth")
    same, bent = (read_checkpoint(tmp_path / name) for name in ("same.pth", "bent.pth"))
    assert setting_conflicts(same, find_network(same, Asked())) == []
    told = setting_conflicts(bent, find_network(bent, Asked()))
    assert len(told) == 1
    assert "up1.up.align_corners is False in the saved module, True in unet_milesial" in told[0]
