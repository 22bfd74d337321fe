"""`segbench profile` of a .tflite against XNNPACK's own profiler: how far apart are the shares of the operators?

python benchmarks/claims/profile_crosscheck.py [--model FILE] [--runs N] [--seconds S] [--json]

LiteRT's Python package has no profiler, but the C library in it has (litert/c/litert_profiler.h), for its other interface,
CompiledModel. Neither its functions nor the layout of its events are the same from one version to the next, so segbench does
not rest on it; this script does, for ai-edge-litert 2.1 and models that XNNPACK runs operator by operator (to dynamic ones it
adds some).
"""

from __future__ import annotations

import ctypes
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import click

from claim import Result, claim
from segbench.errors import ProfileError
from segbench.profile.result import PartTime
from segbench.profile.run import ProfileJob, run_profile

EXPECTED = "2.1."
WARM_UP = 20
CPU = 1  # kLiteRtHwAcceleratorCpu
OF_A_DELEGATE = 8  # DELEGATE_PROFILED_OPERATOR_INVOKE_EVENT


class Event(ctypes.Structure):
    """`ProfiledEventData` of 2.1, whose two records of memory have three numbers each."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_uint32),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_size_t * 6),
        ("node", ctypes.c_uint64),
        ("subgraph", ctypes.c_uint64),
        ("source", ctypes.c_uint32),
    )


class WatchedModel:
    """A CompiledModel on one thread with its profiler. It lives as long as the process."""

    def __init__(self, path: Path) -> None:
        import ai_edge_litert

        self._library = ctypes.CDLL(str(Path(ai_edge_litert.__file__).parent / "libLiteRt.so"))
        environment = self._new("CreateEnvironment", ctypes.c_int(0), None)
        model = self._new("CreateModelFromFile", str(path).encode())
        self._compiled = self._new("CreateCompiledModel", environment, model, self._options())
        graph = self._new("GetModelSubgraph", model, ctypes.c_size_t(0))
        buffers = [self._buffer(environment, graph, which) for which in ("Input", "Output")]
        self._inputs, self._outputs = ((ctypes.c_void_p * 1)(one) for one in buffers)
        self._profiler = self._new("CompiledModelGetProfiler", self._compiled)

    def operators_ms(self) -> list[tuple[str, float]]:
        """One run: name and time of each of XNNPACK's operators."""
        self._do("ResetProfiler", self._profiler)
        self._do("StartProfiler", self._profiler)
        one = ctypes.c_size_t(1)
        self._do("RunCompiledModel", self._compiled, ctypes.c_size_t(0), one, self._inputs, one, self._outputs)
        self._do("StopProfiler", self._profiler)
        count = ctypes.c_int()
        self._do("GetNumProfilerEvents", self._profiler, ctypes.byref(count))
        events = (Event * count.value)()
        self._do("GetProfilerEvents", self._profiler, count, events)
        return [(event.tag.decode(), event.elapsed_us / 1e3) for event in events if event.kind == OF_A_DELEGATE]

    def _options(self) -> ctypes.c_void_p:
        options = self._new("CreateOptions")
        self._do("SetOptionsHardwareAccelerators", options, ctypes.c_int(CPU))
        for name, setting, value in (
            ("RuntimeOptions", "EnableProfiling", ctypes.c_bool(True)),
            ("CpuOptions", "NumThread", ctypes.c_int(1)),
        ):
            opaque = self._new(f"Create{name}")
            self._do(f"Set{name}{setting}", self._new(f"Find{name}", opaque), value)
            self._do("AddOpaqueOptions", options, opaque)
        return options

    def _buffer(self, environment: ctypes.c_void_p, graph: ctypes.c_void_p, which: str) -> ctypes.c_void_p:
        zero, kind = ctypes.c_size_t(0), (ctypes.c_uint64 * 32)()  # LiteRtRankedTensorType, with room
        self._do("GetRankedTensorType", self._new(f"GetSubgraph{which}", graph, zero), kind)
        wanted = self._new(f"GetCompiledModel{which}BufferRequirements", self._compiled, zero, zero)
        return self._new("CreateManagedTensorBufferFromRequirements", environment, kind, wanted)

    def _new(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        made = ctypes.c_void_p()
        self._do(name, *arguments, ctypes.byref(made))
        return made

    def _do(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, f"LiteRt{name}")(*arguments)
        if status != 0:
            raise ProfileError(f"LiteRt{name}: status {status}, expected 0; see litert/c/litert_common.h")


def _compared(parts: list[PartTime], rounds: list[list[tuple[str, float]]]) -> Result:
    """Shares of XNNPACK's time. `apart`: the largest difference; `variation`: half of all, time that is misplaced."""
    medians = [median(one[k][1] for one in rounds) for k in range(len(rounds[0]))]
    rows = [
        {"xnnpack": name, "operator": part.kind, "xnnpack_ms": ms, "segbench_ms": part.time.ms}
        for (name, _), ms, part in zip(rounds[0], medians, parts, strict=True)
    ]
    total, timed = sum(medians), sum(part.time.ms for part in parts)
    differences = [abs(row["segbench_ms"] / timed - row["xnnpack_ms"] / total) for row in rows]
    return {
        "rows": rows,
        "xnnpack_ms": total,
        "segbench_ms": timed,
        "apart": max(differences),
        "variation": sum(differences) / 2,
    }


def print_result(result: Result) -> None:
    lines = [f"{'XNNPACK':42}{'ms':>8}  {'segbench':28}{'ms':>8}"]
    lines += [
        f"{row['xnnpack'][:41]:42}{row['xnnpack_ms']:8.3f}  {row['operator'][:27]:28}{row['segbench_ms']:8.3f}"
        for row in result["rows"]
    ]
    lines.append(f"{'sum':42}{result['xnnpack_ms']:8.3f}  {'':28}{result['segbench_ms']:8.3f}")
    lines.append(
        f"shares differ by at most {100 * result['apart']:.1f} points; "
        f"{result['variation']:.1%} of the time is given to another operator"
    )
    print("\n".join(lines))


@claim(print_result)
@click.option("--model", type=click.Path(path_type=Path), help="A .tflite file; default: the bundled one.")
@click.option("--runs", default=300, show_default=True, help="With XNNPACK's profiler.")
@click.option("--seconds", default=10.0, show_default=True, help="With segbench profile.")
def main(model: Path | None, runs: int, seconds: float) -> Result:
    """Print both times of each operator, and how far apart their shares are."""
    version = metadata.version("ai-edge-litert")
    if not version.startswith(EXPECTED):
        raise ProfileError(f"ai-edge-litert: got {version}, expected {EXPECTED}*; install that one elsewhere")
    found = run_profile(ProfileJob(model=model, backend="tflite", seconds=seconds))
    watched = WatchedModel(Path(found.subject.model.path))
    rounds = [watched.operators_ms() for _ in range(WARM_UP + runs)][WARM_UP:]
    parts = [one for one in found.profile.parts if one.place == "XNNPACK"]  # LiteRT's own kernels have no such profiler
    if len(rounds[0]) != len(parts):
        raise ProfileError(
            f"XNNPACK ran {len(rounds[0])} operators, segbench timed {len(parts)} parts there; "
            "only a model that XNNPACK runs one to one can be compared"
        )
    return _compared(parts, rounds)


if __name__ == "__main__":
    main()
