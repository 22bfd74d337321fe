"""What a client may put behind the person: a blur, a colour, or a picture that the server was started with; never a path."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from segruntime.arrays import Bytes
from segruntime.compositing.words import COLOURS, parse_blur, parse_colour
from segruntime.errors import OptionError
from segruntime.picture_files import read_picture
from segruntime.preprocess import Frame
from segruntime.serve.errors import RefusedError

Behind = Callable[[Frame, Bytes], Frame | Sequence[int]]
Pictures = Mapping[str, Frame]


def named_pictures(words: Sequence[str]) -> dict[str, Frame]:
    """`NAME=FILE` of the command line → the pictures, read once.

    Raises:
        OptionError: another form, or a name that means something else. PictureError: the file cannot be read.
    """
    pictures: dict[str, Frame] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not re.fullmatch("[a-z][a-z0-9-]{0,39}", name) or name in COLOURS or name == "blur":
            raise OptionError(
                f"background: got {word[:80]!r}, expected NAME=FILE with a name of a–z, 0–9 and -, like beach=beach.jpg, "
                f"that is neither blur nor a colour ({', '.join(COLOURS)})"
            )
        pictures[name] = read_picture(Path(path))
    return pictures


def parse_background(text: str, pictures: Pictures) -> Behind:
    """A query's word → what gives the background for a frame and its alpha.

    Raises:
        RefusedError: none of those that there are (422).
    """
    if text in pictures:
        return lambda _frame, _alpha: pictures[text]
    try:
        if blur := parse_blur(text, plain=True):
            return blur
    except OptionError as error:
        raise RefusedError(422, str(error)) from error
    colour = parse_colour(text) or parse_colour(f"#{text}")  # in a URL # would have to be written %23
    if colour is None:
        known = ", ".join(["blur", "blur:STRENGTH", "RRGGBB", *COLOURS, *pictures])
        raise RefusedError(422, f"background: got {text[:40]!r}, expected one of {known}")
    return lambda _frame, _alpha: colour
