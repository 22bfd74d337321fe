"""A module as a training script has it → a copy as the exporter wants it; the module itself is only looked at."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from segexport.errors import ArchitectureError
from segexport.networks.in_memory.copying import copy_module
from segexport.networks.in_memory.folding import fold
from segexport.networks.in_memory.hooks import settle_hooks
from segexport.networks.in_memory.wrappers import unwrapped
from segexport.networks.network import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """`module`: in evaluation mode, float32, on the CPU, without gradients; it shares nothing with the original."""

    module: nn.Module
    name: str
    """The class's, without what was wrapped around it."""
    sha256: str
    """See `weights_sha256`."""
    notes: tuple[str, ...]


def take_module(given: object, asked: Asked) -> Taken:
    """The network of `given` in a copy: without wrappers, in evaluation mode, parametrizations folded, hooks settled.

    Raises:
        ArchitectureError: it is no network, holds no values, cannot be copied, or one of its hooks raises.
    """
    bare, wrappers = unwrapped(given)
    if not isinstance(bare, nn.Module):
        raise ArchitectureError(
            f"got a {type(given).__name__}, expected a torch.nn.Module or the path of a checkpoint; give the network itself"
        )
    name = type(bare).__name__
    module, notes = copy_module(name, bare)
    sha256 = weights_sha256(module)
    folded = fold(module)
    return Taken(
        module=module,
        name=name,
        sha256=sha256,
        notes=(*wrappers, *notes, *folded, *settle_hooks(name, module, asked)),
    )


def weights_sha256(module: nn.Module) -> str:
    """Of the state dict, in its order: for each tensor a line such as `conv.bias float32 (8,)`, then its bytes."""
    digest = hashlib.sha256()
    for key, tensor in module.state_dict().items():
        if isinstance(tensor, Tensor):
            digest.update(f"{key} {str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
