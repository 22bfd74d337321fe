"""The deployable graph: preprocessing and head inside; RGB in 0..1 in, one channel of person probability out."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from segexport.networks.network import PROBABILITY
from segexport.presets import Preprocessing

SMALLEST_RANGE = 1e-6


class Stretch(nn.Module):
    """`(x - min) / (max - min)` over each picture, all channels together; a picture of one colour becomes 0."""

    def forward(self, x: Tensor) -> Tensor:
        low = x.amin((1, 2, 3), keepdim=True)
        high = x.amax((1, 2, 3), keepdim=True)
        return (x - low) / (high - low).clamp_min(SMALLEST_RANGE)


class PersonProbability(nn.Module):
    """Logits `(N, C, H, W)` → the person's probability `(N, 1, H, W)`."""

    def __init__(self, head: str, channels: int, person: int) -> None:
        super().__init__()
        self.head, self.channels, self.person = head, channels, person

    def margin(self, logits: Tensor) -> Tensor:
        """How far the person is ahead, in logits: the sigmoid of it is the probability for one or two channels."""
        person = logits[:, self.person : self.person + 1]
        if self.head != "softmax":
            return person
        others = [logits[:, k : k + 1] for k in range(self.channels) if k != self.person]
        return person - torch.logsumexp(torch.cat(others, 1), 1, keepdim=True)

    def forward(self, logits: Tensor) -> Tensor:
        person = logits[:, self.person : self.person + 1]
        if self.head == "none":
            return person
        if self.head == "sigmoid":
            return person.sigmoid()
        if self.channels == 2:  # softmax of two is the sigmoid of their difference, and that stays exact in int8
            other = 1 - self.person
            return (person - logits[:, other : other + 1]).sigmoid()
        return logits.softmax(1)[:, self.person : self.person + 1]


class Deployable(nn.Module):
    """`(1, 3, H, W) float32, RGB, 0..1` → `(1, 1, h, w) float32`, person probability."""

    def __init__(self, network: nn.Module, preprocessing: Preprocessing, color: str, head: PersonProbability) -> None:
        super().__init__()
        self.prepare = _affine(preprocessing, color)
        self.stretch: nn.Module = Stretch() if preprocessing.minmax else nn.Identity()
        self.network = network
        self.head = head

    def logits(self, image: Tensor) -> Tensor:
        """What the network itself says, `(1, C, h, w)`."""
        out: Tensor = self.network(self.stretch(self.prepare(image)))
        return out

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.head(self.logits(image))
        return out


class HasChannels(Protocol):
    """What a head is chosen for: a `Network`, or anything else with scores."""

    @property
    def out_channels(self) -> int: ...

    @property
    def person_channel(self) -> int | None: ...

    @property
    def end(self) -> str | None: ...


def choose_head(head: str, network: HasChannels, person: int | None) -> PersonProbability:
    """The head that fits the network's channels; `person` is the index that the user gave.

    Raises:
        ValueError: the head or the person's channel does not fit, and what would.
    """
    channels = network.out_channels
    if head == "auto":
        head = "none" if network.end == PROBABILITY else "sigmoid" if channels == 1 else "softmax"
    if head == "softmax" and channels == 1:
        raise ValueError("--head softmax: the network has one output channel, a softmax needs two; use --head sigmoid")
    index = network.person_channel if person is None else person
    if index is None:
        raise ValueError(f"the network has {channels} output channels; say which is the person: --person INDEX")
    if not 0 <= index < channels:
        raise ValueError(f"--person {index}: the network's channels are 0 to {channels - 1}")
    return PersonProbability(head, channels, index)


def affine_values(preprocessing: Preprocessing, color: str) -> tuple[Tensor, Tensor] | None:
    """Channel order, mean and std as a 1x1 convolution: weight (3, 3, 1, 1) and bias (3,); None where it changes nothing."""
    if preprocessing.mean == (0.0,) * 3 and preprocessing.std == (1.0,) * 3 and color == "rgb":
        return None
    weight = torch.zeros(3, 3, 1, 1)
    for channel, std in enumerate(preprocessing.std):
        weight[channel, channel if color == "rgb" else 2 - channel] = 1 / std
    bias = [-m / s for m, s in zip(preprocessing.mean, preprocessing.std, strict=True)]
    return weight, torch.tensor(bias)


def _affine(preprocessing: Preprocessing, color: str) -> nn.Module:
    """One convolution: a single well-known operator for every converter."""
    values = affine_values(preprocessing, color)
    if values is None:
        return nn.Identity()
    layer = nn.Conv2d(3, 3, 1)
    layer.weight, layer.bias = (nn.Parameter(value, requires_grad=False) for value in values)
    return layer
