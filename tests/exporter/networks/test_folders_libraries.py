"""What transformers, segmentation_models_pytorch and Lightning save: the real libraries wrote every file here."""

from __future__ import annotations

import importlib.util
import json
import socket
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests import messages
from tests.refusals import refusal
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.checkpoint import read_checkpoint
from segexport.errors import ArchitectureError
from segexport.networks.inspection import find_network, inspect
from segexport.networks.libraries.imports import library
from segexport.networks.network import LOGITS, Asked, Network
from segexport.options import Options
from segexport.subject.prepare import prepare
from segruntime.errors import install_command

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("transformers", "segmentation_models_pytorch")),
    reason=f"needs the extras hf and smp: {install_command('hf')} and {install_command('smp')}",
)
SMALL = Asked(size=(64, 64))
PERSON = {"id2label": {0: "background", 1: "person"}, "label2id": {"background": 0, "person": 1}}
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


@pytest.fixture(scope="module")
def hf() -> ModuleType:
    return library("transformers")


@pytest.fixture(scope="module")
def smp() -> ModuleType:
    return library("segmentation_models_pytorch")


@pytest.fixture(autouse=True)
def _no_words_of_theirs() -> Any:
    """Their own warnings while they build and save are none of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever asks for an address fails the test, ours or theirs."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *words: pytest.fail(f"asked for {words}"))


def lively(module: nn.Module) -> nn.Module:
    """Random weights whose batch norms are not the identity, in evaluation mode."""
    torch.manual_seed(0)
    for one in module.modules():
        if isinstance(one, nn.BatchNorm2d) and one.running_mean is not None and one.running_var is not None:
            one.running_mean.normal_(0, 0.1)
            one.running_var.uniform_(0.5, 1.5)
    return module.eval()


def segformer(hf: ModuleType, **words: Any) -> nn.Module:
    shape = {"hidden_sizes": [8, 16, 24, 32], "depths": [1] * 4, "num_attention_heads": [1, 2, 3, 4]}
    return lively(hf.SegformerForSemanticSegmentation(hf.SegformerConfig(**shape, decoder_hidden_size=16, **words)))


def mobilevit(hf: ModuleType) -> nn.Module:
    necks = [8, 8, 16, 16, 24, 32, 64]
    config = hf.MobileViTConfig(hidden_sizes=[16, 24, 32], neck_hidden_sizes=necks, aspp_out_channels=16, num_labels=21)
    return lively(hf.MobileViTForSemanticSegmentation(config))


def mobilenetv2(hf: ModuleType) -> nn.Module:
    return lively(hf.MobileNetV2ForSemanticSegmentation(hf.MobileNetV2Config(depth_multiplier=0.35, num_labels=2)))


def upernet(hf: ModuleType) -> nn.Module:
    stages = ["stage1", "stage2", "stage3", "stage4"]
    backbone = hf.ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1] * 4, out_features=stages)
    words = {"hidden_size": 16, "auxiliary_channels": 8, "auxiliary_in_channels": 24, "num_labels": 2}
    return lively(hf.UperNetForSemanticSegmentation(hf.UperNetConfig(backbone_config=backbone, **words)))


def same_scores(network: Network, original: Callable[[Tensor], Tensor]) -> bool:
    """On a picture of the size that was asked for, brought up to it as transformers' users do."""
    picture = torch.randn(1, 3, *network.default_size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs, ours = original(picture), network.module(picture)
    theirs = F.interpolate(theirs, size=network.default_size, mode="bilinear", align_corners=False)
    return bool(theirs.std() > 0) and torch.allclose(ours, theirs, rtol=0, atol=1e-6 * float(theirs.abs().max()))


@pytest.mark.parametrize("make", [segformer, mobilevit, mobilenetv2, upernet])
def test_a_network_of_transformers_gives_its_own_scores(
    hf: ModuleType, tmp_path: Path, make: Callable[[ModuleType], nn.Module]
) -> None:
    original: Any = make(hf)
    original.save_pretrained(tmp_path)
    network = find_network(read_checkpoint(tmp_path), SMALL)
    assert network.name == f"transformers:{type(original).__name__}"
    assert (network.end, network.parameters) == (LOGITS, sum(p.numel() for p in original.parameters()))
    assert same_scores(network, lambda picture: original(picture).logits)


def test_weights_in_several_files_are_the_same_network(hf: ModuleType, tmp_path: Path) -> None:
    original: Any = segformer(hf)
    original.save_pretrained(tmp_path, max_shard_size="40KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    assert same_scores(find_network(read_checkpoint(tmp_path), SMALL), lambda picture: original(picture).logits)


def test_labels_and_the_image_processor_tell_person_mean_std_and_size(hf: ModuleType, tmp_path: Path) -> None:
    segformer(hf, **PERSON).save_pretrained(tmp_path)  # type: ignore[operator]
    hf.SegformerImageProcessor(size={"height": 96, "width": 64}).save_pretrained(tmp_path)
    network = find_network(read_checkpoint(tmp_path))
    assert (network.person_channel, network.default_size, network.color) == (1, (96, 64), "rgb")
    assert network.preprocessing is not None
    assert network.preprocessing.mean == pytest.approx(MEAN.flatten().tolist())
    assert network.preprocessing.std == pytest.approx(STD.flatten().tolist())
    assert any("channel 1 is the person: id2label calls it 'person'" in note for note in network.notes)
    assert any("preprocessor_config.json says mean 0.485,0.456,0.406" in note for note in network.notes)


@pytest.mark.parametrize(
    ("labels", "channel"),
    [(["sky", "Person ", "road"], 1), (["person", "people", "road"], None), (["sky", "tree", "road"], None)],
)
def test_of_many_labels_only_one_that_is_a_person_is_taken(
    hf: ModuleType, tmp_path: Path, labels: list[str], channel: int | None
) -> None:
    segformer(hf, id2label=dict(enumerate(labels))).save_pretrained(tmp_path)  # type: ignore[operator]
    assert find_network(read_checkpoint(tmp_path), SMALL).person_channel == channel


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("MobileViTImageProcessor", {}, (0.0, 1.0, "bgr", (256, 256))),
        ("MobileNetV2ImageProcessor", {}, (0.5, 0.5, "rgb", (224, 224))),
        ("SegformerImageProcessor", {"do_rescale": False}, (0.485 / 255, 0.229 / 255, "rgb", (512, 512))),
        ("SegformerImageProcessor", {"do_normalize": False, "do_resize": False}, (0.0, 1.0, "rgb", None)),
        ("SegformerImageProcessor", {"rescale_factor": 1 / 127.5}, (0.485 / 2, 0.229 / 2, "rgb", (512, 512))),
    ],
)
def test_what_an_image_processor_does_is_what_the_file_does(
    hf: ModuleType, tmp_path: Path, name: str, words: dict[str, Any], told: tuple[float, float, str, Any]
) -> None:
    """Its own numbers for a picture of bytes are the measure: nearest pixels, so that resizing changes none."""
    from segexport.networks.libraries.processor import read_processor

    mean, std, color, size = told
    processor = getattr(hf, name)(**words)
    processor.save_pretrained(tmp_path)
    read = read_processor(tmp_path, json.loads((tmp_path / "preprocessor_config.json").read_text()))
    assert read.preprocessing is not None
    assert (read.preprocessing.mean[0], read.preprocessing.std[0]) == pytest.approx((mean, std))
    assert (read.color, read.size) == (color, size)
    flat = torch.tensor([200, 100, 50], dtype=torch.uint8).view(3, 1, 1).expand(3, *(size or (64, 64)))
    theirs = processor(flat, return_tensors="pt")["pixel_values"][0, :, 32, 32]
    unit = torch.tensor([200, 100, 50]) / 255
    ordered = unit.flip(0) if color == "bgr" else unit
    ours = (ordered - torch.tensor(read.preprocessing.mean)) / torch.tensor(read.preprocessing.std)
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_the_user_s_words_win_over_the_image_processor_s(hf: ModuleType, tmp_path: Path) -> None:
    segformer(hf, **PERSON).save_pretrained(tmp_path)  # type: ignore[operator]
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_normalize": True, "do_flip_channel_order": True}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(half | {"size": 64}))
    options = Options(checkpoint=tmp_path, output=tmp_path / "out", precisions=("float32",))
    said = prepare(options)
    assert (said.source.preprocessing, said.source.color, said.source.checkpoint) == ("saved", "bgr", tmp_path.name)
    assert (said.source.mean, said.size, said.warnings) == ((0.5,) * 3, (64, 64), ())
    for changes, name, color, size in (
        ({"preprocess": "imagenet"}, "imagenet", "rgb", (64, 64)),
        ({"mean": (0.1,) * 3, "std": (0.2,) * 3, "size": (96, 32)}, "custom", "rgb", (96, 32)),
    ):
        said = prepare(replace(options, **changes))
        assert (said.source.preprocessing, said.source.color, said.size) == (name, color, size)


