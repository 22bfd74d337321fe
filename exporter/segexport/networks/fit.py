"""Does a state dict fit a module, key for key and shape for shape? And if it does: load it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from segexport.errors import ArchitectureError, shown
from segexport.networks.network import Shapes

COUNTER = "num_batches_tracked"  # batch norm counts training steps here; eval mode never looks, old files lack it


def shapes_of(state_dict: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Shapes of all that matters in eval mode."""
    return {key: tuple(tensor.shape) for key, tensor in state_dict.items() if key.rpartition(".")[2] != COUNTER}


def shared_keys(module: nn.Module) -> list[tuple[str, ...]]:
    """Names of one and the same tensor, in the order in which `load_state_dict` meets them."""
    names = defaultdict(list)
    for key, parameter in module.named_parameters(remove_duplicate=False):
        names[id(parameter)].append(key)
    for key, buffer in module.named_buffers(remove_duplicate=False):
        names[id(buffer)].append(key)
    return [tuple(keys) for keys in names.values() if len(keys) > 1]


def with_aliases(module: nn.Module, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Some writers keep one name of a shared tensor: give it its other names again."""
    full = dict(state_dict)
    for keys in shared_keys(module):
        present = [key for key in keys if key in state_dict]
        for key in keys if present else ():
            full.setdefault(key, state_dict[present[-1]])
    return full


def differences(expected: Shapes, got: Shapes) -> list[str]:
    """What keeps `got` from being `expected`, one phrase for each key; empty where it fits."""
    missing = [f"missing {shown(key)}" for key in expected if key not in got]
    unexpected = [f"unexpected {shown(key)}" for key in got if key not in expected]
    reshaped = [
        f"{shown(key)} has shape {shape}, expected {expected[key]}"
        for key, shape in got.items()
        if key in expected and shape != expected[key]
    ]
    return missing + unexpected + reshaped


def load(module: nn.Module, state_dict: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Put the weights into `module`, whose keys and shapes are known to fit; return what people should know.

    `module` may be on the meta device. It ends in eval mode, float32, on the CPU, without gradients.
    """
    full = with_aliases(module, state_dict)
    expected = module.state_dict()
    weights = {key: _weight(key, full[key], expected[key]) for key in shapes_of(expected)}
    counters = {key: torch.zeros((), dtype=torch.int64) for key in expected if key not in weights}
    module.load_state_dict(weights | counters, assign=True)
    module.float().eval().requires_grad_(False)
    return (
        *_torn_notes(module, weights),
        *([] if all(key in full for key in counters) else [f"{COUNTER} is absent, and is not needed"]),
        *([] if all(key in state_dict for key in weights) else ["names of shared tensors were filled in"]),
    )


def _weight(key: str, tensor: Tensor, like: Tensor) -> Tensor:
    """The tensor on the CPU, float32 where `like` is floating, unless it claims more numbers than it holds."""
    dense = tensor.layout == torch.strided and not tensor.is_meta
    if not dense or tensor.is_floating_point() != like.is_floating_point():
        raise ArchitectureError(
            f"{shown(key)} is {tensor.dtype} ({tensor.layout}, {tensor.device}), expected a dense "
            f"{like.dtype} tensor with values; save the checkpoint before quantizing or sparsifying it"
        )
    held, claimed = tensor.untyped_storage().nbytes(), tensor.numel() * tensor.element_size()
    if held < claimed:
        raise ArchitectureError(
            f"{shown(key)} holds {held} bytes, its shape {tuple(tensor.shape)} needs {claimed}; "
            "save the checkpoint with contiguous tensors"
        )
    return tensor.detach().to("cpu", torch.float32 if like.is_floating_point() else like.dtype)


def _torn_notes(module: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Keys that should name one tensor and do not; the last is used, as `load_state_dict` does with shared modules."""
    torn = [
        (key, keys[-1])
        for keys in shared_keys(module)
        for key in keys[:-1]
        if key in weights and not torch.equal(weights[key], weights[keys[-1]])
    ]
    if not torn:
        return []
    key, last = torn[0]
    return [
        f"{shown(key)} and {shown(last)} should be one tensor and differ; {shown(last)} is used, "
        "as PyTorch's load_state_dict does" + (f" (and {len(torn) - 1} more such pairs)" if len(torn) > 1 else "")
    ]
