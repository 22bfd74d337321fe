"""What a pickle becomes here: names that are never looked up, records that are never called, tensors not yet read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from segexport.errors import shown


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that the pickle names; only its name is kept."""

    module: str
    name: str

    @property
    def dotted(self) -> str:
        return shown(f"{self.module}.{self.name}")


@dataclass(slots=True, eq=False, repr=False)
class Inert:
    """Stands in for an object of a class that is not known here: what the pickle would have given it."""

    kind: Name
    args: tuple[object, ...] = ()
    state: object = None
    items: dict[object, object] = field(default_factory=dict)
    elements: list[object] = field(default_factory=list)

    @property
    def attributes(self) -> dict[object, object]:
        """What would be its `__dict__`; empty where the state is something else."""
        state = self.state[0] if isinstance(self.state, tuple) and self.state else self.state
        return state if isinstance(state, dict) else {}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StorageRef:
    """Bytes in the container: values [start, start + numel) of the storage `key`, of type `dtype`."""

    key: str
    dtype: torch.dtype
    device: str
    numel: int
    start: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TensorRef:
    """A tensor as the pickle describes it; nothing is checked against the storage yet and nothing is read."""

    storage: StorageRef
    dtype: torch.dtype
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Unreadable:
    """A tensor of a kind that has no plain values: sparse, quantised, on the meta device."""

    reason: str


def mapping_of(value: object) -> Mapping[object, object] | None:
    """The entries of a dict, or of an object that stands in for a dict subclass; None for anything else."""
    if isinstance(value, dict):
        return value
    if isinstance(value, Inert) and value.items:
        return value.items
    return None


def is_module(value: object) -> bool:
    """Whether this stands in for a torch.nn.Module: it has parameters and submodules."""
    return isinstance(value, Inert) and "_parameters" in value.attributes and "_modules" in value.attributes
