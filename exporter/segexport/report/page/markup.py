"""HTML that is safe by construction: a plain string is escaped where it is put in, only `Html` is taken as it is."""

from __future__ import annotations

import html
from collections.abc import Iterable

_VOID = {"br", "img", "link", "meta"}
_SPACES = "\n\t"


class Html(str):
    """Markup that this package made."""

    __slots__ = ()


NOTHING = Html("")


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Html:
    """An element. `class_` is class, `stroke_width` is stroke-width; an attribute that is None is left out.

    Example: tag("td", "a < b", class_="text") gives <td class="text">a &lt; b</td>.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[str]) -> Html:
    return Html("".join(child if isinstance(child, Html) else escaped(child) for child in children))


def escaped(text: str) -> Html:
    """Text that cannot become markup; what has no shape of its own (controls, bidi marks, lone surrogates) is made visible."""
    shown = text if text.isprintable() else "".join(_visible(letter) for letter in text)
    return Html(html.escape(shown))


def _visible(letter: str) -> str:
    if letter.isprintable() or letter in _SPACES:
        return letter
    return letter.encode("unicode_escape").decode("ascii")
