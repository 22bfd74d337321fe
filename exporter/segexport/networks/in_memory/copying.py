"""A module → a copy of it that shares nothing with it: on the CPU, float32, contiguous, in evaluation mode."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from segexport.errors import ArchitectureError
from segexport.networks.blame import told
from segexport.networks.in_memory.wrappers import WRAPPERS, wrapper_of


class _OnTheCPU(TorchFunctionMode):
    """While it holds, `copy.deepcopy` brings tensors to the CPU, one by one: no second copy is made on the device.

    Results of a computation are copied too, which PyTorch refuses: older weight norm leaves such in its module.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.__deepcopy__, Tensor.clone):  # a parameter's own way is to clone its values
            return _plain(args[0])
        return func(*args, **(kwargs or {}))


def copy_module(name: str, module: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """The copy, and notes on what is different in it.

    Raises:
        ArchitectureError: it has no values that could be copied, or something else of it cannot be.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise ArchitectureError(
            f"{name} is TorchScript, expected a plain module; give the module that it was made of, "
            "or the path of the file that torch.jit.save writes"
        )
    tensors = dict(_named_tensors(module))
    _check_tensors(name, tensors)
    _check_forwards(name, module)
    notes = _notes(module, tensors)
    try:
        with _OnTheCPU():
            copied = copy.deepcopy(module)
    except Exception as error:
        raise ArchitectureError(
            f"{name}: {_culprit(module)} cannot be copied: {told(error)}; yours is to stay as it is, so a copy is exported: "
            "keep such things outside of the module"
        ) from error
    _unwrap_inside(copied)
    _forget_devices(copied, tensors)
    return copied.eval().requires_grad_(False), notes


def _plain(tensor: Tensor) -> Tensor:
    """A tensor of its own on the CPU, contiguous, floating ones float32."""
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to("cpu", dtype, copy=True, memory_format=torch.contiguous_format)


def _named_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _check_tensors(name: str, tensors: dict[str, Tensor]) -> None:
    if not any(tensor.is_floating_point() for tensor in tensors.values()):
        raise ArchitectureError(f"{name} has no parameters, expected a trained network; give the network itself")
    for key, tensor in tensors.items():
        reason = _no_values(tensor)
        if reason is not None:
            raise ArchitectureError(f"{name}: {key} {reason}")


def _no_values(tensor: Tensor) -> str | None:
    if is_lazy(tensor):
        return "has no shape yet, expected weights; run the network once on a picture"
    if tensor.is_meta:
        return "is on the meta device and has no values, expected weights; load them, with to_empty() and load_state_dict()"
    if type(tensor).__name__ == "DTensor":
        return "is spread over several processes, expected all of it; gather the full state dict and load that into a network"
    if tensor.is_quantized or tensor.layout != torch.strided:
        return f"is {tensor.dtype} ({tensor.layout}), expected plain floating values; give the float network"
    return None


def _check_forwards(name: str, module: nn.Module) -> None:
    """A function in the place of a method holds on to the original, whatever is copied."""
    for path, one in module.named_modules():
        forward = vars(one).get("forward")
        if wrapper_of(one) is None and isinstance(forward, FunctionType) and not _is_compiled(forward, one):
            raise ArchitectureError(
                f"{name}: forward of {path or name} was replaced by the function {forward.__qualname__}, which a copy would "
                "share with yours; put it into a class of its own around the network"
            )


def _is_compiled(forward: FunctionType, module: nn.Module) -> bool:
    """Whether it is what torch.compile made of the class's own forward."""
    return hasattr(forward, "_torchdynamo_orig_callable") and forward.__qualname__ == type(module).forward.__qualname__


def _notes(module: nn.Module, tensors: dict[str, Tensor]) -> tuple[str, ...]:
    floating = [tensor for tensor in tensors.values() if tensor.is_floating_point()]
    dtypes = sorted({str(one.dtype).removeprefix("torch.") for one in floating} - {"float32"})
    devices = sorted({str(one.device) for one in floating} - {"cpu"})
    training = any(one.training for one in module.modules())
    return (
        *(("It is in training mode; a copy in evaluation mode is exported.",) if training else ()),
        *((f"Its weights are on {', '.join(devices)}; the copy is on the CPU.",) if devices else ()),
        *((f"Its weights are {', '.join(dtypes)}; the copy's are float32.",) if dtypes else ()),
    )


def _culprit(module: nn.Module) -> str:
    """The first attribute that cannot be copied by itself."""
    for path, one in module.named_modules():
        for key, value in vars(one).items():
            if key in ("_modules", "_parameters", "_buffers"):
                continue
            try:
                with _OnTheCPU():
                    copy.deepcopy(value)
            except Exception:  # noqa: BLE001 - that it fails is the answer
                return f"{path}.{key}" if path else key
    return "it"


def _unwrap_inside(module: nn.Module) -> None:
    for one in list(module.modules()):
        for key, child in list(one.named_children()):
            while (wrapper := wrapper_of(child)) is not None:
                child = getattr(child, WRAPPERS[wrapper])
                setattr(one, key, child)


def _forget_devices(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Attributes that say where the original is and in which precision, as forward may make tensors by them."""
    devices = {str(tensor.device) for tensor in tensors.values()} | {tensor.device.type for tensor in tensors.values()}
    dtypes = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    for one in module.modules():
        for key, value in list(vars(one).items()):
            if isinstance(value, torch.device) or (
                isinstance(value, str) and key.endswith("device") and value in devices
            ):
                vars(one)[key] = torch.device("cpu")
            elif isinstance(value, torch.dtype) and value in dtypes:
                vars(one)[key] = torch.float32
            elif isinstance(value, FunctionType) and key == "forward":
                del vars(one)[key]  # compiled; the class has it
