"""Latency results, version 2: one JSON object with every raw value, what was measured, and on what.

`FIELDS` below is what a reader may rely on. Fields beyond it may be there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from segbench.errors import ResultsError
from segbench.results.described import FRAME, MACHINE, MODEL
from segbench.results.file import read_shaped, with_digest, write_results
from segbench.results.shape import Shape, a_list, a_map, amount, fields, flag, maybe, number, text, whole

__all__ = [
    "FORMAT",
    "STAGES",
    "VERSION",
    "ConfigurationKey",
    "configuration_key",
    "read_results",
    "with_digest",
    "write_results",
]

FORMAT = "segedge.segbench"
VERSION = 2
STAGES = ("decode", "preprocess", "invoke", "postprocess", "refine", "alpha", "composite", "whole")

_SUMMARY = ("p50_ms", "p90_ms", "p99_ms", "mean_ms", "std_ms", "min_ms", "max_ms")
_PROCESS = fields(
    load_ms=amount,
    first_mask_ms=amount,
    import_ms=amount,
    baseline_memory_bytes=whole,
    peak_memory_bytes=whole,
    values_ms=a_map(a_list(amount, least=1), least=1, keys=STAGES),
    late_frames=maybe(whole),
    warnings=a_list(text),
)
_CONFIGURATION = fields(
    name=text,
    model=MODEL,
    backend=text,
    library=text,
    library_version=text,
    threads=whole,
    frame=FRAME,
    preset=maybe(text),
    processes=a_list(_PROCESS, least=1),
    golden=maybe(fields()),
    stages=a_map(fields(n=whole, **dict.fromkeys(_SUMMARY, amount)), least=1, keys=STAGES),
    stability=a_map(fields(verdict=text, words=text, spread=number, drift=number, outliers=number), keys=STAGES),
    frames_per_second=amount,
)
FIELDS: Shape = fields(
    measured_at=text,
    segbench_version=text,
    machine=MACHINE,
    settings=fields(),
    configurations=a_list(_CONFIGURATION, least=1),
    interrupted=flag,
)


class ConfigurationKey(NamedTuple):
    """What has to be equal before two configurations are compared; the fields are the axes of `segbench compare`.

    The library's version is not among them: whether an update made it slower is a fair question.
    """

    model: str
    backend: str
    threads: int
    size: tuple[int, int]
    source: str
    preset: str | None


def configuration_key(configuration: dict[str, Any]) -> ConfigurationKey:
    """The model by the SHA-256 of its file, the frame by its size `(width, height)` and where it came from."""
    frame = configuration["frame"]
    return ConfigurationKey(
        model=configuration["model"]["sha256"],
        backend=configuration["backend"],
        threads=configuration["threads"],
        size=(frame["width"], frame["height"]),
        source=frame["source"],
        preset=configuration["preset"],
    )


def read_results(path: Path) -> dict[str, Any]:
    """The results in `path`, complete and as they were written.

    Raises:
        ResultsError: missing, empty, not JSON, not ours, of another version, edited, or a field is missing or wrong.
    """
    result = read_shaped(path, FORMAT, VERSION, FIELDS, command="segbench")
    problem = _stages_differ(result)
    if problem is not None:
        raise ResultsError(path, problem, "it was not written by segbench; run segbench again")
    return result


def _stages_differ(result: dict[str, Any]) -> str | None:
    """Every process has raw values, and every stage a summary and a verdict, for the same stages; `whole` among them."""
    for index, configuration in enumerate(result["configurations"]):
        expected = set(configuration["stages"])
        found = [set(configuration["stability"]), *(set(one["values_ms"]) for one in configuration["processes"])]
        if "whole" not in expected:
            return f"configurations[{index}].stages: lacks 'whole', the time from frame to composite"
        if any(one != expected for one in found):
            return f"configurations[{index}]: stages, stability and values_ms name different stages"
    return None
