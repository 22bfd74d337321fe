"""What a network's forward returns → the one tensor that the mask is made of, at the picture's size. None is guessed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.errors import ArchitectureError
from segexport.networks.blame import told
from segexport.networks.network import Asked, Size, output_of

NAMES = ("out", "logits")
"""What torchvision's and transformers' networks call the one that is meant; what stands next to it is for training."""
FACTORS = (1, 2, 4, 8, 16, 32)
MOST_LISTED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """`module`: `(1, 3, H, W)` → logits `(1, channels, H, W)`."""

    module: nn.Module
    channels: int
    notes: tuple[str, ...]


class OneOutput(nn.Module):
    """`(1, 3, H, W)` → `(1, C, H, W)`: calls the network as its forward wants it, takes one output, brings it up to H x W."""

    def __init__(self, module: nn.Module, asked: Asked) -> None:
        super().__init__()
        self.module = module
        self.forward_args = dict(asked.forward_args)
        self.channels_last = asked.layout == "NHWC"
        self.name: str | None = None
        self.factor = 1

    def call(self, x: Tensor) -> Any:
        """Whatever the network returns."""
        return self.module(x.permute(0, 2, 3, 1) if self.channels_last else x, **self.forward_args)

    def forward(self, x: Tensor) -> Tensor:
        found = self.call(x)
        out = found if self.name is None else dict(named_tensors(found))[self.name]
        out = self.as_map(out, (x.shape[2], x.shape[3]))
        return out if self.factor == 1 else F.interpolate(out, scale_factor=float(self.factor), mode="bilinear")

    def as_map(self, out: Tensor, size: Size) -> Tensor:
        """`(1, h, w)` gets its channel; of a channels-last network `(1, h, w, C)` becomes `(1, C, h, w)`."""
        if out.ndim == 3:
            return out.unsqueeze(1)
        last = self.channels_last and out.ndim == 4 and factor_of(tuple(out.shape[2:]), size) is None
        return out.permute(0, 3, 1, 2) if last else out


def named_tensors(output: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor of what forward returned, under its path: `out`, `1`, `hidden_states.0`; "" for a tensor alone."""
    if isinstance(output, Tensor):
        yield name, output
        return
    parts: list[tuple[Any, Any]] = []
    if isinstance(output, Mapping):
        parts = list(output.items())
    elif isinstance(output, tuple) and hasattr(output, "_fields"):
        parts = list(zip(output._fields, output, strict=True))
    elif isinstance(output, tuple | list):
        parts = list(enumerate(output))
    elif is_dataclass(output):
        parts = [(field.name, getattr(output, field.name)) for field in fields(output)]
    for key, value in parts:
        yield from named_tensors(value, f"{name}.{key}" if name else str(key))


def settle_output(where: str, module: nn.Module, asked: Asked, size: Size) -> Settled:
    """Run `module` once on a picture of `size` and see to it that one map of scores comes out.

    Args:
        where: what messages begin with, such as `--arch nets:make`.

    Raises:
        ArchitectureError: forward fails, several outputs may be meant, or the one is no map of a size that can be brought up.
    """
    _check_forward_args(where, module, asked)
    one = OneOutput(module, asked).eval()
    output = probe(where, one, size)
    tensors = dict(named_tensors(output))
    one.name, note = _choose(where, output, tensors, asked, size)
    scores = one.as_map(tensors[one.name], size)
    factor = factor_of(tuple(scores.shape[2:]), size) if scores.ndim == 4 and scores.shape[0] == 1 else None
    if factor is None or not scores.is_floating_point():
        raise ArchitectureError(
            f"{where}: forward gave {_described(one.name, tensors[one.name])} for a picture of {size[0]}x{size[1]}, expected "
            f"scores (1, C, {size[0]}, {size[1]}) in float32, or a half, a quarter … of it; resize them in forward"
        )
    one.factor = factor
    notes = [note] if note else []
    if factor > 1:
        notes.append(
            f"its scores have 1/{factor} of the picture's size: they are brought up bilinearly inside the file"
        )
    plain = isinstance(output, Tensor) and factor == 1 and output.ndim == 4
    as_it_is = plain and not one.channels_last and not one.forward_args
    return Settled(module=module if as_it_is else one, channels=scores.shape[1], notes=tuple(notes))


