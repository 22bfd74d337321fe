"""What a Lightning checkpoint keeps next to the network: arguments that keys do not show, mean and std of its pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.networks.network import Network
from segexport.presets import Preprocessing

ENCODER = ("encoder_name", "encoder", "backbone")
ARGUMENTS = re.compile(r"(decoder|psp)_\w+|encoder_(depth|output_stride)|upsampling|activation")
OWN = {
    "decoder_atrous_rates": [12, 24, 36],
    "decoder_interpolation": "nearest",
    "encoder_output_stride": 16,
    "upsampling": 4,
    "activation": None,
}
STATISTICS = (("mean", "std"), ("pixel_mean", "pixel_std"))
_BYTES = 255.0
_OCTAVES = (4, 8, 16, 32, 64, 128)


def settings_of(hyper_parameters: Mapping[str, object]) -> dict[str, object]:
    """Arguments of a network of segmentation_models_pytorch among what was kept, also in a dict of its own such as `net`."""
    nested = [value for value in hyper_parameters.values() if isinstance(value, Mapping)]
    kept = {name: value for one in (*nested, hyper_parameters) for name, value in one.items()}
    encoder = next((value for name in ENCODER if isinstance(value := kept.get(name), str)), None)
    settings = {name: value for name, value in kept.items() if isinstance(name, str) and ARGUMENTS.fullmatch(name)}
    return settings | ({} if encoder is None else {"encoder_name": encoder})


def needs_the_library(settings: Mapping[str, object]) -> bool:
    """Whether anything that no key shows is other than in our own forms of the library's networks."""
    return any(settings.get(name, ours) != ours for name, ours in OWN.items())


def with_statistics(network: Network, beside: Mapping[str, Tensor]) -> Network:
    """The network with the mean and std that stand next to it as what its pictures are prepared with.

    Args:
        beside: the module's own tensors that are none of the network's.
    """
    for names in STATISTICS:
        mean, std = (beside.get(name) for name in names)
        if mean is not None and std is not None and mean.numel() == std.numel() == 3 and bool((std > 0).all()):
            return _prepared(network, mean.float().flatten(), std.float().flatten(), " and ".join(names))
    return network


def _prepared(network: Network, mean: Tensor, std: Tensor, names: str) -> Network:
    scale, why = _scale(network.module, mean, std)
    values = [tuple(float(value) for value in (one / scale)) for one in (mean, std)]
    note = (
        f"{names} stand next to the network: (picture - mean) / std is put before it, with pictures in 0..{scale:g}, {why}; "
        "it is used where --preprocess, or --mean and --std, say nothing else"
    )
    preprocessing = Preprocessing(name="saved", mean=values[0], std=values[1])
    return replace(network, preprocessing=preprocessing, notes=(*network.notes, note))


def _scale(module: nn.Module, mean: Tensor, std: Tensor) -> tuple[float, str]:
    """1 or 255, and how it is known. Training code divides bytes by 255 first, or forgets it, and no key shows which.

    The first batch norm remembers how far the first convolution's output spread in training: of a picture like any
    other the two scales make it spread 65,025 times differently.
    """
    if float(mean.abs().max()) > 1:
        return _BYTES, "since a mean above 1 is none of pictures in 0..1"
    layers = [one for one in module.modules() if isinstance(one, nn.Conv2d | nn.BatchNorm2d)][:2]
    convolution, norm = layers if len(layers) == 2 else (None, None)
    if not (isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None):
        return 1.0, "as is usual"
    seen = norm.running_var.clamp_min(1e-12)
    distance = {}
    for scale in (1.0, _BYTES):
        with torch.no_grad():
            spread = convolution((scale * _picture() - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)).var((0, 2, 3))
        distance[scale] = float((seen / spread.clamp_min(1e-12)).log().median().abs())
    return min(distance, key=distance.__getitem__), "which is what its first batch norm saw in training"


def _picture() -> Tensor:
    """`(1, 3, 128, 128) float32, 0..1`: noise of all sizes, as strong in each octave, as pictures of the world are."""
    generator = torch.Generator().manual_seed(0)
    layers = [
        F.interpolate(torch.randn(1, 3, side, side, generator=generator), size=_OCTAVES[-1:] * 2, mode="bilinear")
        for side in _OCTAVES
    ]
    return (0.45 + 0.1 * torch.stack(layers).sum(0)).clamp(0, 1)
