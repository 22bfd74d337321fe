"""Prefixes that wrappers put before every key: DataParallel, torch.compile, Lightning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from segexport.errors import shown

WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.")
# what stands next to the network in a LightningModule or an AveragedModel, and is no part of it
UNRELATED = re.compile(
    r"((train|val|valid|test)_)?(loss|criterion|metric|iou|dice|acc|accuracy|n_averaged)[a-z0-9_]*(\.|$)|(pixel_)?(mean|std)$",
    re.I,
)
MAX_LAYERS = 6

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Stripped:
    """The prefix that every related key had, and the keys that were left out because they had not."""

    prefix: str
    dropped: tuple[str, ...]


def common_prefix(keys: Iterable[str]) -> Stripped:
    """The wrappers' prefixes that all keys share, keys such as `criterion.weight` apart."""
    prefix = ""
    dropped: list[str] = []
    remaining = list(keys)
    for _ in range(MAX_LAYERS):
        related = [key for key in remaining if not UNRELATED.match(key)]
        wrapper = next((w for w in WRAPPERS if related and all(key.startswith(w) for key in related)), None)
        if wrapper is None:
            break
        dropped += [prefix + key for key in remaining if not key.startswith(wrapper)]
        prefix += wrapper
        remaining = [key.removeprefix(wrapper) for key in remaining if key.startswith(wrapper)]
    return Stripped(prefix, tuple(dropped))


def strip_keys(values: Mapping[str, Value], prefix: str) -> dict[str, Value]:
    """The entries under the prefix, without it, in order."""
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def strip_paths(values: Mapping[str, Value], prefix: str) -> dict[str, Value]:
    """The same for module paths, where the module `prefix` itself becomes the root ""."""
    return {
        f"{place}."[len(prefix) :].removesuffix("."): value
        for place, value in values.items()
        if f"{place}.".startswith(prefix)
    }


def prefix_levels(prefix: str) -> list[str]:
    """`"module.net."` → `["", "module.", "module.net."]`: a class of the user's may itself have a part called `net`."""
    words = [f"{word}." for word in prefix.split(".")[:-1]]
    return ["".join(words[:count]) for count in range(len(words) + 1)]


def prefix_notes(stripped: Stripped) -> tuple[str, ...]:
    """What was left out, in one sentence."""
    if not stripped.dropped:
        return ()
    names = ", ".join(shown(key) for key in stripped.dropped[:5]) + (", …" if len(stripped.dropped) > 5 else "")
    return (f"{len(stripped.dropped)} keys next to the network were left out: {names}.",)
