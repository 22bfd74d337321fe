"""What ONNX Runtime would cost the native core in place of LiteRT: disk, start to the first mask, memory, each mask.

python benchmarks/claims/native_onnxruntime.py [--repeats N] [--json]     (after `make native`)

Fresh processes in turn, which open one library through its C interface and run the bundled network: of LiteRT the core's
`segedge_mask` on a picture of 256x256, of ONNX Runtime `Run` alone, without the work around it. The clock starts, and the
memory is counted from, just before the library is opened. The weights are float16 in the .tflite and float32 in the .onnx,
and both compute in float32. Each first mask must be segruntime's.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np

import segruntime
from claim import Result, claim, medians
from segbench.frames.drawn import drawn_frame
from segbench.machine.describe import peak_memory_bytes

NATIVE = Path(__file__).parents[2] / "runtime" / "native"
MODELS = Path(segruntime.__file__).parent / "models"
FILES = {"litert": MODELS / "mobile_unet_float16.tflite", "onnxruntime": MODELS / "mobile_unet.onnx"}
SIDE, ROUNDS, API_VERSION = 256, 60, 12
# where functions stand in OrtApi of onnxruntime_c_api.h, to which entries are only ever appended
ENTRIES = {"GetErrorMessage": 2, "CreateEnv": 3, "CreateSession": 7, "Run": 9, "CreateSessionOptions": 10}
ENTRIES |= {"SetIntraOpNumThreads": 24, "CreateTensorWithDataAsOrtValue": 49, "CreateCpuMemoryInfo": 69}


def library_of(kind: str) -> Path:
    """What a program in C would open, out of the wheel."""
    package, name = {"litert": ("ai_edge_litert", "libLiteRt.so")}.get(kind, ("onnxruntime", "capi/libonnxruntime.so*"))
    found = find_spec(package)
    paths = sorted(Path(found.origin).parent.glob(name)) if found and found.origin else []
    if not paths:
        raise SystemExit(f"native_onnxruntime: found no {name}, expected {package}'s wheel for Linux; install it")
    return paths[0]


def open_litert(threads: int, inputs: dict[str, np.ndarray]) -> Callable[[], np.ndarray]:
    sys.path.append(str(NATIVE / "python"))
    from segedge import Native, Opening

    core = NATIVE / "build" / "native" / "libsegedge.so"
    native = Native(FILES["litert"], Opening(core, library_of("litert"), threads))
    return lambda: native.mask(inputs["frame"])


def open_onnxruntime(threads: int, inputs: dict[str, np.ndarray]) -> Callable[[], np.ndarray]:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    base = ctypes.CDLL(str(library_of("onnxruntime"))).OrtGetApiBase
    base.restype = ctypes.POINTER(ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32))
    table = ctypes.cast(base()[0](API_VERSION), ctypes.POINTER(ctypes.c_void_p))

    def call(name: str, *arguments: object) -> None:
        status = ctypes.CFUNCTYPE(ctypes.c_void_p)(table[ENTRIES[name]])(*arguments)
        if status:
            text = ctypes.CFUNCTYPE(ctypes.c_char_p)(table[ENTRIES["GetErrorMessage"]])(ctypes.c_void_p(status))
            raise SystemExit(f"native_onnxruntime: {name}: {text.decode()}")

    def made(name: str, *arguments: object) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        call(name, *arguments, ctypes.byref(handle))
        return handle

    options = made("CreateSessionOptions")
    call("SetIntraOpNumThreads", options, threads)
    environment = made("CreateEnv", 3, b"segedge")
    session = made("CreateSession", environment, str(FILES["onnxruntime"]).encode(), options)
    memory = made("CreateCpuMemoryInfo", 1, 0)
    mask = np.empty((1, 1, SIDE, SIDE), np.float32)
    size, sides = ctypes.c_size_t, ctypes.c_int64 * 4
    words: list[object] = []
    for array, name in ((inputs["tensor"], b"image"), (mask, b"probability")):
        where = (memory, ctypes.c_void_p(array.ctypes.data), size(array.nbytes))
        value = made("CreateTensorWithDataAsOrtValue", *where, sides(*array.shape), size(4), 1)
        words += [(ctypes.c_char_p * 1)(name), (ctypes.c_void_p * 1)(value), size(1)]
    words[4:] = words[5], words[4]  # the counts stand otherwise

    def run() -> np.ndarray:
        call("Run", session, None, *words)
        return mask[0, 0]

    return run


def child(kind: str, threads: int, folder: Path) -> None:
    """Prints what it took to the first mask, and how far that is from segruntime's; then the median of more of them."""
    inputs = dict(np.load(folder / "inputs.npz"))
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    before, begun = peak_memory_bytes(), time.perf_counter()
    run = (open_litert if kind == "litert" else open_onnxruntime)(threads, inputs)
    apart = np.abs(run() - inputs[kind]).max()
    first_ms, peak_mb = 1e3 * (time.perf_counter() - begun), (peak_memory_bytes() - before) / 1e6
    times = [time.perf_counter()]
    for _ in range(ROUNDS):
        run()
        times.append(time.perf_counter())
    said = {"first mask, ms": first_ms, "memory, MB": peak_mb, "each mask, ms": float(np.median(np.diff(times))) * 1e3}
    print(json.dumps({**said, "apart": float(apart)}))


def start(kind: str, threads: int, folder: Path) -> dict[str, float]:
    program = "import sys, native_onnxruntime as n; n.child(sys.argv[1], int(sys.argv[2]), n.Path(sys.argv[3]))"
    words = [sys.executable, "-c", program, kind, str(threads), str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"native_onnxruntime: a child failed: {(done.stderr.strip() or 'no word').splitlines()[-1]}")
    return dict(json.loads(done.stdout))


def measure(repeats: int) -> Result:
    frame = drawn_frame(SIDE, SIDE)
    segmenters = {kind: segruntime.load(path) for kind, path in FILES.items()}
    inputs = {kind: one.network_mask(frame) for kind, one in segmenters.items()}
    inputs |= {"frame": frame, "tensor": segmenters["onnxruntime"].preprocess(frame)}
    runs = [(kind, threads) for kind in FILES for threads in (1, 2)]
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "inputs.npz", **inputs)
        for _ in range(repeats + 1):
            said = {run: start(*run, Path(folder)) for run in runs}
            rows.append({f"{k}, threads {n}: {name}": said[k, n][name] for k, n in runs for name in said[k, n]})
    del rows[0]  # it warms the disk's cache
    sizes = {f"{kind}: library, MB": library_of(kind).stat().st_size / 1e6 for kind in FILES}
    return {"repeats": repeats, "median": {**sizes, **medians(rows)}, "values": rows}


def print_result(result: Result) -> None:
    for name, value in result["median"].items():
        print(f"{name:42}{value:8.1f}")


def wrong(result: Result) -> str | None:
    apart = max(value for row in result["values"] for name, value in row.items() if "apart" in name)
    return f"a mask differs from segruntime's by {apart:.2g}" if apart > 1e-5 else None


@claim(print_result, wrong)
@click.option("--repeats", type=click.IntRange(1), default=9, show_default=True)
def main(repeats: int) -> Result:
    """LiteRT and ONNX Runtime through their C interfaces."""
    return measure(repeats)


if __name__ == "__main__":
    main()