def probe(where: str, module: OneOutput, size: Size) -> Any:
    """What forward returns for one picture of that size, `(1, 3, height, width)` float32: a ramp with some noise, in 0..1."""
    height, width = size
    noise = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    picture = 0.8 * torch.linspace(0, 1, height * width).reshape(1, 1, height, width) + 0.2 * noise
    try:
        with torch.no_grad():
            return module.call(picture)
    except Exception as error:
        raise ArchitectureError(
            f"{where}: forward fails for a picture of {height}x{width}: {told(error)}; "
            "give a --size that the network takes, or --set NAME=VALUE where forward needs more"
        ) from error


def factor_of(found: tuple[int, ...], size: Size) -> int | None:
    """By how much a map is smaller than `size` both ways, one of 1, 2, 4 … 32; None where it is something else."""
    return next((k for k in FACTORS if found == (size[0] / k, size[1] / k)), None)


def _choose(where: str, output: Any, tensors: Mapping[str, Tensor], asked: Asked, size: Size) -> tuple[str, str | None]:
    """The name among `tensors`, and a note where there was more than one."""
    if not tensors:
        raise ArchitectureError(f"{where}: forward gave a {type(output).__name__}, expected a tensor of scores")
    if asked.output is not None:
        name = output_of(asked.output, list(tensors))
        if name is None:
            raise ArchitectureError(
                f"{where}: there is no output {asked.output}: {_listed(tensors)}; give --output-index one of these"
            )
        return name, f"of its {len(tensors)} outputs {name} is used, as --output-index says"
    if len(tensors) == 1:
        return next(iter(tensors)), None
    meant = next((name for name in NAMES if name in tensors), None)
    if meant is not None:
        return meant, f"of its {len(tensors)} outputs '{meant}' is used, as torchvision and transformers name it"
    maps = [name for name, one in tensors.items() if one.ndim == 4 and factor_of(tuple(one.shape[2:]), size)]
    if len(maps) == 1:
        return maps[0], f"of its {len(tensors)} outputs {maps[0]} is used, the only one that is a map"
    raise ArchitectureError(
        f"{where}: forward gives {len(tensors)} outputs: {_listed(tensors)}; which one the mask is made of cannot be known: "
        "give --output-index N or NAME"
    )


def _listed(tensors: Mapping[str, Tensor]) -> str:
    listed = [_described(name, one) for name, one in list(tensors.items())[:MOST_LISTED]]
    return "; ".join([*listed, *(["…"] if len(tensors) > MOST_LISTED else [])])


def _described(name: str, tensor: Tensor) -> str:
    """`1: shape (1, 3, 256, 256), 0.02 to 0.97`."""
    low, high = (float(tensor.min()), float(tensor.max())) if tensor.numel() else (0.0, 0.0)
    kind = "" if tensor.dtype == torch.float32 else f", {str(tensor.dtype).removeprefix('torch.')}"
    return f"{name}{': ' if name else ''}shape {tuple(tensor.shape)}{kind}, {low:.3g} to {high:.3g}"


def _check_forward_args(where: str, module: nn.Module, asked: Asked) -> None:
    """`--set` of something that forward has not would end in Python's own words, deep in a trial."""
    takes = inspect.signature(module.forward).parameters
    if any(one.kind is one.VAR_KEYWORD for one in takes.values()):
        return
    for name in asked.forward_args:
        if name not in list(takes)[1:]:
            others = ", ".join(list(takes)[1:]) or "nothing"
            raise ArchitectureError(
                f"{where}: --set {name}: forward has no such argument; next to the picture it takes {others}"
            )
