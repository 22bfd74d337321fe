"""What the numbers were made on."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field, fields, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from segbench.errors import MissingExtraError
from segbench.machine.processor import frequency_max_mhz, governor, int8_flags
from segbench.machine.sensors import Sensors, read_sensors
from segbench.readers import amount, whole
from segruntime.processor import ROOT, cpu_name, read_text
from segruntime.strict_json import Fields

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the numbers were made on; None is what the system does not say, or an older segbench did not ask.

    `sensors_before` and `sensors_after`: what they said before and after the measurement. `packages`: versions by name.
    """

    cpu: str
    cores: int
    logical_cores: int
    usable_cores: int | None = None
    memory_bytes: int
    load_average_1min: float | None = None
    architecture: str
    system: str
    distribution: str | None = None
    int8_flags: tuple[str, ...] | None = None
    governor: str | None = None
    frequency_max_mhz: float | None = None
    sensors_before: Sensors | None = None
    sensors_after: Sensors | None = None
    python: str | None = None
    packages: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        own = {one.name: getattr(self, one.name) for one in fields(self) if not one.name.startswith("sensors_")}
        sensors = {"before": self.sensors_before, "after": self.sensors_after}
        return {**own, "sensors": {when: None if one is None else one.to_json() for when, one in sensors.items()}}

    @classmethod
    def from_json(cls, f: Fields) -> Machine:
        sensors = f.optional("sensors", f.part)
        before, after = (
            None if sensors is None else sensors.optional(when, sensors.part) for when in ("before", "after")
        )
        return cls(
            cpu=f.string("cpu"),
            cores=whole(f)("cores"),
            logical_cores=whole(f)("logical_cores"),
            usable_cores=f.optional("usable_cores", whole(f)),
            memory_bytes=whole(f)("memory_bytes"),
            load_average_1min=f.optional("load_average_1min", amount(f)),
            architecture=f.string("architecture"),
            system=f.string("system"),
            distribution=f.optional("distribution", f.string),
            int8_flags=f.optional("int8_flags", f.strings),
            governor=f.optional("governor", f.string),
            frequency_max_mhz=f.optional("frequency_max_mhz", amount(f)),
            sensors_before=None if before is None else Sensors.from_json(before),
            sensors_after=None if after is None else Sensors.from_json(after),
            python=f.optional("python", f.string),
            packages=f.optional("packages", f.string_map) or {},
        )


def describe_machine(sys_root: Path = ROOT) -> Machine:
    """Processor, cores, memory, system, how busy it is, its sensors, and the versions of what is installed.

    `sensors_before` is read here; `with_sensors_after` adds what they say when everything has been measured.

    Raises:
        MissingExtraError: psutil is not installed.
    """
    try:
        import psutil
    except ImportError as error:
        raise MissingExtraError("describing the machine", "psutil") from error
    return Machine(
        cpu=cpu_name(sys_root),
        cores=psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        logical_cores=psutil.cpu_count() or 1,
        usable_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1,
        memory_bytes=int(psutil.virtual_memory().total),
        load_average_1min=round(psutil.getloadavg()[0], 2),
        architecture=platform.machine(),
        system=platform.platform(),
        distribution=_distribution(sys_root),
        int8_flags=int8_flags(sys_root),
        governor=governor(sys_root),
        frequency_max_mhz=frequency_max_mhz(sys_root),
        sensors_before=read_sensors(sys_root),
        python=platform.python_version(),
        packages={name: version for name in _PACKAGES if (version := _version(name))},
    )


def with_sensors_after(machine: Machine, sys_root: Path = ROOT) -> Machine:
    """A copy of `machine`, from `describe_machine`, with what its sensors say now."""
    return replace(machine, sensors_after=read_sensors(sys_root))


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
