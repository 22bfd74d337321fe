"""A user's own class, named on the command line as `package.module:factory`.

The code that runs here is the user's, because the user named it; it never comes out of a checkpoint.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segexport.errors import ArchitectureError
from segexport.networks import ARCHITECTURES
from segexport.networks.fit import differences, first_few, load, shapes_of, with_aliases
from segexport.networks.network import PERSON_CHANNELS, Network, Size
from segexport.networks.recognise import build

TRIED_SIZES: tuple[Size, ...] = ((256, 256), (224, 224), (512, 512))


class FirstOutput(nn.Module):
    """Of a dict the entry `out`, of a tuple or list the first: `(N, 3, H, W)` → `(N, C, H, W)`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Any:
        return first_output(self.module(x))


def first_output(output: Any) -> Any:
    """The tensor that the mask is made of, where a network returns more than one."""
    if isinstance(output, Mapping):
        return output.get("out")
    return output[0] if isinstance(output, tuple | list) and output else output


def load_user_network(spec: str, state_dict: Mapping[str, Tensor]) -> Network:
    """The network that `spec` names, a name from `ARCHITECTURES` or `package.module:factory`, with its weights."""
    if spec in ARCHITECTURES:
        return build(ARCHITECTURES[spec], ARCHITECTURES[spec].plan(shapes_of(state_dict)), state_dict, named=True)
    with _working_directory_importable():
        module = make_module(spec)
        differing = differences(shapes_of(module.state_dict()), shapes_of(with_aliases(module, state_dict)))
        if differing:
            raise ArchitectureError(
                f"--arch {spec}: the checkpoint does not fit {type(module).__name__}: {first_few(differing)}; "
                "give the factory that the checkpoint was trained with"
            )
        notes = load(module, state_dict)
        size, output = _first_size_that_works(spec, module)
    return _describe(spec, module, size, output, notes)


def make_module(spec: str) -> nn.Module:
    """Import what `spec` names and call it without arguments."""
    package, colon, factory = spec.partition(":")
    if not (package and colon and factory):
        raise ArchitectureError(
            f"--arch {spec}: unknown network; expected one of {', '.join(ARCHITECTURES)}, or package.module:factory"
        )
    try:
        found: Any = import_module(package)
        for name in factory.split("."):
            found = getattr(found, name)
        module = found if isinstance(found, nn.Module) else found()
    except Exception as error:
        raise ArchitectureError(
            f"--arch {spec}: {type(error).__name__}: {' '.join(str(error).split())}; "
            "expected a class or function that can be imported from here and called without arguments"
        ) from error
    if not isinstance(module, nn.Module):
        raise ArchitectureError(
            f"--arch {spec}: gave a {type(module).__name__}, expected a torch.nn.Module; return the network"
        )
    return module


def probe(spec: str, module: nn.Module, size: Size) -> Any:
    """What the module returns for one black picture of `size`: `(1, 3, height, width)` float32."""
    try:
        with torch.no_grad():
            return module(torch.zeros(1, 3, *size))
    except Exception as error:
        raise ArchitectureError(
            f"--arch {spec}: {type(error).__name__} for an input of {size[0]}x{size[1]}: "
            f"{' '.join(str(error).split())}; give a --size that the network takes"
        ) from error


def check_logits(spec: str, output: Any, size: Size) -> Tensor:
    """`output` itself, where it is logits `(1, C, height, width)`."""
    logits = first_output(output)
    if isinstance(logits, Tensor) and logits.ndim == 4 and tuple(logits.shape[2:]) == size:
        return logits
    got = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(output).__name__
    raise ArchitectureError(
        f"--arch {spec}: forward gave {got} for an input of shape (1, 3, {size[0]}, {size[1]}), expected logits "
        f"(1, C, {size[0]}, {size[1]}) or a dict with 'out'; resize them in forward"
    )


def _first_size_that_works(spec: str, module: nn.Module, sizes: Sequence[Size] = TRIED_SIZES) -> tuple[Size, Any]:
    size, *others = sizes
    try:
        return size, probe(spec, module, size)
    except ArchitectureError:
        if not others:
            raise
    return _first_size_that_works(spec, module, others)


def _describe(spec: str, module: nn.Module, size: Size, output: Any, notes: tuple[str, ...]) -> Network:
    logits = check_logits(spec, output, size)
    unwrapped = output is not logits

    def size_check(height: int, width: int) -> None:
        check_logits(spec, probe(spec, module, (height, width)), (height, width))

    kind = "dict: its entry 'out'" if isinstance(output, Mapping) else f"{type(output).__name__}: its first entry"
    return Network(
        name=spec,
        module=FirstOutput(module).eval() if unwrapped else module,
        out_channels=logits.shape[1],
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        variant=type(module).__name__,
        default_size=size,
        size_rule="what forward accepts",
        person_channel=PERSON_CHANNELS.get(logits.shape[1]),
        reasons=(f"--arch {spec} names it", "all keys and shapes fit"),
        notes=(*notes, *([f"forward returns a {kind} is used"] if unwrapped else [])),
        size_check=size_check,
    )


@contextmanager
def _working_directory_importable() -> Iterator[None]:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
