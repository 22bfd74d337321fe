"""What an HDR stream says of the display that it was made on and of its brightest light: SMPTE ST 2086 and CTA-861.3.

FFmpeg's `AVMasteringDisplayMetadata` is ten fractions of two int32 (x and y of red, green, blue and white, the lowest and
the highest luminance in cd/m²) and two int32 that say which of them hold; `AVContentLightMetadata` is two uint32.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from segruntime.run.video.av_library import side_data

_MASTERING, _LEVELS = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"
_DYNAMIC = {"DOVI_RPU_BUFFER": "Dolby Vision", "DOVI_METADATA": "Dolby Vision", "DYNAMIC_HDR_PLUS": "HDR10+"}
_CHROMATICITY, _LUMINANCE = 50_000, 10_000  # steps of x265's words, as those of the bitstream


@dataclass(frozen=True, slots=True, kw_only=True)
class HdrMetadata:
    """`display`: x and y of red, green, blue and white, lowest and highest cd/m²; `levels`: the brightest pixel's and
    frame's cd/m²; `dynamic`: kinds of metadata for single scenes, which are not kept. None: it does not say.
    """

    display: tuple[Fraction, ...] | None = None
    levels: tuple[int, int] | None = None
    dynamic: tuple[str, ...] = ()

    @property
    def peak(self) -> float | None:
        """cd/m² of the display at its brightest."""
        return None if self.display is None else float(self.display[-1])

    def x265_words(self) -> list[str]:
        """Settings of libx265 that write it into the stream."""
        words = []
        if self.display is not None:
            points = [round(value * _CHROMATICITY) for value in self.display[:8]]
            lowest, highest = (round(value * _LUMINANCE) for value in self.display[8:])
            red, green, blue, white = (f"({points[i]},{points[i + 1]})" for i in (0, 2, 4, 6))
            words.append(f"master-display=G{green}B{blue}R{red}WP{white}L({highest},{lowest})")
        if self.levels is not None:
            words.append(f"max-cll={self.levels[0]},{self.levels[1]}")
        return words

    def svt_av1_words(self) -> list[str]:
        """The same for SVT-AV1, which has decimal numbers."""
        words = []
        if self.display is not None:
            x = [f"{float(value):.5f}" for value in self.display]
            red, green, blue, white = (f"({x[i]},{x[i + 1]})" for i in (0, 2, 4, 6))
            words.append(f"mastering-display=G{green}B{blue}R{red}WP{white}L({x[9]},{x[8]})")
        if self.levels is not None:
            words.append(f"content-light={self.levels[0]},{self.levels[1]}")
        return words


def hdr_metadata(frame: Any) -> HdrMetadata:
    """What comes with a PyAV frame."""
    found = side_data(frame)
    return HdrMetadata(
        display=_display(bytes(found[_MASTERING])) if _MASTERING in found else None,
        levels=_levels(bytes(found[_LEVELS])) if _LEVELS in found else None,
        dynamic=tuple(dict.fromkeys(_DYNAMIC[name] for name in found if name in _DYNAMIC)),
    )


def _display(data: bytes) -> tuple[Fraction, ...] | None:
    if len(data) < 88:
        return None
    numbers = struct.unpack_from("=22i", data)
    tops, bottoms, (has_primaries, has_luminance) = numbers[:20:2], numbers[1:20:2], numbers[20:]
    if not (has_primaries and has_luminance and all(bottom > 0 for bottom in bottoms) and min(tops) >= 0):
        return None
    return tuple(Fraction(top, bottom) for top, bottom in zip(tops, bottoms, strict=True))


def _levels(data: bytes) -> tuple[int, int] | None:
    if len(data) < 8:
        return None
    brightest, average = struct.unpack_from("=2I", data)
    return (brightest, average) if 0 < max(brightest, average) < 1 << 16 else None
