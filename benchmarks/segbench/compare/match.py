"""Which configurations of two results may be compared, and what else is different between the two."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from segbench.errors import ComparisonError
from segbench.machine.describe import Machine
from segbench.process.job import MOST_PROCESSES
from segbench.results.latency import Configuration, ConfigurationKey, LatencyResult

AXES = ("model", "threads", "size", "backend", "preset", "machine")
# every backend has files of its own
_FREED = {axis: {axis} for axis in AXES} | {"backend": {"backend", "model"}}
# a rented machine's name for its processor may stand for several kinds; their instructions tell them apart
_MACHINE = ("cpu", "cores", "logical_cores", "usable_cores", "architecture", "int8_flags")
_MEMORY_TOLERANCE = 0.1  # a kernel keeps more or less of it for itself


def matched(
    a: LatencyResult, b: LatencyResult, axes: Collection[str] = ()
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
        _refuse_another_machine(a.header.machine, b.header.machine)
    found = [(first, one) for one in b.configurations if (first := _partner(one, a.configurations, axes)) is not None]
    if not found:
        raise ComparisonError(_why_none(a.configurations, b.configurations, axes))
    return found


def same_machine(a: Machine, b: Machine) -> bool:
    """Whether times of the two may be compared."""
    return not _machine_differences(a, b)


def differences(a: LatencyResult, b: LatencyResult) -> list[str]:
    """What is different between two results next to their values, a line each: versions, settings, and what allows it."""
    machines = a.header.machine, b.header.machine
    lines = _machine_differences(*machines)
    for name in ("system", "python", "governor"):
        lines += _said(name, *(getattr(one, name) for one in machines))
    lines += _map_differences("", *(one.packages for one in machines))
    lines += _said("segbench", a.header.segbench_version, b.header.segbench_version)
    return lines + _map_differences("setting ", *(replace(one.settings, seed=None).to_json() for one in (a, b)))


def configuration_differences(a: Configuration, b: Configuration) -> list[str]:
    """What is different between two configurations, as their keys name it, and the library's version."""
    lines = _key_differences(a, b)
    one, other = a.subject.library, b.subject.library
    if one.name == other.name:
        lines += _said(one.name, one.version, other.version)
    return lines


def _partner(b: Configuration, candidates: Sequence[Configuration], axes: Collection[str]) -> Configuration | None:
    """The first candidate that differs in nothing but `axes`; None where that one does not differ in them either."""
    for a in candidates:
        different = _different(a.key, b.key)
        if different <= _allowed(axes) and _same_kind(a, b, axes):
            return a if not axes or "machine" in axes or different & set(axes) else None
    return None


def _allowed(axes: Collection[str]) -> set[str]:
    return {name for axis in axes for name in _FREED[axis]}


def _same_kind(a: Configuration, b: Configuration, axes: Collection[str]) -> bool:
    """Across backends the files differ, and must still be of one precision."""
    return "model" in axes or "backend" not in axes or a.subject.model.precision == b.subject.model.precision


def _different(a: ConfigurationKey, b: ConfigurationKey) -> set[str]:
    return {name for name in ConfigurationKey._fields if getattr(a, name) != getattr(b, name)}


def _why_none(a: Sequence[Configuration], b: Sequence[Configuration], axes: Collection[str]) -> str:
    """In the words of the two that differ least, where possible of two that differ in `axes`."""

    def misfit(pair: tuple[Configuration, Configuration]) -> tuple[bool, int]:
        different = _different(pair[0].key, pair[1].key)
        return bool(axes) and not different & set(axes), len(different)

    one, other = min(((one, other) for one in a for other in b), key=misfit)
    different = _different(one.key, other.key)
    said = "; ".join(_key_differences(one, other))
    if "source" in different:
        return f"not the same input: {said}; measure both with the same --input"
    if not different or (axes and not different & set(axes)):
        return f"nothing differs in {' or '.join(axes)}, which --axis names; leave --axis out, or give other results"
    missing = [axis for axis in AXES if axis in different - _allowed(axes)]
    if "backend" in missing:
        missing = [axis for axis in missing if axis != "model"]
    if not missing:
        precisions = f"{one.subject.model.precision} against {other.subject.model.precision}"
        return f"not the same precision: {precisions}, {said}; add --axis model if that is meant"
    return f"not the same: {said}; add {' '.join(f'--axis {axis}' for axis in missing)} if that is meant"


def _key_differences(a: Configuration, b: Configuration) -> list[str]:
    keys = {name: (getattr(a.key, name), getattr(b.key, name)) for name in ConfigurationKey._fields}
    words = {**keys, "model": _models(a, b), "size": (a.subject.frame.size, b.subject.frame.size)}
    return [
        line
        for name, (one, other) in keys.items()
        if one != other
        for line in _said("input" if name == "source" else name, *words[name])
    ]


def _models(a: Configuration, b: Configuration) -> tuple[str, str]:
    one, other = a.subject.model, b.subject.model
    if one.name != other.name:
        return one.name, other.name
    return f"{one.name} ({one.sha256[:8]})", f"{other.name} ({other.sha256[:8]})"


def _refuse_too_many(result: LatencyResult) -> None:
    # the bootstrap's memory grows with their number
    most = max(len(one.processes) for one in result.configurations)
    if most > MOST_PROCESSES:
        raise ComparisonError(f"processes: got {most} of one configuration, expected at most {MOST_PROCESSES}")


def _refuse_another_machine(a: Machine, b: Machine) -> None:
    lines = _machine_differences(a, b)
    if lines:
        raise ComparisonError(f"not the same machine: {'; '.join(lines)}; add --axis machine if that is meant")


def _refuse_another_pace(a: LatencyResult, b: LatencyResult) -> None:
    rates = a.settings.rate, b.settings.rate
    if rates[0] != rates[1]:
        shown = ["as fast as it goes" if rate is None else f"{rate:g} frames a second" for rate in rates]
        raise ComparisonError(f"not the same pace: {shown[0]} against {shown[1]}; measure both with the same --rate")


def _machine_differences(a: Machine, b: Machine) -> list[str]:
    lines = [line for name in _MACHINE for line in _said(name, getattr(a, name), getattr(b, name))]
    memory = a.memory_bytes, b.memory_bytes
    if abs(memory[0] - memory[1]) > _MEMORY_TOLERANCE * max(memory):
        lines.append(f"memory {memory[0] / 1e9:.1f} GB against {memory[1] / 1e9:.1f} GB")
    return lines


def _map_differences(kind: str, a: Mapping[str, object], b: Mapping[str, object]) -> list[str]:
    return [line for name in dict.fromkeys([*a, *b]) for line in _said(f"{kind}{name}", a.get(name), b.get(name))]


def _said(name: str, a: object, b: object) -> Iterator[str]:
    if a != b:
        yield f"{name} {_shown(a)} against {_shown(b)}"


def _shown(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return "none" if value is None else value
