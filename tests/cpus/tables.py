"""The tables of test-cpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from children import Row
from compare import BOUNDS, Difference


def row_table(rows: Sequence[Row]) -> str:
    """Processor × OpenCV × what differs most from the first row."""
    lines = [("processor", "OpenCV", "numpy", "tests", "largest difference, in steps of 1/255")]
    lines += [(row.processor, row.opencv, row.numpy, row.tests or "-", _differing(row)) for row in rows]
    return _aligned(lines)


def output_table(widest: Mapping[str, Difference]) -> str:
    """Output × its largest difference between any two rows, and its bound."""
    lines = [("output", "between any two", "bound", "differing", "where")]
    lines += [(name, _steps(one.largest), _steps(BOUNDS[name]), _share(one), one.case) for name, one in widest.items()]
    return _aligned(lines)


def call_table(widest: Mapping[str, Difference], rows: Sequence[Row]) -> str:
    """Call × its largest difference, and which rows differ from the first one; calls that are equal everywhere at the end."""
    unequal = {name: one for name, one in widest.items() if one.largest}
    lines = [("call", "largest, in 1/255", "rows that differ from the first")]
    for name, one in unequal.items():
        who = [
            f"{row.processor} {row.opencv}" for row in rows if name in row.differences and row.differences[name].largest
        ]
        lines.append((name, f"{one.largest:.2g}", ", ".join(who)))
    return "\n".join(
        [_aligned(lines), "", f"equal everywhere: {', '.join(name for name in widest if name not in unequal)}"]
    )


def broken_bounds(rows: Sequence[Row], widest: Mapping[str, Difference]) -> list[str]:
    """One line for each output beyond its bound, and for each row in which something failed."""
    lines = [
        f"{name}: got a difference of {_steps(one.largest)} ({one.case}), expected at most {_steps(BOUNDS[name])} between "
        "any two processors; see docs/exactness.md"
        for name, one in widest.items()
        if not one.is_within
    ]
    for row in rows:
        tests = () if row.tests in ("", "passed") else (f"tests: {row.tests}",)
        lines += [f"{row.processor}, OpenCV {row.opencv}: {what}" for what in (*row.failed, *tests)]
    return lines


def _differing(row: Row) -> str:
    if row.why:
        return f"not here: {row.why}"
    found = sorted((one for one in row.differences.values() if one.largest), key=lambda one: -one.largest)
    words = [f"{one.output} {_steps(one.largest)}" for one in found] + [f"failed: {what}" for what in row.failed]
    return ", ".join(words) or "0, equal to the bit"


def _share(one: Difference) -> str:
    return f"{one.differing / max(1, one.values):.1e}" if one.differing else "0"


def _steps(value: float) -> str:
    return f"{value:.2g}"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]) - 1)]
    padded = ([*(word.ljust(width) for word, width in zip(line, widths, strict=False)), line[-1]] for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in padded)
