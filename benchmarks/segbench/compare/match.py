"""Which configurations of two results may be compared, and what else is different between the two."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from segbench.errors import ComparisonError
from segbench.latency.matrix import MOST_PROCESSES
from segbench.results.latency import ConfigurationKey, configuration_key

AXES = ("model", "threads", "size", "backend", "preset", "machine")
# every backend has files of its own
_FREED = {axis: {axis} for axis in AXES} | {"backend": {"backend", "model"}}
# a rented machine's name for its processor may stand for several kinds; their instructions tell them apart
_MACHINE = ("cpu", "cores", "logical_cores", "usable_cores", "architecture", "int8_flags")
_MEMORY_TOLERANCE = 0.1  # a kernel keeps more or less of it for itself
Configuration = dict[str, Any]


def matched(
    a: dict[str, Any], b: dict[str, Any], axes: Collection[str] = ()
) -> list[tuple[Configuration, Configuration]]:
    """Pairs of configurations that differ in nothing but `axes`, the first fitting one of `a` with each one of `b`.

    Raises:
        ComparisonError: another machine, another pace, or no pair, with the axes that would allow it; or more processes than
            segbench starts.
    """
    unknown = [axis for axis in axes if axis not in AXES]
    if unknown:
        raise ComparisonError(f"axis: got {unknown[0]!r}, expected some of {', '.join(AXES)}")
    _refuse_too_many(a)
    _refuse_too_many(b)
    _refuse_another_pace(a, b)
    if "machine" not in axes:
        _refuse_another_machine(a["machine"], b["machine"])
    found = [
        (first, one) for one in b["configurations"] if (first := _partner(one, a["configurations"], axes)) is not None
    ]
    if not found:
        raise ComparisonError(_why_none(a["configurations"], b["configurations"], axes))
    return found


def same_machine(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether times of two machines, as results describe them, may be compared."""
    return not _machine_differences(a, b)


def differences(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """What is different between two results next to their values, a line each: versions, settings, and what allows it."""
    lines = _machine_differences(a["machine"], b["machine"])
    for name in ("system", "python", "governor"):
        lines += _said(name, a["machine"].get(name), b["machine"].get(name))
    lines += _map_differences("", _map(a["machine"].get("packages")), _map(b["machine"].get("packages")))
    lines += _said("segbench", a["segbench_version"], b["segbench_version"])
    settings = [{key: value for key, value in one["settings"].items() if key != "seed"} for one in (a, b)]
    return lines + _map_differences("setting ", *settings)


def configuration_differences(a: Configuration, b: Configuration) -> list[str]:
    """What is different between two configurations, as `configuration_key` names it, and the library's version."""
    lines = _key_differences(configuration_key(a), configuration_key(b), a, b)
    if a["library"] == b["library"]:
        lines += _said(a["library"], a["library_version"], b["library_version"])
    return lines


def _partner(b: Configuration, candidates: list[Configuration], axes: Collection[str]) -> Configuration | None:
    """The first candidate that differs in nothing but `axes`; None where that one does not differ in them either."""
    for a in candidates:
        different = _different(configuration_key(a), configuration_key(b))
        if different <= _allowed(axes) and _same_kind(a, b, axes):
            return a if not axes or "machine" in axes or different & set(axes) else None
    return None


def _allowed(axes: Collection[str]) -> set[str]:
    return {name for axis in axes for name in _FREED[axis]}


def _same_kind(a: Configuration, b: Configuration, axes: Collection[str]) -> bool:
    """Across backends the files differ, and must still be of one precision."""
    return "model" in axes or "backend" not in axes or bool(a["model"]["precision"] == b["model"]["precision"])


def _different(a: ConfigurationKey, b: ConfigurationKey) -> set[str]:
    return {name for name in ConfigurationKey._fields if getattr(a, name) != getattr(b, name)}


def _why_none(a: list[Configuration], b: list[Configuration], axes: Collection[str]) -> str:
    """In the words of the two that differ least, where possible of two that differ in `axes`."""

    def misfit(pair: tuple[Configuration, Configuration]) -> tuple[bool, int]:
        different = _different(*map(configuration_key, pair))
        return bool(axes) and not different & set(axes), len(different)

    one, other = min(((one, other) for one in a for other in b), key=misfit)
    keys = configuration_key(one), configuration_key(other)
    different = _different(*keys)
    said = "; ".join(_key_differences(*keys, one, other))
    if "source" in different:
        return f"not the same input: {said}; measure both with the same --input"
    if not different or (axes and not different & set(axes)):
        return f"nothing differs in {' or '.join(axes)}, which --axis names; leave --axis out, or give other results"
    missing = [axis for axis in AXES if axis in different - _allowed(axes)]
    if "backend" in missing:
        missing = [axis for axis in missing if axis != "model"]
    if not missing:
        precisions = f"{one['model']['precision']} against {other['model']['precision']}"
        return f"not the same precision: {precisions}, {said}; add --axis model if that is meant"
    return f"not the same: {said}; add {' '.join(f'--axis {axis}' for axis in missing)} if that is meant"


def _key_differences(a: ConfigurationKey, b: ConfigurationKey, one: Configuration, other: Configuration) -> list[str]:
    names = {"model": _model(one, other), "size": tuple(f"{k.size[0]}x{k.size[1]}" for k in (a, b))}
    return [
        f"{'input' if name == 'source' else name} {shown[0]} against {shown[1]}"
        for name in ConfigurationKey._fields
        if name in _different(a, b)
        for shown in [names.get(name, tuple("none" if v is None else v for v in (getattr(a, name), getattr(b, name))))]
    ]


def _model(one: Configuration, other: Configuration) -> tuple[str, str]:
    a, b = one["model"], other["model"]
    if a["name"] != b["name"]:
        return a["name"], b["name"]
    return f"{a['name']} ({a['sha256'][:8]})", f"{b['name']} ({b['sha256'][:8]})"


def _refuse_too_many(result: dict[str, Any]) -> None:
    # the bootstrap's memory grows with their number
    most = max(len(one["processes"]) for one in result["configurations"])
    if most > MOST_PROCESSES:
        raise ComparisonError(f"processes: got {most} of one configuration, expected at most {MOST_PROCESSES}")


def _refuse_another_machine(a: dict[str, Any], b: dict[str, Any]) -> None:
    lines = _machine_differences(a, b)
    if lines:
        raise ComparisonError(f"not the same machine: {'; '.join(lines)}; add --axis machine if that is meant")


def _refuse_another_pace(a: dict[str, Any], b: dict[str, Any]) -> None:
    rates = a["settings"].get("rate"), b["settings"].get("rate")
    if rates[0] != rates[1]:
        shown = ["as fast as it goes" if rate is None else f"{rate} frames a second" for rate in rates]
        raise ComparisonError(f"not the same pace: {shown[0]} against {shown[1]}; measure both with the same --rate")


def _machine_differences(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    lines = [line for name in _MACHINE for line in _said(name, a.get(name), b.get(name))]
    memory = a["memory_bytes"], b["memory_bytes"]
    if abs(memory[0] - memory[1]) > _MEMORY_TOLERANCE * max(memory):
        lines.append(f"memory {memory[0] / 1e9:.1f} GB against {memory[1] / 1e9:.1f} GB")
    return lines


def _map_differences(kind: str, a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    return [line for name in dict.fromkeys([*a, *b]) for line in _said(f"{kind}{name}", a.get(name), b.get(name))]


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _said(name: str, a: object, b: object) -> Iterator[str]:
    if a != b:
        yield f"{name} {'none' if a is None else a} against {'none' if b is None else b}"
