"""Random weights made fit for a comparison: batch norms that have seen pictures, and masks that mean something."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

PERSON = 0.4  # of the pixels
SPREAD = 3.0  # of the logits' difference between person and background
_BATCH = 4


class LivelyError(RuntimeError):
    """The network has no last layer that could be scaled; the message is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveliness:
    """What became of it: the person's share of all pixels, and the largest logit of either sign."""

    person: float
    largest_logit: float


def make_lively(network: nn.Module, pictures: Tensor, classes: int) -> Liveliness:
    """Change `network` in place, so that its masks of `pictures (N, 3, H, W) float32, normalised` are 40 % person.

    Batch norms get drawn weights and the statistics of the pictures, the last convolution a factor and a shift, as training
    would have given them. The network is in evaluation mode afterwards.

    Raises:
        LivelyError: no convolution with a bias gives the logits.
    """
    with torch.no_grad():
        _let_norms_see(network, pictures)
        last, margin = _ask(network, pictures, classes)
        if last.bias is None:
            raise LivelyError("its last convolution has no bias, expected one that can be shifted")
        last.weight *= SPREAD / margin.std()
        last.bias *= SPREAD / margin.std()
        margin *= SPREAD / margin.std()
        last.bias[-1] -= margin.flatten().kthvalue(int((1 - PERSON) * margin.numel())).values
        _, margin = _ask(network, pictures, classes)
    return Liveliness(person=float((margin > 0).float().mean()), largest_logit=float(margin.abs().max()))


def _let_norms_see(network: nn.Module, pictures: Tensor) -> None:
    norms = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    network.eval()
    for norm in norms:
        if norm.affine:
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0.0, 0.2)
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
        norm.train()
    for batch in torch.split(pictures, _BATCH):
        network(batch)
    network.eval()


def _ask(network: nn.Module, pictures: Tensor, classes: int) -> tuple[nn.Conv2d, Tensor]:
    """The last convolution that gives `classes` channels, and how far the person is ahead, `(N, h, w)`."""
    ran: list[nn.Conv2d] = []
    hooks = [
        part.register_forward_hook(lambda part, *_: ran.append(part))
        for part in network.modules()
        if isinstance(part, nn.Conv2d) and part.out_channels == classes
    ]
    logits = torch.cat([network(batch) for batch in torch.split(pictures, _BATCH)])
    for hook in hooks:
        hook.remove()
    if not ran:
        raise LivelyError(f"no convolution with {classes} channels ran, expected the one that gives the logits")
    return ran[-1], logits[:, -1] - (logits[:, 0] if classes > 1 else 0.0)
