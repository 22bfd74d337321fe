"""A decoder's frame → the planes that the pipeline works on, and what their numbers mean."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from segruntime.run.planes import ColorTags, Planes, settled_tags
from segruntime.run.source import VideoFacts

_EIGHT_BIT_420 = ("yuv420p", "yuvj420p")
_JPEG_RANGE = "yuvj420p"
_SWSCALE = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # a matrix of H.273 → swscale's number for the same weights
_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


def upright_planes(frame: Any, facts: VideoFacts) -> Planes:
    """The planes of a PyAV frame as `facts` has size and colours, turned as its display matrix says."""
    pixels = _planes(frame, facts)
    rotation = frame.rotation % 360
    if rotation not in _TURNS:
        return pixels
    return tuple(np.asarray(cv2.rotate(plane, _TURNS[rotation]), np.uint8) for plane in pixels)


def _planes(frame: Any, facts: VideoFacts) -> Planes:
    """The decoder's own memory where it is 8-bit 4:2:0 of the first frame's size, else converted to that."""
    turned = frame.rotation % 180 != 0
    width, height = (facts.height, facts.width) if turned else (facts.width, facts.height)
    tags = frame_tags(frame)
    same_range = tags.range == facts.tags.range or frame.color_range == 0
    if frame.format.name not in _EIGHT_BIT_420 or (frame.width, frame.height) != (width, height) or not same_range:
        frame = frame.reformat(
            width,
            height,
            "yuv420p",
            src_colorspace=_SWSCALE[tags.matrix],
            dst_colorspace=_SWSCALE[facts.tags.matrix],
            dst_color_range=facts.tags.range,
        )
    return plane_views(frame)


def plane_views(frame: Any) -> Planes:
    """The planes of a PyAV frame of 8 bits as arrays `(rows, columns) uint8` over its own memory, no copy."""
    return tuple(
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in frame.planes
    )


def frame_tags(frame: Any) -> ColorTags:
    """What a PyAV frame says of its colours, with what players take where it says nothing."""
    tags = ColorTags(
        matrix=int(frame.colorspace),
        range=2 if frame.format.name == _JPEG_RANGE else int(frame.color_range),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
    )
    return settled_tags(tags, frame.height)
