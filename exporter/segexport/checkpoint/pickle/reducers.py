"""The functions that a pickle may call, each replaced by one of ours; what is not listed here is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch

from segexport.checkpoint.pickle.budget import StepBudget
from segexport.checkpoint.pickle.inert import Inert, Name, StorageRef, TensorRef, Unreadable

Args = tuple[object, ...]
MAX_DIMENSIONS = 32
SCALARS = (int, float, str, bytes, type(None))

DTYPES = {str(value).removeprefix("torch."): value for value in vars(torch).values() if isinstance(value, torch.dtype)}


def dtype_named(value: object) -> torch.dtype:
    """The dtype of a name such as `torch.float32`."""
    if isinstance(value, Name) and value.module == "torch" and value.name in DTYPES:
        return DTYPES[value.name]
    raise ValueError("an unknown dtype")


def check_key(value: object) -> None:
    """Hashing nested tuples can take for ever or end the process, so that only shallow keys may enter a dict."""
    parts = value if isinstance(value, tuple) and len(value) <= MAX_DIMENSIONS else (value,)
    for part in parts:
        small = -(2**60) < part < 2**60 if isinstance(part, int) else isinstance(part, SCALARS)
        if not small and not isinstance(part, (Name, Inert, StorageRef, TensorRef)):
            raise ValueError("a dict key that is neither plain nor a tuple of plain values")


def _sizes(value: object) -> tuple[int, ...]:
    if not isinstance(value, (tuple, list)) or len(value) > MAX_DIMENSIONS:
        raise ValueError("a size or stride that is no short tuple")
    if not all(type(n) is int for n in value):
        raise ValueError("a size or stride that holds something else than whole numbers")
    return cast("tuple[int, ...]", tuple(value))


def _tensor(storage: object, offset: object, size: object, stride: object, *_: object) -> TensorRef:
    if not isinstance(storage, StorageRef) or type(offset) is not int:
        raise ValueError("a tensor without a storage")
    return TensorRef(storage, storage.dtype, offset, _sizes(size), _sizes(stride))


def _tensor_v3(storage: object, offset: object, size: object, stride: object, *rest: object) -> TensorRef:
    dtype = dtype_named(rest[2]) if len(rest) > 2 else None
    plain = _tensor(storage, offset, size, stride)
    return TensorRef(plain.storage, dtype or plain.dtype, plain.offset, plain.size, plain.stride)


def _first(data: object, *_: object) -> object:
    if not isinstance(data, (TensorRef, Unreadable, Inert)):
        raise ValueError("a parameter without a tensor")
    return data


def _list(values: object) -> list[object]:
    """TorchScript's typed lists: `build_intlist([1, 2])`."""
    if not isinstance(values, list):
        raise ValueError("a typed list of something else than a list")
    return values


def _untagged(value: object, *_: object) -> object:
    """TorchScript's containers with their type next to them: `restore_type_tag({}, "Dict[str, int]")`."""
    return value


def _unreadable(reason: str) -> Callable[[StepBudget, Args], object]:
    return lambda _budget, _args: Unreadable(reason)


def _ordered_dict(budget: StepBudget, args: Args) -> dict[object, object]:
    pairs = args[0] if args else ()
    if isinstance(pairs, dict) or not isinstance(pairs, (list, tuple)):
        raise ValueError("an OrderedDict of something else than pairs")
    budget.spend(len(pairs))
    entries: dict[object, object] = {}
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError("an OrderedDict of something else than pairs")
        check_key(pair[0])
        entries[pair[0]] = pair[1]
    return entries


def _dict_of_first(_budget: StepBudget, args: Args) -> dict[object, object]:
    given = args[-1] if args else None
    return given if isinstance(given, dict) else {}


def _device(_budget: StepBudget, args: Args) -> str:
    kind, index = args if len(args) == 2 else (args[0], None)
    if not isinstance(kind, str) or len(kind) > MAX_DIMENSIONS or not isinstance(index, (int, type(None))):
        raise ValueError("a device that is no name")
    return kind if index is None else f"{kind}:{index % 2**31}"


def _size(_budget: StepBudget, args: Args) -> tuple[int, ...]:
    return _sizes(args[0] if args else ())


def _on_args(function: Callable[..., object]) -> Callable[[StepBudget, Args], object]:
    return lambda _budget, args: function(*args)


TENSOR_REDUCERS: dict[str, Callable[[StepBudget, Args], object]] = {
    "torch._utils._rebuild_tensor": _on_args(_tensor),
    "torch._utils._rebuild_tensor_v2": _on_args(_tensor),
    "torch._utils._rebuild_tensor_v3": _on_args(_tensor_v3),
    "torch._utils._rebuild_parameter": _on_args(_first),
    "torch._utils._rebuild_parameter_with_state": _on_args(_first),
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _on_args(_first),
    "torch._utils._rebuild_qtensor": _unreadable("a quantised tensor"),
    "torch._utils._rebuild_sparse_tensor": _unreadable("a sparse tensor"),
    "torch._utils._rebuild_nested_tensor": _unreadable("a nested tensor"),
    "torch._utils._rebuild_meta_tensor_no_storage": _unreadable("a tensor on the meta device, which has no values"),
    "torch._utils._rebuild_wrapper_subclass": _unreadable("a tensor of a subclass of its own"),
    "torch._utils._rebuild_device_tensor_from_numpy": _unreadable("a tensor of an accelerator that was saved as NumPy"),
    "torch.storage._load_from_bytes": _unreadable("a tensor that was pickled without torch.save"),
    **{f"torch.jit._pickle.build_{kind}list": _on_args(_list) for kind in ("int", "double", "bool", "tensor")},
    "torch.jit._pickle.restore_type_tag": _on_args(_untagged),
    "torch.Size": _size,
    "torch.device": _device,
    "collections.OrderedDict": _ordered_dict,
    "collections.defaultdict": _dict_of_first,
    "collections.Counter": _dict_of_first,
}
