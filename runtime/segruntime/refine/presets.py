"""Which steps the chain takes, and the three that were measured: docs/refinement.md."""

from __future__ import annotations

from dataclasses import dataclass

from segruntime.errors import OptionError
from segruntime.refine.bounds import Bounds
from segruntime.refine.guided import Guided
from segruntime.refine.islands import Islands
from segruntime.refine.temporal import Temporal

MAX_FEATHER = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One chain, in the order in which it runs; a step that is None (0 for the feather) is left out.

    Without `guided` the mask is scaled up bilinearly. `feather` is in pixels of the frame.
    """

    temporal: Temporal | None = None
    islands: Islands | None = None
    guided: Guided | None = None
    bounds: Bounds | None = None
    feather: int = 0

    def __post_init__(self) -> None:
        if type(self.feather) is not int or not 0 <= self.feather <= MAX_FEATHER:
            raise OptionError(
                f"feather: got {self.feather!r}, expected a whole number of pixels from 0 to {MAX_FEATHER}"
            )


PRESETS: dict[str, Preset] = {
    "fast": Preset(),
    "balanced": Preset(
        temporal=Temporal(sure=0.5, unsure=0.9),
        guided=Guided(radius=2, eps=1e-3),
        bounds=Bounds(low=0.05, high=0.95),
    ),
    "best": Preset(
        temporal=Temporal(sure=0.7, unsure=0.9),
        islands=Islands(min_area=0.002),
        guided=Guided(radius=3, eps=1e-3, scale="half"),
        bounds=Bounds(low=0.1, high=0.9),
    ),
}


def preset_of(name: str | Preset) -> Preset:
    """The preset of that name; a `Preset` is itself.

    Raises:
        OptionError: no such name.
    """
    if isinstance(name, Preset):
        return name
    if not isinstance(name, str) or name not in PRESETS:
        raise OptionError(f"preset: got {name!r}, expected one of {', '.join(PRESETS)}, or a Preset")
    return PRESETS[name]
