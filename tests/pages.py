"""What a browser would find in a page, and what a real one does, where one is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

_VOID = {"br", "img", "link", "meta"}
_BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--dump-dom"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr"),
)
needs_browser = pytest.mark.skipif(_BROWSER is None, reason="no chromium on this machine")


def browse(page: Path, profile: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Opens the page from disk; → what became of it, and on standard error what stands on the console."""
    command = [str(_BROWSER), *_FLAGS, f"--user-data-dir={profile}", *words, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


def title_in_a_frame(page: Path, profile: Path, width: int, measure: str) -> str:
    """The title that the script `measure` gives a page that shows this one in a frame so many pixels wide."""
    frame = page.with_name(f"frame{width}.html")
    shown = f'<iframe src="{page.name}" style="width:{width}px;height:900px;border:0"></iframe>'
    frame.write_text(f"{shown}<script>{measure}</script>")
    done = browse(frame, profile, "--allow-file-access-from-files", "--virtual-time-budget=10000")
    return done.stdout.partition("<title>")[2].partition("</title>")[0]


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
