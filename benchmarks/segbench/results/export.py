"""Results for a spreadsheet (CSV) or for a page (Markdown)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from segbench.results.latency import STAGES, Configuration, LatencyResult

_WHAT = ("configuration", "model", "precision", "size_bytes", "sha256", "backend", "library", "library_version")
_HOW = ("threads", "width", "height", "source", "preset", "stage")
_STATISTICS = ("n", "p50_ms", "p90_ms", "p99_ms", "mean_ms", "std_ms", "min_ms", "max_ms")
_STABILITY = ("verdict", "spread", "drift", "outliers")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def stages_csv(result: LatencyResult) -> str:
    """A row for each stage of each configuration: what was measured, its statistics, and how steady they are."""
    header = (*_WHAT, *_HOW, *_STATISTICS, *_STABILITY, "cpu", "measured_at")
    return _csv(header, _stage_rows(result))


def values_csv(result: LatencyResult) -> str:
    """A row for each raw value: configuration, process and round from 0, stage, milliseconds."""
    return _csv(("configuration", "process", "round", "stage", "value_ms"), _value_rows(result))


def markdown(result: LatencyResult) -> str:
    """The machine; a table with a line for each configuration; a table of the medians of its stages."""
    configurations = result.configurations
    stages = [name for name in STAGES if any(name in one.stages for one in configurations)]
    return "\n".join(
        [
            *_about(result),
            "",
            as_table(_WHOLE, [_whole_cells(one) for one in configurations]),
            "",
            "Medians of the stages, in ms:",
            "",
            as_table(("configuration", *stages), [_stage_cells(one, stages) for one in configurations]),
            "",
        ]
    )


_WHOLE = (
    *("configuration", "precision", "library", "threads", "frame", "preset", "p50, ms", "p90, ms", "p99, ms", "n"),
    *("frames/s", "load, ms", "over baseline, MB", "file, MB", "how steady"),
)


def _stage_rows(result: LatencyResult) -> Iterator[list[object]]:
    for one in result.configurations:
        subject = one.subject
        model, library, frame = subject.model, subject.library, subject.frame
        what = [one.name, model.name, model.precision, model.size_bytes, model.sha256]
        run_by = [library.backend, library.name, library.version]
        how = [subject.threads, frame.width, frame.height, frame.source, subject.preset]
        for stage in _in_order(one):
            statistics = [getattr(one.stages[stage], key) for key in _STATISTICS]
            stability = [getattr(one.stability[stage], key) for key in _STABILITY]
            end = [result.header.machine.cpu, result.header.measured_at]
            yield [*what, *run_by, *how, stage, *statistics, *stability, *end]


def _value_rows(result: LatencyResult) -> Iterator[list[object]]:
    for one in result.configurations:
        for process, measured in enumerate(one.processes):
            for stage in _in_order(one):
                for k, value in enumerate(measured.values_ms[stage]):
                    yield [one.name, process, k, stage, value]


def _csv(header: Iterable[str], rows: Iterable[list[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """A spreadsheet runs what looks like a formula; a file's name may be one."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _about(result: LatencyResult) -> list[str]:
    header, machine = result.header, result.header.machine
    known = f", {' '.join(map(_text, machine.int8_flags))}" if machine.int8_flags else ""
    end = ", interrupted" if result.interrupted else ""
    return [
        f"{_text(machine.cpu)}, {machine.cores} cores{known}, {machine.memory_bytes / 1e9:.1f} GB, "
        f"{_text(machine.system)}; segbench {_text(header.segbench_version)}, {_text(header.measured_at)}{end}.",
        "From the frame to the composite:",
    ]


def _whole_cells(one: Configuration) -> list[str]:
    whole, subject = one.stages["whole"], one.subject
    over = max(process.peak_memory_bytes - process.baseline_memory_bytes for process in one.processes)
    return [
        _text(one.name),
        _text(subject.model.precision),
        _text(subject.library),
        str(subject.threads),
        subject.frame.size,
        "none" if subject.preset is None else _text(subject.preset),
        *(f"{value:.2f}" for value in (whole.p50_ms, whole.p90_ms, whole.p99_ms)),
        str(whole.n),
        f"{one.frames_per_second:.0f}",
        f"{_middle([process.load_ms for process in one.processes]):.0f}",
        f"{over / 1e6:.0f}",
        f"{subject.model.size_bytes / 1e6:.2f}",
        _text(one.stability["whole"].words.partition(";")[0]),  # without what to do about it
    ]


def _stage_cells(one: Configuration, stages: list[str]) -> list[str]:
    medians = [f"{one.stages[name].p50_ms:.2f}" if name in one.stages else "–" for name in stages]
    return [_text(one.name), *medians]


def as_table(header: Sequence[str], rows: Iterable[Sequence[str]], numeric: Collection[int] = ()) -> str:
    """Cells, which are Markdown already → a table, without a newline at its end; `numeric` columns stand on the right."""
    rule = ["---:" if k in numeric else "---" for k in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def _text(value: object) -> str:
    """Words from a file in a cell: nothing of it is markup, and it stays on its line."""
    text = " ".join(str(value).split())
    for sign in "\\`*[]<>|&#":
        text = text.replace(sign, f"\\{sign}" if sign not in "<>&" else f"&#{ord(sign)};")
    return re.sub(r"\b_|_\b", r"\\_", text)  # within a word an underscore is none of Markdown's


def _middle(values: list[float]) -> float:
    """The upper of the two where there are two: a value that was measured."""
    return sorted(values)[len(values) // 2]


def _in_order(one: Configuration) -> list[str]:
    return [stage for stage in STAGES if stage in one.stages]
