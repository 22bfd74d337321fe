"""What a browser would find in a page."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

_VOID = {"br", "img", "link", "meta"}


class Outline(HTMLParser):
    """Every start tag with its attributes, the text between them, and proof that each element is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self._open: list[str] = []
        self._text: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), "an attribute stands twice"
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self._text.append(data)

    @property
    def count(self) -> Counter[str]:
        """How many elements there are of each name."""
        return Counter(tag for tag, _ in self.tags)

    @property
    def words(self) -> str:
        """The text, one space between words."""
        return " ".join(" ".join(self._text).split())

    @property
    def attributes(self) -> set[str]:
        return {name for _, attrs in self.tags for name in attrs}

    def values(self, *attributes: str) -> list[str]:
        return [value for _, attrs in self.tags for name, value in attrs.items() if name in attributes]
