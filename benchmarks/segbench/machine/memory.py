"""Memory of one part of a program: what it holds before, and how often it has to fetch pages from the system."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from segbench.machine.describe import peak_memory_bytes

_FORGET_PEAK = "5"  # proc(5): written to clear_refs, it sets the peak resident set to what is held now


def baseline_memory_bytes() -> int:
    """What this process holds now; its peak counts from here. Where Linux does not allow that, the peak until now."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(_FORGET_PEAK)
    return peak_memory_bytes()


def page_faults() -> int:
    """How many pages this process has had to fetch so far, those that were no disk's to give included."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
