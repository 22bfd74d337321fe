"""Which processor this is, and whether it has the instructions that make int8 pay: x86's VNNI, Arm's dot product.

The names are those of the kernel's `/proc/cpuinfo`; what a hypervisor hides counts as not there, for no program can use it.
What cannot be found out is "unknown", never an error.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Int8Instructions = Literal["VNNI", "dot product", "neither", "unknown"]
ROOT = Path("/")
_VNNI = {"avx512_vnni", "avx_vnni"}
_DOT_PRODUCT = {"asimddp", "i8mm"}
_LONGEST = 1 << 22  # cpuinfo of hundreds of cores
_LONGEST_NAME = 100
_SYSCTL_LIMIT_S = 2.0
# Main ID Register part numbers of implementer 0x41, from Arm's technical reference manuals
_ARM_PARTS = {
    "0xd03": "Arm Cortex-A53",
    "0xd05": "Arm Cortex-A55",
    "0xd08": "Arm Cortex-A72",
    "0xd0b": "Arm Cortex-A76",
    "0xd0c": "Arm Neoverse N1",
    "0xd40": "Arm Neoverse V1",
    "0xd49": "Arm Neoverse N2",
    "0xd4f": "Arm Neoverse V2",
}
_MACOS_FLAGS = {"hw.optional.arm.FEAT_DotProd": "asimddp", "hw.optional.arm.FEAT_I8MM": "i8mm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """Its name, and which of the int8 instructions it has; "unknown" where the system does not say."""

    name: str
    int8: Int8Instructions

    def to_json(self) -> dict[str, str]:
        return asdict(self)

    def __str__(self) -> str:
        return in_words(self.name, self.int8)


def find_processor(root: Path = ROOT) -> Processor:
    """The processor of the machine whose `proc` lies below `root`."""
    return Processor(name=cpu_name(root), int8=_int8(processor_flags(root)))


def in_words(name: str, int8: str) -> str:
    """Fast One (VNNI); Slow One (neither VNNI nor dot product)."""
    has = {"neither": "neither VNNI nor dot product", "unknown": "VNNI and dot product unknown"}
    return f"{name} ({has.get(int8, int8)})"


def cpu_name(root: Path = ROOT) -> str:
    """The processor's name; on a board whose processor has none (Raspberry Pi), the board's; else "unknown"."""
    fields = _cpuinfo(root)
    found = (
        fields.get("model name")
        or read_text(root / "proc/device-tree/model")
        or (_ARM_PARTS.get(fields.get("CPU part", "")) if fields.get("CPU implementer") == "0x41" else None)
        or _sysctl("machdep.cpu.brand_string")
        or platform.processor()
        or platform.machine()
    )
    return _on_one_line(found) or "unknown"


def processor_flags(root: Path = ROOT) -> frozenset[str] | None:
    """x86's flags or Arm's features of the first core, in the kernel's names; None where the system does not say."""
    fields = _cpuinfo(root)
    listed = fields.get("flags") or fields.get("Features")
    return frozenset(listed.split()) if listed else _macos_flags()


def read_text(path: Path) -> str | None:
    """A small file of the kernel's without the ends' blanks, None where it is missing, closed, or vanishes."""
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST).decode("utf-8", "replace").strip("\0 \n\t")
    except OSError:
        return None


def _on_one_line(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())[:_LONGEST_NAME]


def _int8(flags: frozenset[str] | None) -> Int8Instructions:
    if flags is None:
        return "unknown"
    return "VNNI" if flags & _VNNI else "dot product" if flags & _DOT_PRODUCT else "neither"


def _cpuinfo(root: Path) -> dict[str, str]:
    """The first value of each field."""
    found: dict[str, str] = {}
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return found


def _macos_flags() -> frozenset[str] | None:
    """Apple's names of Arm's features, and leaf 7 of an Intel Mac's CPUID."""
    if sys.platform != "darwin":
        return None
    arm = {flag for name, flag in _MACOS_FLAGS.items() if _sysctl(name) == "1"}
    intel = _sysctl("machdep.cpu.leaf7_features").lower().replace("avx512vnni", "avx512_vnni").split()
    return frozenset(arm | set(intel)) or None


def _sysctl(name: str) -> str:
    """What macOS says under this name; "" elsewhere, and where it does not know it."""
    if sys.platform != "darwin":
        return ""
    try:
        asked = ["/usr/sbin/sysctl", "-n", name]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=_SYSCTL_LIMIT_S, check=True)
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
