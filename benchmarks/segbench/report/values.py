"""Values of results as text."""

from __future__ import annotations

_MOST_LETTERS = 300


def said(value: object) -> str:
    """A text, number or yes and no; lists of them with commas; nothing of all else. Long ones are cut."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(filter(None, map(said, value[:100])))
    text = f"{value:g}" if isinstance(value, float) else str(value) if isinstance(value, (str, int)) else ""
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"


def counted(count: int, noun: str) -> str:
    """1 file, 2 files."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
