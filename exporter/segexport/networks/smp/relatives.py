"""Networks of segmentation_models_pytorch that are not known, told by the keys that give them away."""

from __future__ import annotations

import re

from segexport.errors import shown
from segexport.networks.network import Shapes
from segexport.networks.smp.encoders import ENCODERS

LIBRARY = "segmentation_models_pytorch"
HEAD = "segmentation_head.0.weight"
DECODERS = {
    r"decoder\.p5\.": "FPN",
    r"decoder\.blocks\.x_": "UnetPlusPlus",
    r"decoder\.fpn_": "UPerNet",
    r"decoder\.psp\.": "PSPNet",
    r"decoder\.blocks\.\d+\.block\.": "Linknet",
    r"decoder\.center\.top_conv\.": "MAnet",
    r"decoder\.fpa\.": "PAN",
    r"decoder\.mlp_stage\.": "Segformer",
    r"decoder\.(aspp|0)\.convs\.": "DeepLabV3",
}
SETTINGS = {
    r"decoder\.blocks\.\d+\.attention[12]\.": "network with scse attention",
    r"decoder\.blocks\.\d+\.conv[12]\.0\.bias": "network with a decoder without batch norm",
}
OTHER_ENCODERS = {
    r"encoder\.model\.": "network on a timm encoder (tu-…)",
    r"encoder\._?conv_stem\.": "network on an EfficientNet encoder",
    r"encoder\.layer0\.": "network on an SE-ResNet encoder",
    r"encoder\.patch_embed": "network on a Mix Transformer encoder",
    r"encoder\.features\.denseblock": "network on a DenseNet encoder",
    r"encoder\.features\.\d+\.(weight|bias)": "network on a VGG encoder",
}
KNOWN_ENCODER = re.compile(
    r"encoder\.((conv1|bn1|layer[1-4]\.\d+\.(conv[123]|bn[123]|downsample\.[01]))|features\.\d+\.(conv\.)?\d(\.\d)?)\.\w+"
)
GROUPED = "encoder.layer1.0.conv2.weight"


def explain_smp(shapes: Shapes) -> str | None:
    """`this is segmentation_models_pytorch's FPN (decoder.p5.weight), which is not known; known are …`."""
    if HEAD not in shapes or not any(key.startswith("encoder.") for key in shapes):
        return None
    what = _first(DECODERS, shapes) or _encoder(shapes) or _first(SETTINGS, shapes)
    if what is None:
        return None
    name, key = what
    return (
        f"this looks like {LIBRARY}'s {name} ({shown(key)}), which is not known; "
        f"known are its Unet and DeepLabV3Plus with {', '.join(ENCODERS)}"
    )


def _encoder(shapes: Shapes) -> tuple[str, str] | None:
    """What the encoder is called, where it is none of the known ones, and the key that shows it."""
    other = _first(OTHER_ENCODERS, shapes)
    if other is not None:
        return other
    shape = shapes.get(GROUPED, ())
    if len(shape) == 4 and shape[0] != shape[1]:
        return "network on a ResNeXt encoder", GROUPED
    strange = [key for key in shapes if key.startswith("encoder.") and not KNOWN_ENCODER.fullmatch(key)]
    return ("network on another encoder", strange[0]) if strange else None


def _first(names: dict[str, str], shapes: Shapes) -> tuple[str, str] | None:
    """The name whose pattern a key begins with, and that key."""
    return next(((name, key) for pattern, name in names.items() for key in shapes if re.match(pattern, key)), None)
