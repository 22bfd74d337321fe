"""A decoder's frame → the planes that the pipeline works on, and what their numbers mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np

from segruntime.arrays import Plane, Samples
from segruntime.errors import VideoError
from segruntime.run.planes import UNSPECIFIED, ColorTags, Planes, planes_to_bgr, settled_tags
from segruntime.run.video import light
from segruntime.run.video.av_library import side_data
from segruntime.run.video.hdr_metadata import HdrMetadata, hdr_metadata
from segruntime.run.video.tone_map import guide, is_hdr, planes_of, sdr_tags, shown, tone_mapped_planes

Hdr = Literal["sdr", "keep"]

_EIGHT_BIT_420 = ("yuv420p", "yuvj420p")
_JPEG_RANGE = "yuvj420p"
_SWSCALE = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # a matrix of H.273 → swscale's number for the same weights
_MATRIX = "DISPLAYMATRIX"
_BT2020 = 9
_SUBSAMPLING = {
    (8, 4): "4:2:2",
    (8, 8): "4:4:4",
    (4, 8): "4:4:0",
    (8, 2): "4:1:1",
}  # rows and columns of 8, finer than 4:2:0
_FLIPS = {(False, False): None, (True, False): 1, (False, True): 0, (True, True): -1}  # of columns, of rows
_NAMES = {light.PQ: "PQ", light.HLG: "HLG"}
_LEAST_PEAK = 300.0  # cd/m²; less is no display that HDR is made on


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelOptions:
    """What is kept of a video's pixels: HDR and 10 bits (`keep`) or the nearest in 8 bits (`sdr`), and its own alpha.

    `only_mask`: they are looked at and not in the result.
    """

    hdr: Hdr = "sdr"
    alpha: bool = False
    only_mask: bool = False


class PixelReader:
    """PyAV's frames of one video → planes of one size and of the colours `tags`."""

    def __init__(self, first: Any, options: PixelOptions, has_hidden_alpha: bool = False) -> None:
        """`first`: the video's first frame, which says how the others are taken. `has_hidden_alpha`: the decoder may have
        dropped an alpha that the file has.

        Raises:
            VideoError: its colours are of a kind that is not known here.
        """
        self._options = options
        found = hdr_metadata(first)
        if "Dolby Vision" in found.dynamic and int(first.color_trc) == UNSPECIFIED:
            raise VideoError(
                "is Dolby Vision without a picture that others can show (profile 5), expected profile 8, HDR10 or HLG; "
                "convert it first"
            )
        self.metadata = found if is_hdr(frame_tags(first)) else HdrMetadata()
        self._source = replace(frame_tags(first), peak=max(_LEAST_PEAK, self.metadata.peak or light.HLG_PEAK))
        self.tags = _target_tags(self._source, _bits(first), options.hdr)
        self.alpha_left_out = has_hidden_alpha and not options.alpha
        self._notes = [] if options.only_mask else _losses(first, self._source, self.tags, self.metadata)

    @property
    def notes(self) -> list[str]:
        """What is not as it was, a line each."""
        left_out = "the transparency that the input has was left out; --keep-alpha keeps it"
        return [*self._notes, *([left_out] if self.alpha_left_out else [])]

    def __call__(self, frame: Any, size: tuple[int, int]) -> tuple[Planes, Plane | None, Plane | None]:
        """Planes of `size = (H, W)`, turned as the frame's display matrix says; the luma `(H, W) uint8` that edges are
        looked for in, where it is not the first of them; and the frame's own alpha `(H, W) uint8`, where it is kept.
        """
        alpha, frame = self._alpha(frame, _lying(frame, size))
        turn = _turn(frame)
        planes = tuple(_upright(plane, turn) for plane in self._planes(frame, _lying(frame, size)))
        luma = guide(planes[0], self.tags) if self.tags.bits > 8 else None
        return planes, luma, None if alpha is None else np.asarray(_upright(alpha, turn), np.uint8)

    def _planes(self, frame: Any, size: tuple[int, int]) -> Planes:
        tags, target = frame_tags(frame), self.tags
        same_light = tags.transfer == target.transfer or not (is_hdr(tags) or is_hdr(target))
        if same_light:
            return _samples(frame, size, tags, target)
        if not is_hdr(tags):  # SDR between HDR
            return planes_of(planes_to_bgr(_samples(frame, size, tags, tags), tags, size), target, light.video_light)
        hdr = replace(tags, bits=10, peak=self._source.peak)
        samples = _samples(frame, size, tags, hdr)
        if target.bits == 8:
            return tone_mapped_planes(samples, hdr, target)
        return planes_of(shown(samples, hdr, size), target, light.video_light)

    def _alpha(self, frame: Any, size: tuple[int, int]) -> tuple[Plane | None, Any]:
        """The frame's alpha where it is wanted, and the frame."""
        wanted = self._options.alpha or not self.alpha_left_out
        if not wanted or not any(component.is_alpha for component in frame.format.components):
            return None, frame
        height, width = size
        alpha = np.asarray(plane_views(frame.reformat(width, height, "yuva420p"))[3], np.uint8)
        if self._options.alpha:
            return alpha, frame
        self.alpha_left_out = bool(alpha.min() < 255)
        return None, frame


