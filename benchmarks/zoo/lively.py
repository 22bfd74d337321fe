"""Random weights made fit for a comparison: batch norms that have seen pictures, and masks that mean something.

Nothing is trained, but for the last convolution: it is fitted, in closed form, to how light the picture is. A mask of random
directions would be noise of its own, which int8 cannot but lose.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PERSON = 0.4  # of the pixels
SPREAD = 3.0  # of the logits' difference between person and background
_BATCH = 4
# Mean and deviation of what a batch norm adds. Around 0 a ReLU takes half of what is random away, and whatever is wrong grows
# by E[φ'²] / Var[φ], 1.7 dB a layer: fifty leave nothing of an int8 network, as training would not. Around 1.5 it is 0.2 dB.
_SHIFT = (1.5, 0.2)
_COARSE = 32  # pixels each way of what is fitted
_RIDGE = 1e-2  # of the features' mean variance: directions in which they hardly vary are left alone


class LivelyError(RuntimeError):
    """The network has no last layer that could be fitted; the message is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveliness:
    """What became of it: the person's share of all pixels, and the largest logit of either sign."""

    person: float
    largest_logit: float


def make_lively(network: nn.Module, pictures: Tensor, classes: int) -> Liveliness:
    """Change `network` in place, so that its masks of `pictures (N, 3, H, W) float32, normalised` are the lightest 40 %.

    Batch norms get drawn weights and the statistics of the pictures, the last convolution, of one or two channels, its weights.
    The network is in evaluation mode afterwards.

    Raises:
        LivelyError: no plain convolution with a bias gives the logits.
    """
    with torch.no_grad():
        _let_norms_see(network, pictures)
        last, bias = _last_convolution(network, pictures[:1], classes)
        bias.zero_()
        _fit(network, last, pictures)
        margin = _margin(network, pictures)
        last.weight *= SPREAD / margin.std()
        margin *= SPREAD / margin.std()
        bias[-1] -= margin.flatten().kthvalue(int((1 - PERSON) * margin.numel())).values
        margin = _margin(network, pictures)
    return Liveliness(person=float((margin > 0).float().mean()), largest_logit=float(margin.abs().max()))


def _let_norms_see(network: nn.Module, pictures: Tensor) -> None:
    norms = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    network.eval()
    for norm in norms:
        if norm.affine:
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, *_SHIFT)
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
        norm.train()
    for batch in torch.split(pictures, _BATCH):
        network(batch)
    network.eval()


def _last_convolution(network: nn.Module, picture: Tensor, classes: int) -> tuple[nn.Conv2d, Tensor]:
    """The last one to run that gives `classes` channels, and its bias."""
    ran: list[nn.Conv2d] = []
    found = [part for part in network.modules() if isinstance(part, nn.Conv2d) and part.out_channels == classes]
    hooks = [part.register_forward_hook(lambda part, *_: ran.append(part)) for part in found]
    network(picture)
    for hook in hooks:
        hook.remove()
    last = ran[-1] if ran else None
    if last is None or last.bias is None or last.groups > 1 or isinstance(last.padding, str):
        raise LivelyError(
            f"no plain convolution with a bias gives its {classes} channels, expected one that can be fitted"
        )
    return last, last.bias


def _fit(network: nn.Module, last: nn.Conv2d, pictures: Tensor) -> None:
    """Ridge regression of the pictures' lightness on what goes into `last`."""
    size = last.weight[0].numel() + 1
    products, wanted = torch.zeros(size, size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
    seen: list[Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for picture in torch.split(pictures, 1):
        network(picture)
        features, lightness = _patches(last, seen.pop(), picture)
        products += features @ features.T
        wanted += features @ lightness
    hook.remove()
    centred = products[:-1, :-1].diagonal() - products[:-1, -1] ** 2 / products[-1, -1]
    products.diagonal()[:-1] += _RIDGE * centred.mean()
    fitted = torch.linalg.solve(products, wanted)[:-1].view_as(last.weight[0]).float()
    last.weight[-1] = fitted / len(last.weight)
    if len(last.weight) > 1:
        last.weight[0] = -last.weight[-1]


def _patches(last: nn.Conv2d, features: Tensor, picture: Tensor) -> tuple[Tensor, Tensor]:
    """What each place of the output is computed from, `(C·k·k + 1, places) float64` with a row of ones; the lightness there."""
    padding = last.padding if isinstance(last.padding, tuple) else 0
    patches = F.unfold(features, last.kernel_size, last.dilation, padding, last.stride)[0].double()
    rows = -(-features.shape[2] // last.stride[0])
    coarse = F.adaptive_avg_pool2d(picture.mean(1, keepdim=True), _COARSE)
    lightness = F.interpolate(coarse, size=(rows, patches.shape[1] // rows), mode="bilinear").flatten().double()
    return torch.cat([patches, torch.ones(1, patches.shape[1], dtype=torch.float64)]), lightness


def _margin(network: nn.Module, pictures: Tensor) -> Tensor:
    """How far the person is ahead, `(N, h, w)`."""
    logits = torch.cat([network(batch) for batch in torch.split(pictures, _BATCH)])
    return logits[:, -1] - (logits[:, 0] if logits.shape[1] > 1 else 0.0)
