"""What a network asks of its own constants while it is traced, answered with their values.

Needs: a condition or a number that depends on nothing but weights, buffers, constants and what is computed from them:
    `if (std == 0).any()`, as torchvision's normalize has it, `int(self.factor)`, `for k in torch.arange(3).tolist()`.
Does: computes such tensors for real next to the trace, which holds no values; anyone who asks for a value gets the real one.
Holds after: the branch that PyTorch takes with these weights, for every picture. What depends on the picture, on chance, or on
    a tensor that was changed in place is left to the trace, which refuses it where a value is asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

MOST_VALUES = 2**20  # of a result that is kept
ASKED = frozenset(
    {
        *("__bool__", "__int__", "__float__", "__index__", "__complex__", "__contains__", "__array__"),
        *("item", "tolist", "numpy", "equal", "allclose", "is_nonzero"),
    }
)
"""What gives values of a tensor, not a tensor."""
IN_PLACE = frozenset(
    {"__setitem__", *(f"__i{name}__" for name in ("add", "sub", "mul", "truediv", "and", "or", "xor"))}
)
_TRACED = (Tensor, torch.SymInt, torch.SymFloat, torch.SymBool)


@contextmanager
def constants_known(module: nn.Module) -> Iterator[None]:
    """Inside, `module.forward` knows its constants while torch.export traces it; elsewhere it is as it was."""
    forward, own = module.forward, "forward" in vars(module)
    values = {name: tensor.detach() for name, tensor in _weights(module)}

    @functools.wraps(forward)
    def knowing(*args: Any, **kwargs: Any) -> Any:
        with KnownConstants([(tensor, values[name]) for name, tensor in _weights(module)]):
            return forward(*args, **kwargs)

    module.forward = knowing
    try:
        yield
    finally:
        if own:
            module.forward = forward
        else:
            del module.forward


def _weights(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]


class KnownConstants(TorchFunctionMode):
    """`weights`: each weight as the trace has it, and its value. Other tensors that have values are taken as they are."""

    def __init__(self, weights: Sequence[tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self._known = {id(traced): (traced, value) for traced, value in weights}
        self._unchanged = True

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        leaves = tree_leaves((args, kwargs))
        if _changes(name, kwargs) and any(isinstance(leaf, Tensor) and self._is_constant(leaf) for leaf in leaves):
            self._known.clear()  # it, and whatever shares its values
            self._unchanged = False
        constant = all(self._is_constant(leaf) for leaf in leaves)
        if name in ASKED and constant and (answer := self._compute(func, args, kwargs)) is not None:
            return answer
        result = func(*args, **kwargs)
        if constant and isinstance(result, Tensor | tuple | list):
            self._remember(result, func, args, kwargs)
        return result

    def _is_constant(self, leaf: object) -> bool:
        if not isinstance(leaf, _TRACED) or id(leaf) in self._known:
            return True
        return self._unchanged and type(leaf) in (Tensor, nn.Parameter)  # of the trace is a class of its own

    def _remember(self, result: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        traced = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if traced and sum(tensor.numel() for tensor in traced) <= MOST_VALUES:
            values = [leaf for leaf in tree_leaves(self._compute(func, args, kwargs)) if isinstance(leaf, Tensor)]
            if [value.shape for value in values] == [tensor.shape for tensor in traced]:
                self._known.update({id(t): (t, value) for t, value in zip(traced, values, strict=True)})

    def _compute(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`func` of the values; None where it is not the same each time, or cannot be computed alone."""
        real_args, real_kwargs = tree_map(lambda leaf: self._known.get(id(leaf), (None, leaf))[1], (args, kwargs))
        try:
            with _disable_current_modes(), torch._C.DisableTorchFunction(), torch.no_grad(), SameEachTime():
                return func(*real_args, **real_kwargs)
        except Exception:  # noqa: BLE001 - what the trace says of it is what matters
            return None


def _changes(name: str, kwargs: dict[str, Any]) -> bool:
    ends = name.endswith("_") and not name.endswith("__")
    return ends or name in IN_PLACE or bool(kwargs.get("inplace")) or kwargs.get("out") is not None


class SameEachTime(TorchDispatchMode):  # type: ignore[no-untyped-call]  # its metaclass hook
    """Inside, what draws numbers, reads memory that nobody wrote, or writes into a tensor is an error."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags or func._schema.is_mutable or "empty" in func.__name__:
            raise ValueError(f"{func} is not the same each time")
        return func(*args, **(kwargs or {}))
