"""HTML in which a plain string is always text: only what `element` made, or `trusted` vouches for, is markup."""

from __future__ import annotations

import html
from collections.abc import Iterable

_WITHOUT_END = frozenset({"meta", "link"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def trusted(text: str) -> Markup:
    """For HTML that was written by this package, or by matplotlib from escaped text."""
    return Markup(text)


def element(name: str, *content: str, **attributes: str | None) -> Markup:
    """`element("td", "a < b", class_="n")` → `<td class="n">a &lt; b</td>`; underscores within a name are hyphens."""
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    written = "".join(f' {key}="{as_text(value)}"' for key, value in given.items())
    start = f"<{name}{written}>"
    return Markup(start if name in _WITHOUT_END else f"{start}{together(content)}</{name}>")


def together(parts: Iterable[str]) -> Markup:
    """One after the other, plain strings as text."""
    return Markup("".join(part if isinstance(part, Markup) else as_text(part) for part in parts))


def as_text(text: str) -> Markup:
    """Nothing of it is markup; control characters, and those that turn the direction of writing, are shown as their codes."""
    shown = "".join(letter if letter.isprintable() or letter == "\n" else f"\\u{ord(letter):04x}" for letter in text)
    return Markup(html.escape(shown))
