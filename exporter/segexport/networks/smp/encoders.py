"""The encoders of segmentation_models_pytorch that are known: five ResNets and MobileNetV2.

An encoder gives one map for each halving of the picture; `depth` says how many are used. Where it is less than five,
the deeper layers are in the checkpoint all the same, and are dropped. Keys `encoder.{conv1,bn1,layer1..4}` and
`encoder.features.{0..18}`, named as torchvision does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from segexport.networks.families.mobilenetv2 import LAST_CHANNELS, make_features
from segexport.networks.families.resnet import BasicBlock, Block, Bottleneck, make_layer
from segexport.networks.network import Shapes

MOST_DEPTH = 5
LAYERS = ("layer1", "layer2", "layer3", "layer4")
LAST_OF_MAP = (1, 3, 6, 13, 18)  # MobileNetV2's layers whose maps a decoder reads, one for each halving
DILATION = 2


class ResNetEncoder(nn.Module):
    """`(N, 3, H, W)` → `depth` maps, each half as long and wide as the one before; layer4 dilates where asked."""

    def __init__(self, block: Block, blocks: tuple[int, ...], depth: int, *, dilated: bool) -> None:
        super().__init__()
        self.depth = depth
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        below = 64
        for index, name in enumerate(LAYERS):
            rate = DILATION if dilated and name == LAYERS[-1] else 1
            stride = 1 if index == 0 or rate > 1 else 2
            layer = make_layer(below, 64 * 2**index, blocks[index], stride=stride, dilations=(rate, rate), block=block)
            self.add_module(name, layer)
            below = 64 * 2**index * block.expansion

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [F.relu(self.bn1(self.conv1(x)))]
        for name in LAYERS[: self.depth - 1]:
            x = maps[-1] if name != LAYERS[0] else self.maxpool(maps[-1])
            maps.append(self.get_submodule(name)(x))
        return maps


class MobileNetV2Encoder(nn.Module):
    """`(N, 3, H, W)` → `depth` maps, each half as long and wide as the one before; the last dilates where asked."""

    def __init__(self, depth: int, *, dilated: bool) -> None:
        super().__init__()
        self.depth = depth
        self.features = make_features(dilated=dilated)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for index in range(LAST_OF_MAP[self.depth - 1] + 1):
            x = self.features[index](x)
            if index in LAST_OF_MAP:
                maps.append(x)
        return maps


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """One encoder by the library's name for it."""

    name: str
    channels: tuple[int, ...]
    """Of its five maps."""
    input_key: str
    make: Callable[[int, bool], nn.Module]
    """Depth, dilated → module."""
    unused: Callable[[int], tuple[str, ...]]
    """Depth → modules that it does not need."""


def read_encoder(shapes: Shapes) -> Encoder:
    """The encoder that the keys come nearest to; ResNets by their block and the number of blocks in each layer."""
    if any(key.startswith("encoder.features.") for key in shapes):
        return MOBILENETV2
    bottleneck = any(key.endswith(".conv3.weight") for key in shapes)
    counts = [len({key.split(".")[2] for key in shapes if key.startswith(f"encoder.{name}.")}) for name in LAYERS]
    if not any(counts):
        return RESNETS["resnet34"]
    near = {
        name: sum(abs(ours - theirs) for ours, theirs in zip(blocks, counts, strict=True))
        for name, (block, blocks) in RESNET_BLOCKS.items()
        if (block is Bottleneck) == bottleneck
    }
    return RESNETS[min(near, key=near.__getitem__)]


def _resnet(name: str, block: Block, blocks: tuple[int, ...]) -> Encoder:
    return Encoder(
        name=name,
        channels=(64, *(64 * 2**index * block.expansion for index in range(len(LAYERS)))),
        input_key="encoder.conv1.weight",
        make=lambda depth, dilated: ResNetEncoder(block, blocks, depth, dilated=dilated),
        unused=lambda depth: tuple(f"encoder.{name}" for name in LAYERS[depth - 1 :]),
    )


RESNET_BLOCKS: dict[str, tuple[Block, tuple[int, ...]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (3, 4, 23, 3)),
    "resnet152": (Bottleneck, (3, 8, 36, 3)),
}
RESNETS = {name: _resnet(name, block, blocks) for name, (block, blocks) in RESNET_BLOCKS.items()}
MOBILENETV2 = Encoder(
    name="mobilenet_v2",
    channels=(16, 24, 32, 96, LAST_CHANNELS),
    input_key="encoder.features.0.0.weight",
    make=lambda depth, dilated: MobileNetV2Encoder(depth, dilated=dilated),
    unused=lambda depth: tuple(
        f"encoder.features.{index}" for index in range(LAST_OF_MAP[depth - 1] + 1, LAST_OF_MAP[-1] + 1)
    ),
)
ENCODERS = RESNETS | {MOBILENETV2.name: MOBILENETV2}
