"""Where numbers come from: settings, files with their SHA-256, and versions of everything."""

from __future__ import annotations

from typing import Any

from segbench.plots.sources import Bench, Source
from segbench.report.markup import Markup, element, together
from segbench.report.tables import facts, folded, table
from segbench.report.values import mapping, said

_MACHINE = ("python", "distribution", "governor", "frequency_max_mhz", "usable_cores", "load_average_1min")


def origin_of(bench: Bench) -> Markup:
    """Folded away: nobody needs it who believes the rest."""
    sources = [*bench.latency, *bench.sustained, *bench.accuracy]
    return folded(
        "Settings, versions and SHA-256",
        table("Results files", ("results", "measured at", "segbench", "digest"), map(_result_cells, sources), _WORDS),
        *(_settings(source) for source in sources if mapping(source.result.get("settings"))),
        table("Models", ("model", "precision", "network", "library", "bytes", "SHA-256"), _models(sources), _WORDS),
        element("h4", "The machine"),
        facts((name.replace("_", " "), said(bench.machine.get(name))) for name in _MACHINE),
        table("Versions", ("package", "version"), _versions(sources), _WORDS),
    )


_WORDS = ("measured at", "segbench", "digest", "precision", "network", "library", "SHA-256", "version")


def _result_cells(source: Source) -> list[str]:
    result = source.result
    return [source.name, result["measured_at"], result["segbench_version"], element("code", result["digest"])]


def _settings(source: Source) -> Markup:
    settings = mapping(source.result["settings"])
    pairs = [(name.replace("_", " "), said(value) or "none") for name, value in list(settings.items())[:50]]
    return together([element("h4", f"Settings of {source.name}"), facts(pairs)])


def _models(sources: list[Source]) -> list[list[str]]:
    """Each file with each library once."""
    found: dict[tuple[str, str], list[str]] = {}
    for source in sources:
        for model, library in _loaded(source.result):
            cells = [model["name"], model["precision"], model["architecture"] or "–", library]
            key = model["sha256"], library
            found.setdefault(key, [*cells, f"{model['size_bytes']:,}", element("code", model["sha256"])])
    return list(found.values())


def _loaded(result: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Latency holds many models, sustained one next to its library, accuracy one with its library within."""
    runs = result.get("configurations") or [result]
    each = [(run["model"], run if "library" in run else run["model"]) for run in runs]
    return [(model, f"{by['library']} {by['library_version']}") for model, by in each]


def _versions(sources: list[Source]) -> list[list[str]]:
    found: dict[str, dict[str, None]] = {}
    for source in sources:
        for name, version in list(mapping(source.result["machine"].get("packages")).items())[:100]:
            found.setdefault(name, {})[said(version)] = None
    return [[name, ", ".join(versions)] for name, versions in found.items()]
