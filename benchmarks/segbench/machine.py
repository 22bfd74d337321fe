"""What the numbers were made on."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from segbench.errors import MissingExtraError

_PACKAGES = (
    "segedge",
    "numpy",
    "opencv-python",
    "ai-edge-litert",
    "tflite-runtime",
    "onnxruntime",
    "onnx2tf",
    "torch",
    "tensorflow",
)


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory, system, how busy it is, and the versions of what is installed, as JSON.

    Raises:
        MissingExtraError: psutil is not installed.
    """
    try:
        import psutil
    except ImportError as error:
        raise MissingExtraError("describing the machine", "psutil") from error
    return {
        "cpu": cpu_name(),
        "cores": psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        "logical_cores": psutil.cpu_count() or 1,
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1,
        "memory_bytes": int(psutil.virtual_memory().total),
        "load_average_1min": round(psutil.getloadavg()[0], 2),
        "architecture": platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
    }


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo"), board: Path = Path("/proc/device-tree/model")) -> str:
    """The processor's name; on a board whose processor has none (Raspberry Pi), the board's."""
    for line in _text(cpuinfo).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return _text(board).strip("\0 \n") or platform.processor() or platform.machine()


def peak_memory_bytes() -> int:
    """The most memory that this process has held in RAM."""
    # ru_maxrss counts the parent from before exec as well; VmHWM is this program's own
    for line in _text(Path("/proc/self/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
