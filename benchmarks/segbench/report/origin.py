"""Where numbers come from: settings, files with their SHA-256, and versions of everything."""

from __future__ import annotations

from segbench.machine.model import Library, ModelFile
from segbench.plots.sources import AnyResult, AnySource, Bench
from segbench.report.markup import Markup, element, together
from segbench.report.tables import facts, folded, table
from segbench.report.values import said
from segbench.results.accuracy import AccuracyResult
from segbench.results.latency import LatencyResult

_MACHINE = ("python", "distribution", "governor", "frequency_max_mhz", "usable_cores", "load_average_1min")


def origin_of(bench: Bench) -> Markup:
    """Folded away: nobody needs it who believes the rest."""
    sources: list[AnySource] = [*bench.latency, *bench.sustained, *bench.accuracy]
    return folded(
        "Settings, versions and SHA-256",
        table("Results files", ("results", "measured at", "segbench", "digest"), map(_result_cells, sources), _WORDS),
        *(_settings(source) for source in sources),
        table("Models", ("model", "precision", "network", "library", "bytes", "SHA-256"), _models(sources), _WORDS),
        element("h4", "The machine"),
        facts((name.replace("_", " "), said(getattr(bench.machine, name))) for name in _MACHINE),
        table("Versions", ("package", "version"), _versions(sources), _WORDS),
    )


_WORDS = ("measured at", "segbench", "digest", "precision", "network", "library", "SHA-256", "version")


def _result_cells(source: AnySource) -> list[str]:
    header = source.result.header
    return [source.name, header.measured_at, header.segbench_version, element("code", header.digest)]


def _settings(source: AnySource) -> Markup:
    """Accuracy has none."""
    result = source.result
    if isinstance(result, AccuracyResult):
        return together(())
    settings = result.settings.to_json() if isinstance(result, LatencyResult) else {"minutes": result.asked_minutes}
    pairs = [(name.replace("_", " "), said(value) or "none") for name, value in settings.items()]
    return together([element("h4", f"Settings of {source.name}"), facts(pairs)])


def _models(sources: list[AnySource]) -> list[list[str]]:
    """Each file with each library once."""
    found: dict[tuple[str, str], list[str]] = {}
    for source in sources:
        for model, library in _loaded(source.result):
            cells = [model.name, model.precision, model.architecture or "–", str(library)]
            key = model.sha256, str(library)
            found.setdefault(key, [*cells, f"{model.size_bytes:,}", element("code", model.sha256)])
    return list(found.values())


def _loaded(result: AnyResult) -> list[tuple[ModelFile, Library]]:
    if isinstance(result, AccuracyResult):
        return [(result.model.file, result.model.library)]
    configurations = result.configurations if isinstance(result, LatencyResult) else [result]
    return [(one.subject.model, one.subject.library) for one in configurations]


def _versions(sources: list[AnySource]) -> list[list[str]]:
    found: dict[str, dict[str, None]] = {}
    for source in sources:
        for name, version in list(source.result.header.machine.packages.items())[:100]:
            found.setdefault(name, {})[said(version)] = None
    return [[name, ", ".join(versions)] for name, versions in found.items()]
