"""What comes behind the person: `--background` as a user writes it, and its pixels for each frame."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from segruntime.arrays import Plane, Samples
from segruntime.compositing.blur import BlurBehind
from segruntime.compositing.composite import cover
from segruntime.compositing.words import COLOURS, parse_blur, parse_colour
from segruntime.errors import OptionError, PictureError, VideoError
from segruntime.picture_files import kind_of, read_picture
from segruntime.preprocess import Frame
from segruntime.run.pictures.animated.source import AnimationSource
from segruntime.run.planes import ColorTags, Planes, chroma_size
from segruntime.run.stations import Decoded
from segruntime.run.video.light import video_light
from segruntime.run.video.packet_times import packet_times
from segruntime.run.video.pixels import Hdr, PixelOptions
from segruntime.run.video.source import VideoSource
from segruntime.run.video.tone_map import colour_of, planes_of, shown

Behind = Sequence[Samples | int | Sequence[int]]


class Backdrop(Protocol):
    """Gives what is behind the person, one array or constant for each array of `frame.pixels`."""

    def __call__(self, frame: Decoded, weights: Sequence[Plane], /) -> Behind:
        """`weights`: the person's alpha `uint8` at the size of each of `frame.pixels`."""
        ...


class ColourBackdrop:
    """One colour `(b, g, r)`."""

    def __init__(self, colour: tuple[int, int, int]) -> None:
        self._colour = colour

    def __call__(self, frame: Decoded, _weights: Sequence[Plane]) -> Behind:
        return [self._colour] if frame.is_still else colour_of(self._colour, frame.tags)


class BlurBackdrop:
    """The frame's own background, out of focus."""

    def __init__(self, blur: BlurBehind) -> None:
        self._blur = blur

    def __call__(self, frame: Decoded, weights: Sequence[Plane]) -> Behind:
        return [self._blur(plane, weight) for plane, weight in zip(frame.pixels, weights, strict=True)]


class PictureBackdrop:
    """A picture `(h, w, 3) uint8, BGR`, scaled to cover the frame; scaled once for all frames of a size."""

    def __init__(self, picture: Frame) -> None:
        self._picture = picture
        self._made: tuple[object, Planes] | None = None

    def __call__(self, frame: Decoded, _weights: Sequence[Plane]) -> Behind:
        key = frame.size, frame.tags, frame.is_still
        if self._made is None or self._made[0] != key:
            covering = cover(self._picture, *frame.size)
            self._made = key, (covering,) if frame.is_still else planes_of(covering, frame.tags)
        return self._made[1]


class VideoBackdrop:
    """A video or animated picture, in its own time, from the start again when it ends, scaled to cover the frame.

    Before each animated picture of a folder it begins anew.
    """

    def __init__(self, path: str, origin: int | None = None, pixels: PixelOptions | None = None) -> None:
        """`origin`: the time at which it begins, where that is not the first frame's before it."""
        self._path, self._origin, self._options = path, origin, pixels
        self._is_animation = kind_of(Path(path)) == "animation"
        self._source = self._opened()
        self._begin()

    def _opened(self) -> VideoSource | AnimationSource:
        return (
            AnimationSource(Path(self._path)) if self._is_animation else VideoSource(self._path, pixels=self._options)
        )

    def _begin(self) -> None:
        self._frames = iter(self._source)
        self._now = self._ahead = next(self._frames)
        self._first_pts, self._offset_s = self._now.pts, Fraction(0)
        self._start: int | None = None

    def __call__(self, frame: Decoded, _weights: Sequence[Plane]) -> Behind:
        if frame.animation is not None and frame.stands_alone and self._start is not None:
            self._source.close()
            self._source = self._opened()
            self._begin()
        self._start = self._begun(frame) if self._start is None else self._start
        self._advance((frame.pts - self._start) * frame.time_base)
        if frame.is_still:
            return (covering_picture(self._now, frame.size),)
        return covering_planes(self._now, frame.size, frame.tags)

    def _begun(self, frame: Decoded) -> int:
        start = frame.pts if self._origin is None else self._origin
        elapsed_s = (frame.pts - start) * frame.time_base
        if elapsed_s > 0 and not self._is_animation:  # whole rounds need not be looked at
            found = packet_times(self._path)
            round_s = (found.times[-1] - found.times[0]) * found.time_base + 1 / self._source.facts.rate
            self._offset_s = elapsed_s // round_s * round_s
        return start

    def _advance(self, time_s: Fraction) -> None:
        while self._time_s(self._ahead) <= time_s:
            self._now = self._ahead
            following = next(self._frames, None)
            if following is None:
                following = self._from_the_start()
            self._ahead = following

    def _from_the_start(self) -> Decoded:
        last = self._now.animation
        self._offset_s = self._time_s(self._now) + (last.duration_s if last else 1 / self._source.facts.rate)
        self._source.close()
        self._source = self._opened()
        self._frames = iter(self._source)
        return next(self._frames)

    def _time_s(self, frame: Decoded) -> Fraction:  # a fraction: a sum of floats is late by a frame now and then
        return self._offset_s + (frame.pts - self._first_pts) * frame.time_base


def covering_planes(frame: Decoded, size: tuple[int, int], tags: ColorTags) -> Planes:
    """A video frame's planes, scaled to cover a frame of `size = (H, W)`, in the colours of `tags`."""
    if _numbers(frame.tags) != _numbers(tags):
        return planes_of(covering_picture(frame, size), tags, video_light)
    sizes = size, chroma_size(*size), chroma_size(*size)
    return tuple(p if p.shape == wanted else cover(p, *wanted) for p, wanted in zip(frame.pixels, sizes, strict=True))


def _numbers(tags: ColorTags) -> tuple[int, ...]:
    """What planes must share to be mixed as they are."""
    deep = (tags.transfer, tags.primaries) if tags.bits > 8 else ()
    return tags.matrix, tags.range, tags.bits, *deep


def covering_picture(frame: Decoded, size: tuple[int, int]) -> Frame:
    """A video frame as `(H, W, 3) uint8, BGR`, scaled to cover `size = (H, W)`."""
    return cover(shown(frame.pixels, frame.tags, frame.size), *size)


def parse_backdrop(text: str, origin: int | None = None, hdr: Hdr = "sdr") -> Backdrop:
    """`FILE`, a colour's name or `#rrggbb`, `blur` or `blur:STRENGTH` → the backdrop; `origin`: see `VideoBackdrop`.

    `hdr`: whether a video's is kept.

    Raises:
        OptionError: none of these. PictureError, VideoError: the file cannot be used.
    """
    if blur := parse_blur(text):
        return BlurBackdrop(blur)
    if colour := parse_colour(text):
        return ColourBackdrop(colour)
    if text.startswith("#"):
        raise OptionError(f"background: got {text[:80]!r}, expected a colour as #rrggbb, like #00b140")
    path = Path(text)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing there"
        raise OptionError(
            f"background: {text}: found {found}, expected a picture or video file, a colour "
            f"({', '.join(COLOURS)} or #rrggbb), blur, blur:STRENGTH, transparent or alpha"
        )
    try:
        if kind_of(path) == "picture":
            return PictureBackdrop(read_picture(path))
        return VideoBackdrop(text, origin, PixelOptions(hdr=hdr))
    except (PictureError, VideoError) as error:
        raise type(error)(f"background: {error}") from error
