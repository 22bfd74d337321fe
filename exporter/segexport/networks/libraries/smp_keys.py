"""Networks of segmentation_models_pytorch by their keys: which decoder and encoder of the installed library they fit."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from torch import Tensor

from segexport.checkpoint import Checkpoint
from segexport.checkpoint.training_dict import AVERAGED
from segexport.errors import ArchitectureError, first_few, shown
from segexport.networks.fit import differences, shapes_of
from segexport.networks.libraries.building import fitting, sketch
from segexport.networks.libraries.imports import library
from segexport.networks.libraries.smp import NAME, Described, as_network, class_of, describe
from segexport.networks.network import Asked, Network, Shapes
from segexport.networks.smp.relatives import DECODERS as UNKNOWN_DECODERS
from segexport.networks.smp.relatives import HEAD

DECODERS = {
    **UNKNOWN_DECODERS,
    r"decoder\.block1\.": "DeepLabV3Plus",
    r"decoder\.blocks\.\d+\.conv1\.": "Unet",
}
"""The first key that begins so gives a decoder away."""
WIDTHS = {
    "FPN": {
        "decoder_pyramid_channels": "decoder.p5.weight",
        "decoder_segmentation_channels": "decoder.seg_blocks.0.block.0.block.0.weight",
    },
    "UPerNet": {"decoder_channels": "decoder.fusion_block.0.weight"},
    "PSPNet": {"psp_out_channels": "decoder.conv.0.weight"},
    "MAnet": {"decoder_pab_channels": "decoder.center.top_conv.weight"},
    "PAN": {"decoder_channels": "decoder.fpa.mid.0.conv.weight"},
    "Segformer": {"decoder_segmentation_channels": "decoder.mlp_stage.0.linear.weight"},
    "DeepLabV3Plus": {"decoder_channels": "decoder.aspp.0.project.0.weight"},
    "DeepLabV3": {"decoder_channels": "decoder.aspp.project.0.weight"},
}
"""Decoder → argument → the key whose first axis it is."""
BLOCKS = {
    "Unet": r"decoder\.blocks\.(\d+)\.conv2\.0\.weight",
    "MAnet": r"decoder\.blocks\.(\d+)\.conv2\.0\.weight",
    "UnetPlusPlus": r"decoder\.blocks\.x_0_(\d+)\.conv2\.0\.weight",
    "Linknet": r"decoder\.blocks\.(\d+)\.block\.2\.0\.weight",
}
"""Decoder → the last convolution of each of its blocks, of which there are as many as the encoder is deep."""
UNSHOWN = ("decoder_atrous_rates", "decoder_interpolation", "encoder_output_stride", "upsampling")
DEPTHS = (5, 4, 3)
TIMM = re.compile(r"(tf_)?(mobilenetv[234]|efficientnet(v2)?_|resnet\d|resnext\d|convnext_|ghostnet|mobileone|repvgg)")
"""Families of timm's encoders that are tried; the others have to be named."""
NONE_NAMED: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNetwork:
    """`shapes` of the network itself; `state_dict` are its weights, `left_out` the keys next to it."""

    decoder: str
    state_dict: Mapping[str, Tensor]
    shapes: Shapes
    left_out: tuple[str, ...]


def find_smp(checkpoint: Checkpoint) -> FoundNetwork | None:
    """The weights of one network of the library, whatever stands before their keys; None where there is none, or several.

    Plain weights are taken before averaged ones.
    """
    for saved in (checkpoint.state_dict, checkpoint.saved):
        every = [key.removesuffix(HEAD) for key, value in saved.items() if key.endswith(HEAD) and value.ndim == 4]
        plain = [prefix for prefix in every if not AVERAGED.search(prefix)]
        prefixes = plain or every
        if len(prefixes) != 1:
            continue
        (prefix,) = prefixes
        own = {key.removeprefix(prefix): value for key, value in saved.items() if key.startswith(prefix)}
        decoder = next((name for pattern, name in DECODERS.items() if any(re.match(pattern, key) for key in own)), None)
        if decoder is not None and any(key.startswith("encoder.") for key in own):
            left_out = tuple(key for key in saved if not key.startswith(prefix))
            return FoundNetwork(decoder=decoder, state_dict=own, shapes=shapes_of(own), left_out=left_out)
    return None


