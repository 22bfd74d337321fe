"""Time per operator through onnxruntime's own profiler, next to a session that nobody watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from segbench.errors import ProfileError
from segbench.process.interrupt import Interrupt
from segbench.process.job import Job
from segbench.profile.onnx_trace import TracedNode, TraceFile, parse_trace
from segbench.profile.part import Part, Taken, rounded_ms
from segbench.profile.rounds import run_rounds
from segruntime import Segmenter
from segruntime.backends.onnx import import_onnxruntime

_PROVIDERS = {"CPUExecutionProvider": "CPU", "XnnpackExecutionProvider": "XNNPACK"}
_QUIET = 3  # errors only


def measure_onnx(job: Job, segmenter: Segmenter, tensor: npt.NDArray[Any], interrupt: Interrupt) -> Taken:
    """`tensor`: an input of the model, as `segmenter.preprocess` makes it.

    Raises:
        ProfileError: the profile cannot be written or read.
    """
    file = TraceFile()
    try:
        watched = _session(segmenter, file.prefix)
        file.hide()
        rows = run_rounds([_step(segmenter.invoke, tensor), _step(_runner(watched), tensor)], job, interrupt)
        watched.end_profiling()
        trace = parse_trace(file.read()) if rows else None
    finally:
        file.close()
    runs = trace.seconds[-len(rows) :] if trace else ()
    if len(runs) < len(rows):
        raise ProfileError(f"onnxruntime's profile holds {len(runs)} runs of {len(rows)}; profile with fewer --seconds")
    return Taken(
        clock="wall",
        parts=tuple(_part(node, [run[k] for run in runs]) for k, node in enumerate(trace.nodes if trace else ())),
        whole_ms=rounded_ms(row[0][0] for row in rows),
        profiled_ms=rounded_ms(row[1][0] for row in rows),
        prefixes=(),
        unpacking=0,
    )


def _session(segmenter: Segmenter, prefix: str) -> Any:
    """As segruntime opens one, and with the profiler."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = segmenter.threads, 1
    options.log_severity_level = _QUIET
    options.enable_profiling, options.profile_file_prefix = True, prefix
    return onnxruntime.InferenceSession(str(segmenter.path), options, providers=["CPUExecutionProvider"])


def _runner(session: Any) -> Callable[[npt.NDArray[Any]], object]:
    source, target = session.get_inputs()[0].name, session.get_outputs()[0].name
    return lambda tensor: session.run([target], {source: tensor})[0]


def _step(run: Callable[[npt.NDArray[Any]], object], tensor: npt.NDArray[Any]) -> Callable[[], list[float]]:
    def seconds() -> list[float]:
        start = time.perf_counter()
        run(tensor)
        return [time.perf_counter() - start]

    return seconds


def _part(node: TracedNode, seconds: list[float]) -> Part:
    return Part(
        kind=node.kind,
        name=node.name,
        shape=node.shape,
        place=_PROVIDERS.get(node.provider, node.provider.removesuffix("ExecutionProvider")),
        operators=1,
        values_ms=rounded_ms(seconds),
    )
