"""Five networks with what the zoo's networks fail by, small enough for `make test`; one or two channels of logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 16


def convolve(before: int, after: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """3x3, batch norm, ReLU."""
    layer = nn.Conv2d(before, after, 3, stride, 1, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(after), nn.ReLU())


class Attention(nn.Module):
    """Of SegFormer: tokens, layer norms, attention to a map half as fine, exact GELU; logits resized to the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.fewer = nn.Conv2d(3, WIDTH, 7, 4, 3), nn.Conv2d(WIDTH, WIDTH, 2, 2)
        self.norm, self.norm_fewer, self.norm_mixed = (nn.LayerNorm(WIDTH) for _ in range(3))
        self.query, self.key, self.value, self.project = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.widen, self.narrow = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.mix = nn.Conv2d(2 * WIDTH, 2 * WIDTH, 3, 1, 1, groups=2 * WIDTH)
        self.out = nn.Conv2d(WIDTH, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image)
        size = features.shape[2:]
        tokens = features.flatten(2).transpose(1, 2)
        seen = self.norm(tokens)
        fewer = self.fewer(seen.transpose(1, 2).unflatten(2, size)).flatten(2).transpose(1, 2)
        tokens = tokens + self._attend(seen, self.norm_fewer(fewer))
        wide = self.widen(self.norm_mixed(tokens)).transpose(1, 2).unflatten(2, size)
        tokens = tokens + self.narrow(F.gelu(self.mix(wide).flatten(2).transpose(1, 2)))
        logits = self.out(tokens.transpose(1, 2).unflatten(2, size))
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)

    def _attend(self, seen: Tensor, fewer: Tensor) -> Tensor:
        query, key, value = (
            layer(tokens).unflatten(2, (2, WIDTH // 2)).transpose(1, 2)
            for layer, tokens in ((self.query, seen), (self.key, fewer), (self.value, fewer))
        )
        attended = F.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.project(attended.transpose(1, 2).flatten(2))
        return projected


class ShuffledChannels(nn.Module):
    """Of LEDNet and ShuffleNet: halves of the channels, shuffled by a view of five dimensions; PReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.prelu = convolve(3, WIDTH, stride=2), nn.PReLU(WIDTH)
        self.left, self.right = (nn.Conv2d(WIDTH // 2, WIDTH // 2, 3, 1, 1) for _ in range(2))
        self.up, self.out = nn.ConvTranspose2d(WIDTH, WIDTH // 2, 2, 2), nn.Conv2d(WIDTH // 2, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image)
        left, right = features.chunk(2, 1)
        features = self.prelu(torch.cat([self.left(left), self.right(right)], 1) + features)
        batch, channels, height, width = features.shape
        shuffled = features.view(batch, 2, channels // 2, height, width).transpose(1, 2)
        logits: Tensor = self.out(self.up(shuffled.reshape(batch, channels, height, width)).relu())
        return logits


class Corners(nn.Module):
    """Of Fast-SCNN and PortraitNet: a depthwise convolution straight behind a sum, resizing with `align_corners=True`."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.deeper = convolve(3, WIDTH, stride=2), convolve(WIDTH, WIDTH, stride=2)
        self.depthwise = convolve(WIDTH, WIDTH, groups=WIDTH)
        self.out = nn.Conv2d(WIDTH, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        fine = self.stem(image)
        coarse = F.interpolate(self.deeper(fine), size=fine.shape[2:], mode="bilinear", align_corners=True)
        logits = self.out(self.depthwise(fine + coarse))
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=True)


class Context(nn.Module):
    """Of BiSeNetV2: behind a residual sum the mean of the picture, normalised, convolved, and added to the map."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolve(3, WIDTH, stride=2), convolve(WIDTH, WIDTH, stride=2))
        self.residual = nn.Conv2d(WIDTH, WIDTH, 3, 1, 1)
        self.norm = nn.BatchNorm2d(WIDTH)
        self.context = nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU())
        self.last, self.out = convolve(WIDTH, WIDTH), nn.Conv2d(WIDTH, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image)
        features = (features + self.residual(features)).relu()
        whole = self.context(self.norm(features.mean((2, 3), keepdim=True)))
        logits = self.out(self.last(whole + features))
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)


class Squeezed(nn.Module):
    """Of MobileNetV3 and EfficientNet: squeeze and excite with hard-sigmoid, hard-swish, SiLU; nearest neighbours, a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.depthwise = convolve(3, WIDTH, stride=2), nn.Conv2d(WIDTH, WIDTH, 5, 2, 2, groups=WIDTH)
        self.squeeze, self.excite = nn.Conv2d(WIDTH, 4, 1), nn.Conv2d(4, WIDTH, 1)
        self.last, self.out = nn.Conv2d(2 * WIDTH, WIDTH, 3, 1, 1), nn.Conv2d(WIDTH, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        fine = self.stem(image)
        coarse = F.hardswish(self.depthwise(fine))
        gate = F.hardsigmoid(self.excite(self.squeeze(F.adaptive_avg_pool2d(coarse, 1)).relu()))
        coarse = F.interpolate(coarse * gate, scale_factor=2, mode="nearest")
        logits = self.out(F.silu(self.last(torch.cat([coarse, fine], 1))))
        return F.interpolate(logits, scale_factor=2, mode="bilinear", align_corners=False)


NETWORKS: dict[str, type[nn.Module]] = {
    "attention": Attention,
    "shuffled_channels": ShuffledChannels,
    "corners": Corners,
    "context": Context,
    "squeezed": Squeezed,
}