def recognise_smp(where: str, found: FoundNetwork, asked: Asked, named: Mapping[str, object] = NONE_NAMED) -> Network:
    """The one network of the installed library that the keys fit, with its weights.

    Args:
        named: what is known of the arguments, and under `arch` of the class; the keys say the rest.

    Raises:
        ArchitectureError: none fits, or several do.
        MissingExtraError: the library is not installed.
    """
    smp = library(NAME)
    decoder = str(named.get("arch", found.decoder))
    known = {key: value for key, value in named.items() if key != "arch"}
    kind = class_of(smp, decoder)
    settings = {**read_settings(found.decoder, found.shapes), **known}
    encoders = [str(known["encoder_name"])] if "encoder_name" in known else _encoders(smp, where, found)
    taken = inspect.signature(kind.__init__).parameters if kind is not None else {}
    settings = {key: value for key, value in settings.items() if key in taken or key in known}
    candidates = [
        describe(smp, where, decoder, {**settings, "encoder_name": encoder, **depth})
        for encoder in encoders
        for depth in ([{}] if "encoder_depth" in settings else [{"encoder_depth": depth} for depth in DEPTHS])
    ]
    fits, nearest = _fitting(candidates, found)
    if len(fits) > 1:
        raise ArchitectureError(
            f"{where}: the keys fit {len(fits)} networks of {NAME}: {'; '.join(map(_command, fits[:4]))}; "
            "which one it is cannot be known: give the one that it was trained with"
        )
    if not fits:
        raise ArchitectureError(
            f"{where}: this looks like {decoder} of {NAME}, and no encoder of version {smp.__version__} that was tried "
            f"({len(encoders)}) fits{nearest}; give --arch {NAME}:{decoder} --arch-args encoder_name=NAME"
        )
    (described,) = fits
    module, notes = fitting(where, described.make, [found.state_dict], "")
    unshown = ", ".join(f"{name} {taken[name].default!r}" for name in UNSHOWN if name in taken and name not in known)
    if unshown:
        notes = (*notes, f"the library's defaults are taken for what keys do not show: {unshown}")
    if found.left_out:
        notes = (
            *notes,
            f"keys next to the network were left out: {', '.join(map(shown, found.left_out[:5]))}",
        )
    reasons = (f"all keys and shapes fit {described} of {NAME} {smp.__version__}",)
    return as_network(where, described, module, asked, reasons=reasons, notes=notes)


def read_settings(decoder: str, shapes: Shapes) -> dict[str, object]:
    """The arguments of the class that its keys and shapes show."""
    settings: dict[str, object] = {"classes": shapes[HEAD][0]}
    for name, key in WIDTHS.get(decoder, {}).items():
        if shapes.get(key):
            settings[name] = shapes[key][0]
    widths = _block_widths(decoder, shapes)
    if widths:
        settings["encoder_depth"] = len(widths)
        settings["decoder_channels"] = widths
    if any(".attention1." in key for key in shapes):
        settings["decoder_attention_type"] = "scse"
    if any(re.match(r"decoder\.(blocks\.\w+\.(conv1|block\.0)\.0|conv\.0)\.bias", key) for key in shapes):
        settings |= {"decoder_use_norm": False, "decoder_use_batchnorm": False, "psp_use_batchnorm": False}
    if decoder == "FPN" and shapes[HEAD][1] != settings.get("decoder_segmentation_channels"):
        settings["decoder_merge_policy"] = "cat"
    if decoder.startswith("DeepLabV3"):
        settings["decoder_aspp_separable"] = any(
            re.match(r"decoder\.aspp\.(0\.)?convs\.1\.0\.0\.", key) for key in shapes
        )
    if shapes.get("classification_head.3.weight"):
        settings["aux_params"] = {"classes": shapes["classification_head.3.weight"][0]}
    return settings


def _block_widths(decoder: str, shapes: Shapes) -> list[int]:
    """Of each block, the first one first."""
    if decoder not in BLOCKS:
        return []
    found = {int(match[1]): shape[0] for key, shape in shapes.items() if (match := re.fullmatch(BLOCKS[decoder], key))}
    return [width for _, width in sorted(found.items())]


def _encoders(smp: ModuleType, where: str, found: FoundNetwork) -> list[str]:
    """Names of encoders whose keys and shapes include the checkpoint's."""
    own = {key.removeprefix("encoder."): shape for key, shape in found.shapes.items() if key.startswith("encoder.")}
    convolutions = {shape for shape in own.values() if len(shape) == 4}
    fits = []
    for name in _of_timm(own) if any(key.startswith("model.") for key in own) else smp.encoders.encoders:
        make = partial(smp.encoders.get_encoder, name, weights=None)
        try:
            encoder = sketch(where, make, len(own), convolutions)
        except ArchitectureError:
            continue
        theirs = shapes_of(encoder.state_dict())
        if all(theirs.get(key) == shape for key, shape in own.items()):
            fits.append(name)
    return fits


def _of_timm(own: Shapes) -> Iterator[str]:
    """Encoders `tu-…` of the families in `TIMM` whose first convolution has the key that the checkpoint has."""
    models: Any = import_module("timm").models
    flat = {key.replace(".", "_") for key in own}
    for name in filter(TIMM.match, models.list_models()):
        first = getattr(models.get_pretrained_cfg(name), "first_conv", None)
        firsts = first if isinstance(first, tuple | list) else (first,)
        if any(f"model.{one}.weight".replace(".", "_") in flat for one in firsts):
            yield f"tu-{name}"


def _fitting(candidates: list[Described], found: FoundNetwork) -> tuple[list[Described], str]:
    """Those that every key and shape fits; and in what the nearest differs."""
    fits: list[Described] = []
    nearest: list[str] | None = None
    for described in candidates:
        try:
            module = sketch("", described.make, len(found.shapes))
        except ArchitectureError:
            continue
        differing = differences(shapes_of(module.state_dict()), found.shapes)
        if not differing:
            fits.append(described)
        elif nearest is None or len(differing) < len(nearest):
            nearest = differing
    return fits, f": {first_few(nearest)}" if nearest else ""


def _command(described: Described) -> str:
    return f"--arch {NAME}:{described.kind.__name__} --arch-args encoder_name={described.settings['encoder_name']}"
