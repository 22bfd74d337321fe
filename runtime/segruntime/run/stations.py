"""What travels through the pipeline: a frame as it was decoded, with its mask, and finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from segruntime.arrays import Alpha, Plane
from segruntime.run.planes import ColorTags, Planes


@dataclass(frozen=True, slots=True, kw_only=True)
class InAnimation:
    """Where a frame stands in an animation: `number` counts from 0; `plays`: how often all is shown, 0 without end."""

    number: int
    duration_s: Fraction
    plays: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A frame from a source.

    `pixels`: Y, U, V planes of a video, `uint8`, of 10 bits `uint16`, or one `(H, W, 3) uint8, BGR` of a still picture.
    `pts`: its time in units of `time_base`, which is in seconds. `packets`: those of the other tracks that lie before it
    in the file. `name`: of a still picture, its path below the input. `is_warm_up`: it fills the memory of the stages,
    and is not written. `guide`: the luma that edges are looked for in, `(H, W) uint8`, where it is not the first plane.
    `own_alpha`: the alpha that it came with, `(H, W) uint8`, where that is kept.
    `animation`: of a frame of an animated picture, which are BGR too.
    """

    pixels: Planes
    tags: ColorTags = field(default_factory=ColorTags)
    pts: int = 0
    time_base: Fraction = Fraction(1)
    packets: Sequence[Any] = ()
    name: str = ""
    is_warm_up: bool = False
    guide: Plane | None = None
    own_alpha: Plane | None = None
    animation: InAnimation | None = None

    @property
    def size(self) -> tuple[int, int]:
        """`(H, W)`."""
        return self.pixels[0].shape[0], self.pixels[0].shape[1]

    @property
    def is_still(self) -> bool:
        return self.pixels[0].ndim == 3

    @property
    def stands_alone(self) -> bool:
        """Whether nothing before it belongs to it: a still picture, or the first frame of an animated one."""
        return self.is_still and (self.animation is None or self.animation.number == 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A frame and the network's mask `(h, w) float32, 0–1`, taken `age` frames ago."""

    frame: Decoded
    coarse: Alpha
    age: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The result: pixels in the same form as the frame's, `alpha (H, W) uint8` next to them where it is kept.

    `holder` owns the memory of the pixels where an encoder takes them as they are.
    """

    frame: Decoded
    pixels: Planes
    alpha: Plane | None
    age: int
    holder: Any = None
