"""A pickled module → what `module.state_dict()` would give, its class names and plain attributes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from segexport.checkpoint.pickle.inert import Inert, Name, mapping_of
from segexport.errors import DamagedCheckpointError, shown

Plain = int | float | str | bool | tuple[object, ...]

MAX_DEPTH = 64
MAX_MODULES = 20_000
MAX_PLAIN_ITEMS = 64
MAX_TEXT = 200
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_state_dict_hooks")


@dataclass(slots=True)
class ModuleTree:
    """State-dict key → value as pickled, and by module path ("" is the root) class, plain attributes."""

    values: dict[str, object] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    settings: dict[str, dict[str, Plain]] = field(default_factory=dict)
    hooked: list[str] = field(default_factory=list)


def rebuild_module(path: Path, root: Inert) -> ModuleTree:
    """Walk the modules in the order of `state_dict()`: own parameters, own buffers, then children."""
    tree = ModuleTree()
    for place, module in _modules(path, root):
        prefix = f"{place}." if place else ""
        tree.values.update({prefix + key: value for key, value in _own_values(module)})
        tree.classes[place] = module.kind.dotted
        tree.settings[place] = dict(plain_attributes(module))
        if any(mapping_of(module.attributes.get(hook)) for hook in HOOKS):
            tree.hooked.append(place or "the root")
    return tree


def _modules(path: Path, root: Inert) -> Iterator[tuple[str, Inert]]:
    """Every (path, module), a shared module once under each of its paths; a cycle or a tree without end is refused."""
    waiting: list[tuple[str, Inert, int]] = [("", root, 0)]
    count = 0
    while waiting:
        place, module, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_MODULES:
            limit = f"nested deeper than {MAX_DEPTH}" if depth > MAX_DEPTH else f"more than {MAX_MODULES:,}"
            raise DamagedCheckpointError(path, f"its modules are {limit}, or contain themselves")
        yield place, module
        children = _named(module, "_modules")
        prefix = f"{place}." if place else ""
        waiting += [(prefix + key, child, depth + 1) for key, child in reversed(children) if isinstance(child, Inert)]


def _own_values(module: Inert) -> Iterator[tuple[str, object]]:
    transient = _elements(module.attributes.get("_non_persistent_buffers_set"))
    yield from ((key, value) for key, value in _named(module, "_parameters") if value is not None)
    yield from ((key, value) for key, value in _named(module, "_buffers") if value is not None and key not in transient)


def _named(module: Inert, attribute: str) -> list[tuple[str, object]]:
    entries = mapping_of(module.attributes.get(attribute)) or {}
    return [(key, value) for key, value in entries.items() if isinstance(key, str)]


def _elements(value: object) -> frozenset[str]:
    return (
        frozenset(item for item in value.elements if isinstance(item, str)) if isinstance(value, Inert) else frozenset()
    )


def plain_attributes(module: Inert) -> Iterator[tuple[str, Plain]]:
    """Numbers, text, tuples of them, and functions by their name; private attributes are left out."""
    for key, value in module.attributes.items():
        if isinstance(key, str) and key.isidentifier() and not key.startswith("_"):
            plain = _plain(value)
            if plain is not None:
                yield key, plain


def _plain(value: object) -> Plain | None:
    if isinstance(value, Name):
        return value.dotted
    if isinstance(value, str):
        return shown(value) if len(value) <= MAX_TEXT else None
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (tuple, list)) and len(value) <= MAX_PLAIN_ITEMS:
        items = [item for item in value if isinstance(item, (bool, int, float, str))]
        return tuple(items) if len(items) == len(value) else None
    return None
