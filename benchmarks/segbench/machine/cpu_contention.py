"""What other programs take of the processor: a machine that is busy looks like one that grows hot."""

from __future__ import annotations

import os
import time
from pathlib import Path

from segruntime.processor import ROOT, read_text

_BUSY = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal; 3 and 4 are idle and waiting for a disk


def others_seconds(sys_root: Path = ROOT) -> float | None:
    """Seconds of a core, since the system was started, that went to anybody but this process; only differences mean something.

    From the first line of `/proc/stat` (proc(5)), in ticks of a hundredth of a second on nearly every machine; `steal`, what a
    virtual machine's host gave to others, counts. None where there is no such file.
    """
    words = (read_text(sys_root / "proc/stat") or "").partition("\n")[0].split()
    if len(words) <= 1 + max(_BUSY) or words[0] != "cpu" or not all(word.isdecimal() for word in words[1:]):
        return None
    ticks = sum(int(words[1 + k]) for k in _BUSY)
    return ticks / os.sysconf("SC_CLK_TCK") - time.process_time()
