"""How much is measured: what each kind of run asks for, before options change single numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from segbench.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The fields are those of `Job`, and `processes` of `Matrix`."""

    runs: int
    seconds: float
    warmup_runs: int
    warmup_seconds: float
    processes: int
    least_mask_iou: float | None = None

    def with_options(self, **given: Any) -> dict[str, Any]:
        """Each field as `given`, or where that is None as here."""
        return {key: value if given.get(key) is None else given[key] for key, value in asdict(self).items()}


NORMAL = Effort(runs=50, seconds=2.0, warmup_runs=10, warmup_seconds=0.5, processes=5)
QUICK = Effort(runs=20, seconds=0.5, warmup_runs=3, warmup_seconds=0.2, processes=2)
# MLPerf Inference: Mobile, single stream: at least 1024 samples and 60 seconds, without a break, and 96 % of float's mIoU
MLPERF = Effort(runs=1024, seconds=60.0, warmup_runs=10, warmup_seconds=0.5, processes=1, least_mask_iou=0.96)


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
