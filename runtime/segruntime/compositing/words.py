"""A background in a word, as a command line or a query has it: a colour, or a blur."""

from __future__ import annotations

import re

from segruntime.compositing.blur import BlurBehind
from segruntime.errors import OptionError

COLOURS = {  # b, g, r
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "gray": (128, 128, 128),
    "red": (0, 0, 255),
    "green": (64, 177, 0),  # the paint of a green screen
    "blue": (187, 71, 0),  # and of a blue one
}
_DEFAULT_BLUR = 0.5
_PLAIN = re.compile(r"[0-9]?\.?[0-9]{1,6}")


def parse_colour(text: str) -> tuple[int, int, int] | None:
    """A colour's name or `#rrggbb` → `(b, g, r)`; None for another word."""
    found = re.fullmatch("#([0-9a-fA-F]{6})", text)
    if found is None:
        return COLOURS.get(text)
    r, g, b = bytes.fromhex(found[1])
    return b, g, r


def parse_blur(text: str, *, plain: bool = False) -> BlurBehind | None:
    """`blur` or `blur:STRENGTH` → the blur; None for another word.

    `plain`: a strength of a few digits and a point, as a stranger may send it, and not all that Python reads as a number.

    Raises:
        OptionError: another strength than over 0 to 1.
    """
    name, colon, number = text.partition(":")
    if name != "blur":
        return None
    try:
        strength = float(number if colon else _DEFAULT_BLUR)
    except ValueError:
        strength = 0.0
    if not 0 < strength <= 1 or (plain and colon and not _PLAIN.fullmatch(number)):
        raise OptionError(f"background: got {text[:40]!r}, expected blur:STRENGTH over 0 to 1, like blur:0.7")
    return BlurBehind(strength)
