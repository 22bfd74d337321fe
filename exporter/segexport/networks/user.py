"""A user's own class, named on the command line as `package.module:factory`.

The code that runs here is the user's, because the user named it; it never comes out of a checkpoint.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from segexport.errors import ArchitectureError, first_few
from segexport.networks import ARCHITECTURES
from segexport.networks.blame import told
from segexport.networks.fit import differences, load, shapes_of, with_aliases
from segexport.networks.network import PERSON_CHANNELS, Asked, Network, Size
from segexport.networks.offline import offline
from segexport.networks.outputs import Settled, settle_output
from segexport.networks.recognise import build

TRIED_SIZES: tuple[Size, ...] = ((256, 256), (224, 224), (512, 512))


def load_user_network(asked: Asked, state_dicts: Sequence[Mapping[str, Tensor]]) -> Network:
    """The network that `asked.arch` names, a name from `ARCHITECTURES` or `package.module:factory`, with its weights.

    Args:
        state_dicts: the same weights with more and more of their prefixes taken off; the first that fits is loaded.
    """
    spec = asked.arch or ""
    if spec in ARCHITECTURES:
        bare = state_dicts[-1]
        return build(ARCHITECTURES[spec], ARCHITECTURES[spec].plan(shapes_of(bare)), bare, named=True)
    where = f"--arch {spec}"
    with _working_directory_importable():
        module = make_module(asked)
        state_dict = _that_fits(where, module, state_dicts)
        notes = load(module, state_dict)
        return network_of(where, module, asked, reasons=(f"{where} names it", "all keys and shapes fit"), notes=notes)


def network_of(
    where: str,
    module: nn.Module,
    asked: Asked,
    *,
    reasons: tuple[str, ...],
    notes: tuple[str, ...] = (),
    default_size: Size | None = None,
) -> Network:
    """A module that has its weights, in evaluation mode, as the exporter wants it: one map of scores out.

    `asked.size` is tried as it is given; without it `default_size`, or else the first of `TRIED_SIZES` that forward takes.

    Raises:
        ArchitectureError: see `settle_output`.
    """
    given = asked.size or default_size
    size, settled = _first_size_that_works(where, module, asked, (given,) if given else TRIED_SIZES)

    def check_size(height: int, width: int) -> None:
        if (height, width) != size:
            settle_output(where, module, asked, (height, width))

    return Network(
        name=asked.arch or type(module).__name__,
        module=settled.module,
        out_channels=settled.channels,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        variant=type(module).__name__,
        default_size=size,
        size_rule="what forward accepts",
        person_channel=PERSON_CHANNELS.get(settled.channels),
        reasons=reasons,
        notes=(*notes, *settled.notes),
        size_check=check_size,
    )


def make_module(asked: Asked) -> nn.Module:
    """Import what `asked.arch` names and call it with `asked.arch_args`; nothing is downloaded meanwhile."""
    spec = asked.arch or ""
    package, colon, factory = spec.partition(":")
    if not (package and colon and factory):
        raise ArchitectureError(
            f"--arch {spec}: unknown network; expected one of {', '.join(ARCHITECTURES)}, or package.module:factory"
        )
    with offline() as guard:
        try:
            found = _found(spec, package, factory)
            module = found if isinstance(found, nn.Module) else _call(spec, found, asked.arch_args)
        except ArchitectureError:
            raise
        except Exception as error:
            if guard.asked is not None:
                raise ArchitectureError(
                    f"--arch {spec}: asks {guard.asked} for something ({told(error)}), and no request leaves the machine here; "
                    "build it without downloading, such as --arch-args pretrained=False or weights=None"
                ) from error
            raise ArchitectureError(
                f"--arch {spec}: cannot be built: {told(error)}; expected a class or function that gives the network, "
                "with its arguments as --arch-args NAME=VALUE"
            ) from error
    if not isinstance(module, nn.Module):
        raise ArchitectureError(
            f"--arch {spec}: gave a {type(module).__name__}, expected a torch.nn.Module; return the network"
        )
    return module


def _found(spec: str, package: str, factory: str) -> Any:
    try:
        found: Any = import_module(package)
        for name in factory.split("."):
            found = getattr(found, name)
    except Exception as error:
        raise ArchitectureError(
            f"--arch {spec}: cannot be imported: {told(error)}; expected a class or function that can be imported from here"
        ) from error
    return found


def _call(spec: str, factory: Callable[..., object], arguments: Mapping[str, object]) -> object:
    """Python's own words on a wrong argument name no option of ours."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # written in C
        return factory(**arguments)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise ArchitectureError(f"--arch {spec}: {error}; it takes {signature}: give --arch-args NAME=VALUE") from error
    return factory(**arguments)


def _that_fits(where: str, module: nn.Module, state_dicts: Sequence[Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    expected = shapes_of(module.state_dict())
    nearest: list[str] = []
    for state_dict in state_dicts:
        differing = differences(expected, shapes_of(with_aliases(module, state_dict)))
        if not differing:
            return state_dict
        nearest = differing if not nearest or len(differing) < len(nearest) else nearest
    raise ArchitectureError(
        f"{where}: the checkpoint does not fit {type(module).__name__}: {first_few(nearest)}; "
        "give the factory, and the --arch-args, that the checkpoint was trained with"
    )


def _first_size_that_works(where: str, module: nn.Module, asked: Asked, sizes: Sequence[Size]) -> tuple[Size, Settled]:
    refusals = []
    for size in sizes:
        try:
            return size, settle_output(where, module, asked, size)
        except ArchitectureError as error:
            refusals.append(error)
    others = ", ".join(f"{height}x{width}" for height, width in sizes[1:])
    raise ArchitectureError(f"{refusals[0]}{f' ({others} fail too)' if others else ''}") from refusals[0]


@contextmanager
def _working_directory_importable() -> Iterator[None]:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
