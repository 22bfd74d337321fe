"""Results that tests write down as the JSON of a file, as segbench reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from segbench.results.accuracy import AccuracyResult
from segbench.results.file import digest_of, read_result
from segbench.results.latency import LatencyResult
from segbench.results.sustained import SustainedResult
from segruntime.strict_json import Fields

Made = dict[str, Any]


def with_digest(content: Made) -> Made:
    return {**content, "digest": digest_of(content)}


def read_json(path: Path, form: str, version: int) -> Made:
    """What a file of a result holds, which nobody edited."""
    read_result(path, form, version, lambda _: None, command="segbench")
    return dict(json.loads(path.read_text()))


def as_latency(content: Made) -> LatencyResult:
    return LatencyResult.from_json(_fields(content))


def as_accuracy(content: Made) -> AccuracyResult:
    return AccuracyResult.from_json(_fields(content))


def as_sustained(content: Made) -> SustainedResult:
    return SustainedResult.from_json(_fields(content))


def as_result(content: Made) -> LatencyResult | AccuracyResult | SustainedResult:
    """By its format."""
    kind = content["format"].rpartition(".")[2]
    return {"accuracy": as_accuracy, "sustained": as_sustained}.get(kind, as_latency)(content)


def _fields(content: Made) -> Fields:
    whole = content if "digest" in content else with_digest(content)
    return Fields(json.loads(json.dumps(whole)))
