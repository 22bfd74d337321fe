"""Where the weights are in what was saved: at the top, or under one of the names that people use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segexport.checkpoint.pickle.inert import Inert, TensorRef, Unreadable, is_module, mapping_of
from segexport.errors import CheckpointError, shown

PREFERRED = (
    *(
        "state_dict",
        "model_state_dict",
        "model_state",
        "model",
        "net",
        "netG",
        "network",
        "weights",
        "params",
        "generator",
    ),
    *("generator_state_dict", "module", "state"),
)
SKIPPED = re.compile(
    r"(optim|sched|scaler|amp$|rng|random|callback|loop|hyper|hparams|args$|config|criterion|loss|metric|discriminator|netD)",
    re.I,
)
AVERAGED = re.compile(r"(^|_|\.)(ema|swa|averaged|shadow|teacher)($|_|\.)|ema_model|params_ema", re.I)
MAX_DEPTH = 5
MAX_VISITS = 20_000
MAX_NAMED = 12
HYPER_PARAMETERS = "hyper_parameters"
ARGUMENTS = "_hub_mixin_config"
"""Where huggingface_hub's mixin keeps the arguments that a module was made with."""


@dataclass(frozen=True, slots=True)
class Found:
    """The weights: a dict of tensors or a module; `entry` is the dotted way to them, None at the top."""

    holder: object
    entry: str | None
    notes: tuple[str, ...] = ()


def find_weights(path: Path, root: object) -> Found:
    """The one state dict or module in `root`; of several, plain ones before averaged ones, usual names first."""
    if is_module(root):
        return Found(root, None)
    candidates = dict(_candidates(root))
    known = {way: value for way, value in candidates.items() if _rank(way) < len(PREFERRED) or AVERAGED.search(way)}
    if _is_state_dict(root) and not known:
        return Found(root, None)
    if not candidates:
        raise CheckpointError(_nothing_found(path, root))
    best = min(candidates, key=lambda way: (AVERAGED.search(way) is not None, _rank(way), -_count(candidates[way])))
    return Found(candidates[best], best, (*_choice_notes(best, list(candidates)), *_other_entries(root, best)))


def hyper_parameters(root: object) -> dict[str, object]:
    """What Lightning's `save_hyperparameters` kept, or a saved module of its arguments: plain values, lists and dicts."""
    whole = root.attributes.get(ARGUMENTS) if isinstance(root, Inert) and is_module(root) else None
    found = (mapping_of(root) or {}).get(HYPER_PARAMETERS) if whole is None else whole
    plain = _plain(found if mapping_of(found) else found.attributes if isinstance(found, Inert) else {}, MAX_DEPTH)
    return plain if isinstance(plain, dict) else {}


def _plain(value: object, depth: int) -> object:
    """A copy of plain data; `Ellipsis` for anything else."""
    entries = mapping_of(value)
    if value is None or isinstance(value, str | int | float):
        return value
    if depth and isinstance(value, list | tuple) and len(value) <= MAX_VISITS:
        items = [_plain(item, depth - 1) for item in value]
        return ... if ... in items else items
    if depth and entries is not None and len(entries) <= MAX_VISITS:
        pairs = {key: _plain(item, depth - 1) for key, item in entries.items() if isinstance(key, str)}
        return {key: item for key, item in pairs.items() if item is not ...}
    return ...


def _candidates(root: object) -> Iterator[tuple[str, object]]:
    """(dotted way, state dict or module) below the root; each object once, no deeper than MAX_DEPTH."""
    waiting = [("", root, 0)]
    seen: set[int] = set()
    while waiting:
        way, value, depth = waiting.pop(0)
        if id(value) in seen or len(seen) > MAX_VISITS:
            continue
        seen.add(id(value))
        if way and (is_module(value) or _is_state_dict(value)):
            yield way, value
        elif depth < MAX_DEPTH:
            waiting += [(f"{way}.{key}" if way else key, child, depth + 1) for key, child in _children(value)]


def _children(value: object) -> Iterator[tuple[str, object]]:
    """Entries that may hold weights: of a dict, a list, or the attributes of an object."""
    entries = mapping_of(value) or (value.attributes if isinstance(value, Inert) else {})
    if isinstance(value, (list, tuple)) and len(value) <= MAX_NAMED:
        entries = {str(index): item for index, item in enumerate(value)}
    if _is_optimizer(value):
        return
    for key, child in entries.items():
        if isinstance(key, str) and not SKIPPED.search(key) and isinstance(child, (dict, Inert, list, tuple)):
            yield shown(key), child


def _is_state_dict(value: object) -> bool:
    """A dict with text keys of which at least half hold tensors."""
    entries = mapping_of(value)
    if not entries or not all(isinstance(key, str) for key in entries):
        return False
    return 2 * _count(value) >= len(entries)


def _count(value: object) -> int:
    """Tensors directly in a dict; a module counts as a large one."""
    if is_module(value):
        return MAX_VISITS
    return sum(isinstance(item, (TensorRef, Unreadable)) for item in (mapping_of(value) or {}).values())


def _is_optimizer(value: object) -> bool:
    entries = mapping_of(value)
    return entries is not None and "param_groups" in entries and "state" in entries


def _rank(way: str) -> int:
    return min((PREFERRED.index(part) for part in way.split(".") if part in PREFERRED), default=len(PREFERRED))


def _choice_notes(best: str, ways: list[str]) -> Iterator[str]:
    others = [way for way in ways if way != best]
    if AVERAGED.search(best):
        yield f"The weights under {best!r} are averaged ones (EMA); there are no plain ones."
    if others:
        yield f"Several sets of weights: {best!r} was taken; not {', '.join(repr(way) for way in others[:MAX_NAMED])}."


def _other_entries(root: object, best: str) -> Iterator[str]:
    entries = mapping_of(root) or {}
    read = (best.split(".")[0], HYPER_PARAMETERS)
    names = [shown(key) for key in entries if isinstance(key, str) and key not in read]
    if names:
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        yield f"The training dict also holds {', '.join(names[:MAX_NAMED])}{more}; nothing of that is used."


def _nothing_found(path: Path, root: object) -> str:
    entries = mapping_of(root) or {}
    values = [root, *entries.values()]
    if isinstance(root, TensorRef):
        found, advice = "a single tensor", "Save model.state_dict()"
    elif any(_is_optimizer(value) for value in values):
        found, advice = "only the state of an optimizer", "Give the file that holds the weights"
    elif any(_holds_numpy(value) for value in values):
        found, advice = "NumPy arrays", "Save them with torch.from_numpy as tensors"
    else:
        names = [shown(key) for key in entries if isinstance(key, str)][:MAX_NAMED]
        found, advice = f"no tensors (entries: {', '.join(names) or 'none'})", "Save model.state_dict()"
    return f"{path}: holds {found}, expected a state dict, a training dict or a module. {advice}"


def _holds_numpy(value: object) -> bool:
    entries = mapping_of(value) or {}
    return any(isinstance(item, Inert) and item.kind.name == "_reconstruct" for item in entries.values())
