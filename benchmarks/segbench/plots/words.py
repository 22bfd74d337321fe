"""Names from a file, fit for the margin of a plot."""

from __future__ import annotations

import re
import textwrap

_TIED = "\N{NO-BREAK SPACE}"


def label(name: str, width: int = 34, lines: int = 2) -> str:
    """At most `lines` lines of `width` letters, broken after commas where that is enough.

    The middle is left out of what is longer, and what has no shape is a `?`.
    """
    shown = shortened(
        "".join(letter if letter.isprintable() else "?" for letter in " ".join(name.split())), width * lines
    )
    for text in (re.sub(r"(?<!,) ", _TIED, shown), shown):
        wrapped = textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)
        if len(wrapped) <= lines and max(map(len, wrapped), default=0) <= width:
            return "\n".join(wrapped).replace(_TIED, " ")
    return "\n".join(shown[k : k + width] for k in range(0, len(shown), width))


def shortened(name: str, most: int) -> str:
    """On one line, with the middle left out where it is longer than `most` letters; what has no shape is a `?`."""
    text = "".join(letter if letter.isprintable() else "?" for letter in " ".join(name.split()))
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"
