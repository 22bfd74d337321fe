"""What a run did, for people in a line and for machines as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """`stage_shares`: of the time that all stages worked, how much each did, 0–1. `mask_age_*` in frames. `flicker` as in
    `segruntime.measures.flicker`, None where there were no two frames to compare. `broken`: frames that could not be decoded;
    `dropped`: live frames that a newer one replaced; `interrupted`: the user ended it;
    `unplugged`: the camera did.
    """

    frames: int
    seconds: float
    stage_shares: dict[str, float]
    mask_age_mean: float
    mask_age_max: int
    flicker: float | None
    broken: int
    dropped: int
    interrupted: bool
    unplugged: bool = False
    output: str | None
    notes: list[str] = field(default_factory=list)

    @property
    def frames_per_second(self) -> float:
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "frames_per_second": self.frames_per_second}

    def line(self) -> str:
        """One line for people."""
        shares = " · ".join(f"{name} {share:.0%}" for name, share in self.stage_shares.items())
        parts = [
            f"{self.frames} frame{'' if self.frames == 1 else 's'} in {self.seconds:.1f} s, {self.frames_per_second:.1f} fps",
            shares,
        ]
        if self.mask_age_max > 0:
            parts.append(f"mask age {self.mask_age_mean:.1f} frames, at most {self.mask_age_max}")
        if self.flicker is not None:
            parts.append(f"flicker {self.flicker:.2%}")
        parts += [f"{count} {what}" for count, what in ((self.broken, "broken"), (self.dropped, "dropped")) if count]
        return "; ".join(parts)


def shares(names: list[str], busy_s: list[float]) -> dict[str, float]:
    """Each stage's share of the working time of all."""
    total = sum(busy_s)
    return {name: (one / total if total > 0 else 0.0) for name, one in zip(names, busy_s, strict=True)}
