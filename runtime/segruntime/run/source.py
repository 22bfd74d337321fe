"""What a run reads from: still pictures, a video or a camera."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Protocol

from segruntime.run.planes import ColorTags
from segruntime.run.stations import Decoded
from segruntime.run.video.hdr_metadata import HdrMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """What a sink wants to know of a video: size in pixels as it is shown, time base in seconds.

    As PyAV has them: `stream`, the one of the frames; `tracks`, all others in their order; `covers`, the packets of those
    that are a picture of the whole; `chapters`.
    """

    width: int
    height: int
    time_base: Fraction
    rate: Fraction
    frames: int | None = None
    is_live: bool = False
    sample_aspect: Fraction | None = None
    tags: ColorTags = field(default_factory=ColorTags)
    hdr: HdrMetadata = field(default_factory=HdrMetadata)
    metadata: dict[str, str] = field(default_factory=dict)
    stream: Any = None
    tracks: tuple[Any, ...] = ()
    covers: tuple[Any, ...] = ()
    chapters: tuple[dict[str, Any], ...] = ()


class FrameSource(Protocol):
    """Frames in their order, and what is known of them.

    `facts`: None of still pictures, each of which has a size of its own. `frames`: how many there will be, where that is
    known. `is_live`: they come in their own time, and a newer one is worth more than an older one. `broken`: how many were
    left out so far, for they cannot be decoded. `unplugged`: it ended because the device is gone.
    """

    @property
    def facts(self) -> VideoFacts | None: ...

    @property
    def frames(self) -> int | None: ...

    @property
    def is_live(self) -> bool: ...

    @property
    def broken(self) -> int: ...

    @property
    def unplugged(self) -> bool: ...

    def __iter__(self) -> Iterator[Decoded]: ...

    def trailing_packets(self) -> list[Any]:
        """The packets of the other tracks after the last frame."""
        ...

    def problems(self, done: int) -> list[str]:
        """What to tell the user at the end, after `done` frames."""
        ...

    def close(self) -> None: ...


def ended_early(cut: str | None, done: int) -> list[str]:
    """The problem of a video or camera that ended before its end, where `cut` says how."""
    return [] if cut is None else [f"the input ends early ({cut}); {done} frames were done"]


def join_packets(older: Decoded, newer: Decoded) -> Decoded:
    """A live frame that takes the place of an older one keeps that one's packets of other tracks."""
    return replace(newer, packets=(*older.packets, *newer.packets))
