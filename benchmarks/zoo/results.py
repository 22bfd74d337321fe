"""The result of a run: one JSON object, checked before a reader relies on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segbench.readers import MOST, amount, whole
from segbench.results.file import read_result
from segbench.results.header import Header
from segruntime.strict_json import Fields

FORMAT, VERSION = "segedge.zoo", 2
WAYS = ("direct", "tf", "litert-torch", "saved")
_PRECISIONS = ("float32", "int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooResult:
    """`networks`: an object for each, as `_check_network` asks for. `settings`: the size and the number of the pictures."""

    header: Header
    settings: Mapping[str, int]
    networks: list[dict[str, Any]]
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        body = {"settings": self.settings, "networks": self.networks, "interrupted": self.interrupted}
        return self.header.to_json(body)

    @classmethod
    def from_json(cls, f: Fields) -> ZooResult:
        for network in f.parts("networks", 0, MOST):
            _check_network(network)
        settings = f.part("settings")
        return cls(
            header=Header.from_json(f),
            settings={name: whole(settings)(name) for name in ("size", "pictures")},
            networks=f.raw("networks"),
            interrupted=f.boolean("interrupted"),
        )


def read_zoo(path: Path) -> ZooResult:
    """The result in `path`.

    Raises:
        ResultsError: missing, empty, not JSON, another format or version, edited, or a field is missing or wrong.
    """
    return read_result(path, FORMAT, VERSION, ZooResult.from_json, command="`python benchmarks/zoo`")


def _check_network(f: Fields) -> None:
    for name in ("name", "title", "library", "saved"):
        f.string(name)
    f.nullable("failure", f.string)
    facts = f.nullable("facts", f.part)
    if facts is not None:
        whole(facts)("parameters")
        facts.string_map("packages")
        facts.number("person", 0, 1)
        amount(facts)("largest_logit")
    for cell in _named(f, "cells", WAYS).values():
        amount(cell)("seconds")
        cell.string_map("refused")
        for name in ("taken", "refusal"):
            cell.nullable(name, cell.string)
        for file in _named(cell, "files", _PRECISIONS).values():
            for name in ("max_difference", "invoke_p50_ms"):
                amount(file)(name)
            file.number("mask_iou", 0, 1)
            whole(file)("size_bytes")
            file.boolean("kept")
            file.nullable("elsewhere", file.any_object)


def _named(f: Fields, key: str, known: tuple[str, ...]) -> dict[str, Fields]:
    found, inner = f.any_object(key), f.part(key)
    if any(name not in known for name in found):
        f.fail(key, f"an object with some of {', '.join(known)}")
    return {name: inner.part(name) for name in found}
