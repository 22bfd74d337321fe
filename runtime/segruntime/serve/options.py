"""A request's query, checked: each option is known, given once, and has a value that can be used."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from segruntime.refine import PRESETS
from segruntime.serve.errors import RefusedError

Pairs = Iterable[tuple[str, str]]


def read_options(pairs: Pairs, known: Collection[str]) -> dict[str, str]:
    """The query as a dict.

    Raises:
        RefusedError: an option that is not known, or given twice (422).
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise RefusedError(422, f"query: got {name[:40]!r}, expected one of {', '.join(known)}; leave it out")
        if name in found:
            raise RefusedError(422, f"{name}: given twice, expected once; leave one out")
        found[name] = value
    return found


def one_of(options: dict[str, str], name: str, values: Iterable[str]) -> Any:
    """That option's value; the first of `values` where it is not given.

    Raises:
        RefusedError: another value (422).
    """
    allowed = list(values)
    value = options.get(name, allowed[0])
    if value not in allowed:
        raise RefusedError(422, f"{name}: got {value[:40]!r}, expected one of {', '.join(allowed)}")
    return value


def preset_name(options: dict[str, str]) -> str | None:
    """The preset of the edges; None is the network's mask as it is, scaled up.

    Raises:
        RefusedError: another value (422).
    """
    value = one_of(options, "preset", ["none", *PRESETS])
    return None if value == "none" else str(value)


def jpeg_quality(options: dict[str, str]) -> int:
    """1 to 100, 90 where it is not given.

    Raises:
        RefusedError: another value (422).
    """
    text = options.get("quality", "90")
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= 100):
        raise RefusedError(422, f"quality: got {text[:40]!r}, expected a whole number from 1 to 100")
    return int(text)
