"""What the numbers were made on."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from segbench.errors import MissingExtraError
from segbench.machine.processor import describe_processor
from segbench.machine.sensors import read_sensors
from segruntime.processor import ROOT, cpu_name, read_text

_PACKAGES = (
    "segedge",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "ai-edge-litert",
    "tflite-runtime",
    "onnxruntime",
    "av",
    "psutil",
    "onnx2tf",
    "litert-quantizer",
    "torch",
    "tensorflow",
)


def describe_machine(sys_root: Path = ROOT) -> dict[str, Any]:
    """Processor, cores, memory, system, how busy it is, its sensors, and the versions of what is installed, as JSON.

    `sensors.before` is read here; `with_sensors_after` adds what they say when everything has been measured.

    Raises:
        MissingExtraError: psutil is not installed.
    """
    try:
        import psutil
    except ImportError as error:
        raise MissingExtraError("describing the machine", "psutil") from error
    return {
        "cpu": cpu_name(sys_root),
        "cores": psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        "logical_cores": psutil.cpu_count() or 1,
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1,
        "memory_bytes": int(psutil.virtual_memory().total),
        "load_average_1min": round(psutil.getloadavg()[0], 2),
        "architecture": platform.machine(),
        "system": platform.platform(),
        "distribution": _distribution(sys_root),
        **describe_processor(sys_root),
        "sensors": {"before": read_sensors(sys_root).to_json(), "after": None},
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
    }


def with_sensors_after(machine: dict[str, Any], sys_root: Path = ROOT) -> dict[str, Any]:
    """A copy of `machine`, from `describe_machine`, with what its sensors say now as `sensors.after`."""
    return {**machine, "sensors": {**machine["sensors"], "after": read_sensors(sys_root).to_json()}}


def peak_memory_bytes() -> int:
    """The most memory that this process has held in RAM."""
    # ru_maxrss counts the parent from before exec as well; VmHWM is this program's own
    for line in (read_text(Path("/proc/self/status")) or "").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _distribution(sys_root: Path) -> str | None:
    """The name that the system gives itself, like Debian GNU/Linux 12 (bookworm)."""
    for line in (read_text(sys_root / "etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip("\"'")
    return None
