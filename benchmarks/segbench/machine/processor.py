"""Which processor this is, what it can do that int8 gains from, and how its clock is governed."""

from __future__ import annotations

from pathlib import Path

from segruntime.processor import ROOT, processor_flags, read_text

# dot products and wide integer multiplications; XNNPACK and onnxruntime choose their int8 kernels by them
INT8_FLAGS = (
    "avx2",
    "avx512bw",
    "avx512_vnni",
    "avx_vnni",
    "avx_vnni_int8",
    "amx_int8",
    "neon",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
    "svei8mm",
)


def int8_flags(sys_root: Path = ROOT) -> tuple[str, ...] | None:
    """Those of `INT8_FLAGS` that it has, in this order; None where the system does not say."""
    found = processor_flags(sys_root)
    return None if found is None else tuple(flag for flag in INT8_FLAGS if flag in found)


def governor(sys_root: Path = ROOT) -> str | None:
    """Of all cores; several, as big and little cores may have, with a comma between them."""
    policies = sorted((sys_root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
    found = dict.fromkeys(text for path in policies if (text := read_text(path)))
    return ", ".join(found) or None


def frequency_max_mhz(sys_root: Path = ROOT) -> float | None:
    """Of the fastest core; None where the system does not say."""
    paths = sorted((sys_root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/cpuinfo_max_freq"))
    found = [int(text) / 1000 for path in paths if (text := read_text(path)) and text.isdecimal()]
    return max(found, default=None)