def _target_tags(source: ColorTags, bits: int, hdr: Hdr) -> ColorTags:
    if hdr == "keep" and (bits > 8 or is_hdr(source)):
        return replace(source, bits=10)
    return sdr_tags(source) if is_hdr(source) else source


def _losses(first: Any, source: ColorTags, target: ColorTags, metadata: HdrMetadata) -> list[str]:
    name, bits, sampling = _NAMES.get(source.transfer), _bits(first), _subsampling(first)
    notes = []
    if name and not is_hdr(target):
        notes.append(f"HDR ({name}) became SDR, tone-mapped to BT.709; --hdr keep writes HDR in 10 bits")
    elif bits > target.bits:
        more = "; --hdr keep writes 10" if target.bits == 8 else ""
        notes.append(f"{bits} bits a sample became {target.bits}{more}")
    if sampling is not None:
        notes.append(f"the input's colours are {sampling}, the result's 4:2:0: one sample for four pixels")
    if is_hdr(target) and metadata.dynamic:
        kinds = " and ".join(metadata.dynamic)
        notes.append(f"{kinds}: its metadata for single scenes was left out, the {name} picture is whole")
    return notes


def _samples(frame: Any, size: tuple[int, int], tags: ColorTags, target: ColorTags) -> Planes:
    """The decoder's own memory where it is 4:2:0 of that size and depth, else converted to that."""
    height, width = size
    same_range = tags.range == target.range or frame.color_range == 0
    names = _EIGHT_BIT_420 if target.bits == 8 else ("yuv420p10le",)
    if frame.planes[0].line_size < 0:  # bottom row first: PyAV's planes begin at the last one in memory
        frame = frame.reformat(format="yuv444p" if target.bits == 8 else "yuv444p10le")
    if _bits(frame) < 8:  # swscale leaves RGB of 5 bits too dark where it makes Y'CbCr of it at once
        frame = frame.reformat(format="bgr24")
    if frame.format.name not in names or (frame.width, frame.height) != (width, height) or not same_range:
        frame = frame.reformat(
            width,
            height,
            names[0],
            src_colorspace=_SWSCALE[tags.matrix],
            dst_colorspace=_SWSCALE[target.matrix],
            dst_color_range=target.range,
        )
    return plane_views(frame)


def _lying(frame: Any, size: tuple[int, int]) -> tuple[int, int]:
    """An upright size as the frame has it before it is turned."""
    return size[::-1] if frame.rotation % 180 else size


def _turn(frame: Any) -> tuple[bool, int | None]:
    """What brings a frame upright: whether rows become columns, and then OpenCV's number for a flip.

    The display matrix of ISO/IEC 14496-12: x' = a x + c y, y' = b x + d y; it may mirror too. Other angles stay as they are.
    """
    matrix = bytes(side_data(frame).get(_MATRIX, b""))
    if len(matrix) < 36:
        return False, None
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    if a and d and not b and not c:
        return False, _FLIPS[a < 0, d < 0]
    return (True, _FLIPS[c < 0, b < 0]) if b and c and not a and not d else (False, None)


def _upright(plane: Samples, turn: tuple[bool, int | None]) -> Samples:
    transposed, flip = turn
    turned = cv2.transpose(plane) if transposed else plane
    return np.asarray(turned if flip is None else cv2.flip(turned, flip), plane.dtype)


def plane_views(frame: Any) -> Planes:
    """The planes of a PyAV frame as arrays `(rows, columns)` over its own memory, no copy: `uint8`, of 10 bits `uint16`."""
    dtype = np.dtype(np.uint8 if _bits(frame) == 8 else np.uint16)
    return tuple(
        np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)[: plane.height, : plane.width]
        for plane in frame.planes
    )


def frame_tags(frame: Any) -> ColorTags:
    """What a PyAV frame says of its colours, with what players take where it says nothing; `bits` is left at 8."""
    tags = ColorTags(
        matrix=int(frame.colorspace),
        range=2 if frame.format.name == _JPEG_RANGE else int(frame.color_range),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
    )
    if is_hdr(tags):  # PQ and HLG are BT.2020 where nothing else is said, of any size
        tags = replace(
            tags,
            matrix=_BT2020 if tags.matrix == UNSPECIFIED else tags.matrix,
            primaries=_BT2020 if tags.primaries == UNSPECIFIED else tags.primaries,
        )
    return settled_tags(tags, frame.height)


def _bits(frame: Any) -> int:
    bits: int = max(component.bits for component in frame.format.components)
    return bits


def _subsampling(frame: Any) -> str | None:
    """Where it is finer than 4:2:0 in one direction: its name."""
    form = frame.format
    has_colour = len(form.components) >= 3  # no gray, and no palette's index
    return _SUBSAMPLING.get((form.chroma_height(8), form.chroma_width(8))) if has_colour else None
