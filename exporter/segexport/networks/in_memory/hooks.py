"""Hooks in a module's copy: those that only look on are dropped, those that change the output are a part of the network."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from segexport.errors import ArchitectureError
from segexport.networks.network import Asked, Size
from segexport.networks.outputs import OneOutput, named_tensors, probe
from segexport.networks.user import TRIED_SIZES

_FORWARD = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
)
_BACKWARD = ("_backward_hooks", "_backward_pre_hooks")
_MOST_NAMED = 3


def settle_hooks(name: str, module: nn.Module, asked: Asked) -> tuple[str, ...]:
    """Run `module` once with its forward hooks and once without, in place: where the output is the same to the bit, they go.

    Backward hooks go in any case.

    Returns:
        A note on what became of forward hooks.

    Raises:
        ArchitectureError: with its hooks the network fails, without them it does not.
    """
    _clear(module, _BACKWARD)
    hooked = {path or name: one for path, one in module.named_modules() if one._forward_hooks or one._forward_pre_hooks}
    if not hooked:
        return ()
    size, theirs = _first_that_runs(name, module, asked)
    saved = {path: {kind: dict(getattr(one, kind)) for kind in _FORWARD} for path, one in hooked.items()}
    _clear(module, _FORWARD)
    try:
        ours = probe(name, OneOutput(module, asked), size)
    except ArchitectureError:
        ours = None  # what hooks make possible they are needed for
    if isinstance(theirs, ArchitectureError):
        return () if ours is None else _refuse(name, hooked, theirs)
    where = ", ".join(list(hooked)[:_MOST_NAMED]) + (", …" if len(hooked) > _MOST_NAMED else "")
    if ours is not None and _same(theirs, ours):
        return (f"Forward hooks ({where}) change nothing of the output: they are left out.",)
    for path, one in hooked.items():
        for kind in _FORWARD:
            getattr(one, kind).update(saved[path][kind])
    return (f"Forward hooks ({where}) change the output: they are a part of the exported network.",)


def _first_that_runs(name: str, module: nn.Module, asked: Asked) -> tuple[Size, Any]:
    """A size and what forward returns for it; the first size and why it fails, where all do."""
    failed = None
    sizes = (asked.size,) if asked.size else TRIED_SIZES
    for size in sizes:
        try:
            return size, probe(name, OneOutput(module, asked), size)
        except ArchitectureError as error:
            failed = failed or error
    return sizes[0], failed


def _refuse(name: str, hooked: dict[str, nn.Module], error: ArchitectureError) -> tuple[str, ...]:
    raise ArchitectureError(
        f"{name}: with its hooks ({', '.join(list(hooked)[:_MOST_NAMED])}) the network fails and without them it does not; "
        f"remove the hook that raises, or fix it: {error}"
    ) from error


def _clear(module: nn.Module, kinds: tuple[str, ...]) -> None:
    for one in module.modules():
        for kind in kinds:
            getattr(one, kind).clear()


def _same(theirs: Any, ours: Any) -> bool:
    a, b = dict(named_tensors(theirs)), dict(named_tensors(ours))
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
