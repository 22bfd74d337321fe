"""How many times as long B takes as A, and how well that is known: a hierarchical bootstrap over processes and their values.

Values of one process hang together (its memory layout, the state of the machine in its seconds), so a thousand values of one
process know less than ten of ten processes. Both levels are drawn again: processes, and blocks of values within each
(Kalibera & Jones, "Rigorous benchmarking in reasonable time", ISMM 2013; Künsch, "The jackknife and the bootstrap for general
stationary observations", Annals of Statistics 1989, with the circle of Politis & Romano 1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segbench.statistics.student import t_quantile

# in simulations of this machine's noise 98 % shows same against same a difference once in 100, see docs/benchmarking.md
CONFIDENCE = 0.98
FEWEST_PROCESSES = 3
SMALLEST_MS = 1e-5  # results are rounded to this

_RESAMPLES = 4000
_BLOCK_RESAMPLES = 100

Floats = npt.NDArray[np.float64]
Processes = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MedianRatio:
    """Typical medians of both sides in ms, B over A, and its interval; None where there are too few processes for one."""

    a_ms: float
    b_ms: float
    ratio: float
    low: float | None
    high: float | None


def median_ratio(a: Processes, b: Processes, *, paired: bool, seed: int = 7) -> MedianRatio:
    """Of the raw values of every process of A and of B, in ms, in the order of measurement.

    A process counts with its median, the processes with the mean of the middle third of their logarithms: nearly their
    median, and smoother where there are few. With `paired`, process k of A and of B were measured in the same round, and
    the ratios of the rounds are averaged: what both met falls out. The interval is Student's t with the standard error of the
    bootstrap (Hesterberg, "What teachers should know about the bootstrap", The American Statistician 2015), degrees of freedom
    after Welch where A and B are not paired.

    Raises:
        ValueError: no process, a process without values, or `paired` with different numbers of processes.
    """
    if not a or not b or (paired and len(a) != len(b)):
        raise ValueError(
            f"processes: got {len(a)} and {len(b)}, expected at least one each, the same number where paired"
        )
    rng = np.random.default_rng(seed)
    log_a, log_b = _log_medians(a), _log_medians(b)
    centre_a, centre_b = float(_trimmed_mean(log_a)), float(_trimmed_mean(log_b))
    log_ratio = float(_trimmed_mean(log_b - log_a)) if paired else centre_b - centre_a
    half = _half_width(a, b, paired, rng)
    return MedianRatio(
        a_ms=float(np.exp(centre_a)),
        b_ms=float(np.exp(centre_b)),
        ratio=float(np.exp(log_ratio)),
        low=None if half is None else float(np.exp(log_ratio - half)),
        high=None if half is None else float(np.exp(log_ratio + half)),
    )


def _half_width(a: Processes, b: Processes, paired: bool, rng: np.random.Generator) -> float | None:
    if min(len(a), len(b)) < FEWEST_PROCESSES:
        return None
    blocks_a, blocks_b = _block_medians(a, rng), _block_medians(b, rng)
    if paired:
        variance = _variance(_drawn(blocks_b, rng, rows := _rows(len(a), rng)) - _drawn(blocks_a, rng, rows))
        freedom = float(len(a) - 1)
    else:
        parts = [_variance(_drawn(blocks, rng, _rows(len(blocks), rng))) for blocks in (blocks_a, blocks_b)]
        variance = sum(parts)
        freedom = _welch(parts, (len(a), len(b)))
    return t_quantile((1 + CONFIDENCE) / 2, freedom) * float(np.sqrt(variance))


def _log_medians(processes: Processes) -> Floats:
    return np.array([np.log(np.median(_clipped(values))) for values in processes])


def _clipped(values: Sequence[float]) -> Floats:
    if len(values) == 0:
        raise ValueError("values: got a process without any, expected at least one")
    return np.maximum(np.asarray(values, np.float64), SMALLEST_MS)


def _block_medians(processes: Processes, rng: np.random.Generator) -> Floats:
    """`(processes, resamples)`: logarithms of the median of each process, its values drawn again in blocks."""
    return np.log(
        [[np.median(_blocks(values, rng)) for _ in range(_BLOCK_RESAMPLES)] for values in map(_clipped, processes)]
    )


def _blocks(values: Floats, rng: np.random.Generator) -> Floats:
    # n^(1/3) suits a short memory (Hall, Horowitz & Jing 1995); what else runs comes in longer bursts
    n = len(values)
    length = int(np.ceil(np.sqrt(n)))
    starts = rng.integers(0, n, -(-n // length))
    drawn: Floats = values[((starts[:, None] + np.arange(length)) % n).ravel()[:n]]
    return drawn


def _rows(processes: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return rng.integers(0, processes, (_RESAMPLES, processes))


def _drawn(blocks: Floats, rng: np.random.Generator, rows: npt.NDArray[np.int64]) -> Floats:
    drawn: Floats = blocks[rows, rng.integers(0, blocks.shape[1], rows.shape)]
    return drawn


def _variance(drawn: Floats) -> float:
    """Of the trimmed mean, from the quantiles of a normal distribution one standard deviation from its middle.

    The plain variance goes by the few draws that hold one disturbed process many times (Ghosh, Parr, Singh & Babu, "A note
    on bootstrapping the sample median", Annals of Statistics 1984).
    """
    low, high = np.quantile(_trimmed_mean(drawn), (0.15866, 0.84134))
    n = int(drawn.shape[-1])  # drawing n of n makes the spread too small by (n - 1) / n
    return float(high - low) ** 2 / 4 * n / (n - 1)


def _welch(variances: Sequence[float], processes: Sequence[int]) -> float:
    below = sum(variance**2 / (n - 1) for variance, n in zip(variances, processes, strict=True))
    fewest = min(processes) - 1
    return max(fewest, sum(variances) ** 2 / below) if below > 0 else fewest


def _trimmed_mean(values: Floats) -> Floats:
    """Over the last axis, without the smallest and the largest third, rounded down."""
    n = values.shape[-1]
    cut = n // 3
    mean: Floats = np.sort(values, axis=-1)[..., cut : n - cut].mean(axis=-1)
    return mean
