"""How much is measured, where options do not change single numbers."""

from __future__ import annotations

from segbench.errors import OptionError
from segbench.process.job import Effort

NORMAL = Effort()
QUICK = Effort(runs=20, seconds=0.5, warmup_runs=3, warmup_seconds=0.2, processes=2)
# MLPerf Inference: Mobile, single stream: at least 1024 samples and 60 seconds, without a break, and 96 % of float's mIoU
MLPERF = Effort(runs=1024, seconds=60.0, warmup_runs=10, warmup_seconds=0.5, processes=1)
MLPERF_MASK_IOU = 0.96


def effort_of(*, quick: bool, mlperf: bool) -> Effort:
    """
    Raises:
        OptionError: both at once.
    """
    if quick and mlperf:
        raise OptionError("quick: got --quick and --mlperf, expected one of them; leave the other out")
    if quick:
        return QUICK
    return MLPERF if mlperf else NORMAL
