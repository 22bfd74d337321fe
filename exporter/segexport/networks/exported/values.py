"""Arguments of a graph that was saved as JSON: each is one of a few forms; references to other values become `Ref`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from segexport.errors import shown

MAX_LIST = 4096
LARGEST = 2**63 - 1
FLOATS = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}
# torch/_export/serde/schema.py; floating types other than float32 are refused: everything is float32 here
TYPES = {1: torch.uint8, 4: torch.int32, 5: torch.int64, 7: torch.float32, 12: torch.bool}
TYPE_NAMES = {6: "float16", 8: "float64", 13: "bfloat16"}
FORMATS = {1: torch.contiguous_format, 2: torch.channels_last, 4: torch.preserve_format}
STRIDED = 7


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of that name."""

    name: str


@dataclass(frozen=True, slots=True)
class Here:
    """The device that the graph runs on, whatever the file says."""


class GraphError(ValueError):
    """A part of the graph that is refused; the message is a phrase."""


def argument(given: Any) -> Any:
    """A plain value, a Ref, Here, or a list of plain values and Refs.

    Raises:
        GraphError: of another form.
    """
    kind, value = single(given)
    if kind not in FORMS:
        raise GraphError(f"an argument of the form {shown(kind)} is not supported")
    return FORMS[kind](value)


def single(given: Any) -> tuple[str, Any]:
    """The one entry of a tagged union such as `{"as_int": 3}`."""
    if not isinstance(given, dict) or len(given) != 1:
        raise GraphError("an argument is no object with one entry")
    return next(iter(given.items()))


def name_of(value: Any, key: str = "name") -> str:
    """The name in `{"name": "conv2d_1"}`."""
    name = value.get(key) if isinstance(value, dict) else None
    if not isinstance(name, str) or not 0 < len(name) <= 1000:
        raise GraphError("a value has no short name")
    return name


def whole(value: Any) -> int:
    if type(value) is not int or not -LARGEST <= value <= LARGEST:
        raise GraphError(f"{shown(repr(value)[:50])} is no whole number of 64 bits")
    return value


def number(value: Any) -> float:
    if isinstance(value, str) and value in FLOATS:
        return FLOATS[value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise GraphError(f"{shown(repr(value)[:50])} is no number")
    return float(value)


def truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise GraphError("true or false was expected")
    return value


def text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 100:
        raise GraphError("a short text was expected")
    return value


def items(value: Any, most: int = MAX_LIST) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise GraphError(f"a list of at most {most:,} was expected")
    return value


def _tensor(value: Any) -> Ref:
    return Ref(name_of(value))


def _optional(value: Any) -> Ref | None:
    kind, inner = single(value)
    return None if kind == "as_none" else _tensor(inner)


def _symbolic(value: Any) -> Any:
    kind, inner = single(value)
    if kind == "as_name":
        return Ref(name_of(value, "as_name"))
    if kind not in _NUMBERS:
        raise GraphError("a symbolic value has an unknown form")
    return _NUMBERS[kind](inner)


_NUMBERS: dict[str, Callable[[Any], Any]] = {"as_int": whole, "as_float": number, "as_bool": truth}


def _dtype(value: Any) -> torch.dtype:
    code = whole(value)
    if code not in TYPES:
        raise GraphError(f"values are turned into {TYPE_NAMES.get(code, 'an unknown type')}; export it in float32")
    return TYPES[code]


def _layout(value: Any) -> torch.layout:
    if value != STRIDED:
        raise GraphError("a sparse layout")
    return torch.strided


def _format(value: Any) -> torch.memory_format:
    return FORMATS[whole(value)] if value in FORMATS else torch.preserve_format


FORMS: dict[str, Any] = {
    "as_none": lambda _: None,
    "as_tensor": _tensor,
    "as_tensors": lambda value: [_tensor(item) for item in items(value)],
    "as_optional_tensor": _optional,
    "as_optional_tensors": lambda value: [_optional(item) for item in items(value)],
    "as_int": whole,
    "as_ints": lambda value: [whole(item) for item in items(value)],
    "as_float": number,
    "as_floats": lambda value: [number(item) for item in items(value)],
    "as_bool": truth,
    "as_bools": lambda value: [truth(item) for item in items(value)],
    "as_string": text,
    "as_sym_int": _symbolic,
    "as_sym_ints": lambda value: [_symbolic(item) for item in items(value)],
    "as_sym_float": _symbolic,
    "as_sym_floats": lambda value: [_symbolic(item) for item in items(value)],
    "as_sym_bool": _symbolic,
    "as_scalar_type": _dtype,
    "as_memory_format": _format,
    "as_layout": _layout,
    "as_device": lambda _: Here(),
}
