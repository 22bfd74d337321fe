"""From a way to make a module to the module with a checkpoint's weights; nothing of its size is taken before the keys fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from segexport.errors import ArchitectureError, first_few
from segexport.networks.blame import told
from segexport.networks.fit import differences, load, shapes_of, with_aliases
from segexport.networks.network import LARGEST_WIDTH
from segexport.networks.offline import offline

Made = TypeVar("Made")
Make = Callable[[], nn.Module]

_MADE = frozenset({torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn})
_FILLS = frozenset({"uniform_", "normal_", "fill_", "zero_", "mul_", "add_", "clamp_", "erfinv_"})
"""Of a tensor without values: slow, and without effect."""
MOST_IN_ALL = 2**20
"""Of the numbers in one list, together."""
_SPARE = 4  # timm's encoders are built twice, one of them with a classifier
_LEAST = 4_000


class _WithoutValues(TorchFunctionMode):
    """Parameters are made on the meta device. What is counted or listed (linspace, arange, tensor) is computed as ever."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        words = dict(kwargs or {})
        if getattr(func, "__name__", "") in _FILLS and args and isinstance(args[0], Tensor) and args[0].is_meta:
            return args[0]
        if func in _MADE and words.get("device") is None:
            words["device"] = "meta"
        return func(*args, **words)


def refuse_large_numbers(where: str, value: object) -> None:
    """Raise `ArchitectureError` where data from a file holds a number that is no width and no count of layers of any network.

    Libraries compute lists as long as such a number, before they make the first layer.
    """
    parts = list(value.values() if isinstance(value, Mapping) else value) if isinstance(value, Mapping | list) else []
    numbers = [one for one in [value, *parts] if isinstance(one, int) and not isinstance(one, bool)]
    if sum(map(abs, numbers)) > (LARGEST_WIDTH if not parts else MOST_IN_ALL):
        raise ArchitectureError(
            f"{where}: it holds the number {max(map(abs, numbers)):,}, more than any layer has channels; "
            "give the configuration that the weights were saved with"
        )
    for part in parts:
        refuse_large_numbers(where, part)


def sketch(where: str, make: Make, tensors: int, convolutions: Set[tuple[int, ...]] | None = None) -> nn.Module:
    """The module without values: its keys and shapes.

    Args:
        where: what messages begin with.
        tensors: of the checkpoint; a module with many times as many is given up while it is being built.
        convolutions: the shapes that its kernels wider than 1x1 may have; it is given up at the first other one.

    Raises:
        ArchitectureError: it cannot be built, or was given up.
    """
    with _watched(_SPARE * tensors + _LEAST, convolutions), _WithoutValues():
        return made(where, make)


def refuse_larger(where: str, make: Make, state_dict: Mapping[str, Tensor]) -> None:
    """Raise `ArchitectureError` where the module would hold many more values than the checkpoint."""
    module = sketch(where, make, len(state_dict))
    wanted = sum(parameter.numel() for parameter in module.parameters())
    held = sum(tensor.numel() for tensor in state_dict.values())
    if wanted > 2 * held + _LEAST:
        raise ArchitectureError(
            f"{where}: describes a network of {wanted:,} values, and the weights are {held:,}; "
            "give the configuration that the weights were saved with"
        )


def fitting(
    where: str, make: Make, state_dicts: Sequence[Mapping[str, Tensor]], advice: str
) -> tuple[nn.Module, tuple[str, ...]]:
    """What `make` gives with the first of `state_dicts` whose keys and shapes fit, in evaluation mode; and notes.

    Raises:
        ArchitectureError: it cannot be built, or nothing fits.
    """
    module = sketch(where, make, max(map(len, state_dicts)))
    expected = shapes_of(module.state_dict())
    nearest: list[str] | None = None
    for state_dict in state_dicts:
        differing = differences(expected, shapes_of(with_aliases(module, state_dict)))
        if not differing:
            notes = load(module, state_dict)
            if _lacks_values(module):
                module = made(where, make)
                load(module, state_dict)
            return module, notes
        nearest = differing if nearest is None or len(differing) < len(nearest) else nearest
    raise ArchitectureError(f"{where}: the weights do not fit: {first_few(nearest or [])}; {advice}")


def made(where: str, make: Callable[[], Made]) -> Made:
    """What `make` gives; offline, without a trace in torch's random state, and its failure in one line."""
    with ExitStack() as stack:
        guard = stack.enter_context(offline())
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        try:
            return make()
        except ArchitectureError:
            raise
        except Exception as error:
            asked = f"asks {guard.asked} for something, and no request leaves the machine here" if guard.asked else ""
            raise ArchitectureError(
                f"{where}: cannot be built: {asked or told(error)}; save it with the version of the library that is installed"
            ) from error


@contextmanager
def _watched(most: int, convolutions: Set[tuple[int, ...]] | None) -> Iterator[None]:
    """A configuration may ask for more layers than memory holds; and of many networks most are told by their first layer."""
    left = most

    def look(_module: nn.Module, _name: str, parameter: nn.Parameter) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ArchitectureError(
                f"the configuration asks for more than {most:,} tensors, many times what the checkpoint holds; "
                "give the configuration that the weights were saved with"
            )
        shape = tuple(parameter.shape)
        if convolutions is not None and len(shape) == 4 and shape[2] > 1 and shape not in convolutions:
            raise ArchitectureError(f"a convolution of {shape} is none of the checkpoint's")

    hook = register_module_parameter_registration_hook(look)
    try:
        yield
    finally:
        hook.remove()


def _lacks_values(module: nn.Module) -> bool:
    """Whether anything that no key of the checkpoint fills was left on the meta device."""
    plain = (value for one in module.modules() for value in vars(one).values() if isinstance(value, Tensor))
    return any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers(), *plain))