def change_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"auto_map": {"AutoModel": "modeling_evil.Evil"}}, "auto_map names code that lies in the folder"),
        ({"nested": [{"auto_map": {}}]}, "auto_map names code"),
        ({"architectures": ["EvilForSemanticSegmentation"]}, "EvilForSemanticSegmentation is not in transformers"),
        ({"architectures": ["SegformerForImageClassification"]}, "gives no map of scores for each pixel"),
        ({"architectures": ["__import__('os')"]}, "names no class under 'architectures'"),
        ({"architectures": None}, "names no class under 'architectures'"),
        ({"quantization_config": {"load_in_8bit": True}}, "the weights are quantized"),
        ({"backbone": "someone/some-backbone"}, "names another repository"),
        ({"hidden_sizes": [8, 16, 24, 40]}, "the weights do not fit"),
        ({"hidden_sizes": [8, 16, 24, 2**40]}, "it holds the number 1,099,511,627,776"),
        ({"hidden_sizes": [8, 16, 24, 60_000]}, "values, and the weights are"),
        ({"depths": [1, 1, 1, 10**9]}, "it holds the number 1,000,000,000"),
        ({"depths": [1, 1, 1, 60_000]}, "asks for more than"),
        ({"hidden_sizes": "many"}, "cannot be built"),
        ({"num_labels": 3, "id2label": {str(k): str(k) for k in range(3)}}, "decode_head.classifier.weight has "),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_configuration_that_cannot_be_trusted_or_used_is_one_line(
    hf: ModuleType, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    segformer(hf).save_pretrained(tmp_path)  # type: ignore[operator]
    (tmp_path / "modeling_evil.py").write_text("raise SystemExit('ran')\n")
    change_config(tmp_path, **changes)
    said = refusal(ArchitectureError, find_network, read_checkpoint(tmp_path), SMALL, most=799)
    assert words in said
    assert said.startswith(str(tmp_path / "config.json")) or "more than" in said


def test_weights_that_lack_a_tensor_or_have_one_too_many_are_refused(hf: ModuleType, tmp_path: Path) -> None:
    """The library itself would go on with random values."""
    segformer(hf).save_pretrained(tmp_path)  # type: ignore[operator]
    weights = load_file(tmp_path / "model.safetensors")
    bias = weights.pop("decode_head.classifier.bias")
    more = weights | {"decode_head.classifier.bias": bias, "extra.weight": bias + 1}
    for changed, said in ((weights, r"missing decode_head\.classifier\.bias"), (more, r"unexpected extra\.weight")):
        save_file(changed, tmp_path / "model.safetensors")
        with pytest.raises(ArchitectureError, match=f"do not fit: {said}"):
            find_network(read_checkpoint(tmp_path), SMALL)


def test_how_the_library_shall_compute_is_not_the_file_s_to_say(hf: ModuleType, tmp_path: Path) -> None:
    original: Any = segformer(hf)
    original.save_pretrained(tmp_path)
    change_config(tmp_path, _attn_implementation="evil/kernel", attn_implementation="evil/kernel", dtype="float16")
    assert same_scores(find_network(read_checkpoint(tmp_path), SMALL), lambda picture: original(picture).logits)


KEYS = {
    "FPN": "efficientnet-b0",
    "UnetPlusPlus": "resnet18",
    "MAnet": "resnet18",
    "Linknet": "resnet18",
    "PSPNet": "efficientnet-b0",
    "DeepLabV3": "resnet18",
    "PAN": "mit_b0",
    "UPerNet": "mobilenet_v2",
    "Segformer": "mit_b0",
    "DeepLabV3Plus": "efficientnet-b0",
    "Unet": "mit_b0",
}


@pytest.mark.parametrize("decoder", KEYS)
def test_every_decoder_is_known_by_its_keys(smp: ModuleType, tmp_path: Path, decoder: str) -> None:
    original = lively(getattr(smp, decoder)(KEYS[decoder], encoder_weights=None, classes=2))
    torch.save(original.state_dict(), tmp_path / "net.pth")
    network = find_network(read_checkpoint(tmp_path / "net.pth"), Asked(size=(128, 128)) if decoder == "PAN" else SMALL)
    assert network.name == f"segmentation_models_pytorch:{decoder}"
    assert network.variant == f"{decoder} with {KEYS[decoder]}, 2 classes"
    assert same_scores(network, original)


@pytest.mark.parametrize(
    ("decoder", "words"),
    [
        ("Unet", {"decoder_channels": [64, 32, 16], "encoder_depth": 3, "decoder_attention_type": "scse"}),
        ("Unet", {"decoder_use_norm": False, "aux_params": {"classes": 4}}),
        ("FPN", {"decoder_merge_policy": "cat", "decoder_pyramid_channels": 32, "decoder_segmentation_channels": 32}),
        ("PSPNet", {"psp_out_channels": 64, "encoder_depth": 4}),
        ("MAnet", {"decoder_pab_channels": 16, "decoder_channels": [64, 32, 32, 16, 16]}),
        ("DeepLabV3", {"decoder_aspp_separable": True, "decoder_channels": 32}),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)
def test_what_keys_and_shapes_show_is_read_from_them(
    smp: ModuleType, tmp_path: Path, decoder: str, words: dict[str, Any]
) -> None:
    original = lively(getattr(smp, decoder)("efficientnet-b0", encoder_weights=None, **words))
    saved = {f"segmenter.{key}": value for key, value in original.state_dict().items()}
    torch.save({"state_dict": saved}, tmp_path / "n.ckpt")
    network = find_network(read_checkpoint(tmp_path / "n.ckpt"), SMALL)
    original.classification_head = None  # type: ignore[assignment]
    if decoder != "PSPNet":  # its upsampling is not shown, and is said
        assert same_scores(network, original)
    assert ("classification head left out: the mask does not need it" in network.notes) == ("aux_params" in words)


def test_keys_that_fit_two_encoders_are_refused_with_what_to_type(smp: ModuleType, tmp_path: Path) -> None:
    names = ["tu-mobilenetv3_small_100", "tu-tf_mobilenetv3_small_100"]
    original = lively(smp.FPN(names[0], encoder_weights=None))
    torch.save(original.state_dict(), tmp_path / "net.pth")
    typed = "--arch segmentation_models_pytorch:FPN --arch-args encoder_name="
    problem = str(inspect(tmp_path / "net.pth")["problem"])
    assert [f"{typed}{name}" in problem for name in names] == [True, True]
    assert "which one it is cannot be known" in problem
    asked = Asked(arch="segmentation_models_pytorch:FPN", arch_args={"encoder_name": names[0]}, size=(64, 64))
    assert same_scores(find_network(read_checkpoint(tmp_path / "net.pth"), asked), original)
    saved = {"state_dict": original.state_dict(), "hyper_parameters": {"encoder_name": names[0]}}
    torch.save(saved, tmp_path / "net.ckpt")
    assert same_scores(find_network(read_checkpoint(tmp_path / "net.ckpt"), SMALL), original)


def test_a_whole_saved_module_says_what_keys_do_not(smp: ModuleType, tmp_path: Path) -> None:
    original = lively(smp.Unet("resnet18", encoder_weights=None, decoder_interpolation="bilinear"))
    torch.save(original, tmp_path / "whole.pth")
    network = find_network(read_checkpoint(tmp_path / "whole.pth"), SMALL)
    assert network.name == "segmentation_models_pytorch:Unet"
    assert same_scores(network, original)


def test_hyper_parameters_say_what_keys_do_not_and_plain_weights_go_before_averaged_ones(
    smp: ModuleType, tmp_path: Path
) -> None:
    original = lively(smp.Unet("resnet18", encoder_weights=None, decoder_interpolation="bilinear"))
    weights = {f"net.{key}": value for key, value in original.state_dict().items()}
    averaged = {f"ema_{key}": torch.zeros_like(value) for key, value in weights.items()}
    arguments = {"lr": 0.1, "net": {"encoder_name": "resnet18", "decoder_interpolation": "bilinear"}}
    saved = {"state_dict": {**weights, **averaged}, "hyper_parameters": arguments}
    torch.save(saved, tmp_path / "last.ckpt")
    network = find_network(read_checkpoint(tmp_path / "last.ckpt"), SMALL)
    assert same_scores(network, original)
    assert any(f"{messages.KEYS_LEFT_OUT} ema_net." in note for note in network.notes)


def test_a_saved_folder_says_what_keys_do_not(smp: ModuleType, tmp_path: Path) -> None:
    words = {"decoder_interpolation": "bilinear", "activation": "sigmoid", "aux_params": {"classes": 3}}
    original: Any = lively(smp.Unet("resnet18", encoder_weights=None, **words))
    original.save_pretrained(tmp_path)
    network = find_network(read_checkpoint(tmp_path), SMALL)
    assert (network.name, network.end) == ("segmentation_models_pytorch:Unet", LOGITS)
    assert any("its activation 'sigmoid' is left out" in note for note in network.notes)
    picture = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(network.module(picture).sigmoid(), original(picture)[0], atol=1e-6)


def test_an_activation_that_no_head_makes_up_for_stays(smp: ModuleType, tmp_path: Path) -> None:
    original: Any = lively(smp.Unet("resnet18", encoder_weights=None, activation="sigmoid", classes=2))
    original.save_pretrained(tmp_path)
    network = find_network(read_checkpoint(tmp_path), SMALL)
    assert network.end is None
    assert same_scores(network, original)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"_model_class": "os"}, "os is no network of segmentation_models_pytorch"),
        ({"_model_class": "SegmentationModel"}, "do not fit|cannot be built|is no network"),
        ({"encoder_name": "tu-hf-hub:someone/net"}, "nothing is downloaded"),
        ({"encoder_name": "../net"}, "nothing is downloaded"),
        ({"encoder_name": "resnet1"}, "cannot be built"),
        ({"checkpoint_path": "/etc/passwd"}, "takes no checkpoint_path"),
        ({"pretrained_cfg_overlay": {"file": "/etc/passwd"}}, "takes no pretrained_cfg_overlay"),
        ({"in_channels": 4}, "takes 4 input channels, expected 3"),
        ({"decoder_channels": [2**40] * 5}, "it holds the number"),
        ({"decoder_channels": [60_000] * 5}, "the weights do not fit"),
        ({"encoder_name": "resnet34"}, "the weights do not fit"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_configuration_of_smp_that_cannot_be_trusted_or_used_is_one_line(
    smp: ModuleType, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    smp.Unet("resnet18", encoder_weights=None).save_pretrained(tmp_path)
    change_config(tmp_path, **changes)
    refusal(ArchitectureError, find_network, read_checkpoint(tmp_path), SMALL, match=words)


def test_weights_of_the_encoder_are_never_asked_for(smp: ModuleType, tmp_path: Path) -> None:
    original: Any = lively(smp.FPN("resnet18", encoder_weights=None))
    original.save_pretrained(tmp_path)
    change_config(tmp_path, encoder_weights="imagenet")
    assert same_scores(find_network(read_checkpoint(tmp_path), SMALL), original)


def trained_for(smp: ModuleType, scale: float) -> nn.Module:
    """A network whose batch norms saw pictures in 0..`scale`, prepared with MEAN and STD."""
    torch.manual_seed(0)
    network: nn.Module = smp.FPN("efficientnet-b0", encoder_weights=None).train()
    smooth = F.interpolate(torch.rand(4, 3, 9, 9), size=(64, 64), mode="bilinear")
    for one in network.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.momentum = 1.0
    with torch.no_grad():
        network((scale * smooth - MEAN) / STD)
    return network.eval()


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_mean_and_std_beside_a_network_of_lightning_are_used_on_the_scale_that_it_was_trained_for(
    smp: ModuleType, tmp_path: Path, scale: float
) -> None:
    """As the library's own example saves; it forgets to divide bytes by 255, and another training may not."""
    original = trained_for(smp, scale)
    saved = {f"model.{key}": value for key, value in original.state_dict().items()} | {"mean": MEAN, "std": STD}
    arguments = {"arch": "FPN", "encoder_name": "efficientnet-b0", "in_channels": 3, "out_classes": 1}
    path = tmp_path / "last.ckpt"
    torch.save({"epoch": 1, "state_dict": saved, "hyper_parameters": arguments}, path)
    network = find_network(read_checkpoint(path), SMALL)
    assert same_scores(network, original)
    assert network.preprocessing is not None
    assert network.preprocessing.mean == pytest.approx((MEAN.flatten() / scale).tolist())
    assert network.preprocessing.std == pytest.approx((STD.flatten() / scale).tolist())
    said = f"with pictures in 0..{scale:g}, which is what its first batch norm saw"
    assert any(said in note for note in network.notes)
