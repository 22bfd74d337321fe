"""Templates of jinja2 → a page in which nothing from a file is markup. jinja2 is loaded when a page is made."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segruntime.errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Environment

Filter = Callable[..., Any]
_SHARED = Path(__file__).parent


def render(folder: Path, filters: tuple[Filter, ...], **values: Any) -> str:
    """The template `page.html.jinja` in `folder`, which extends `layout.html.jinja`; `filters` go by their names.

    Plain text is escaped where it is put in; what has no shape of its own (controls, bidi marks, lone surrogates) is made
    visible.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    page = _environment(folder, filters).get_template("page.html.jinja").render(values)
    return re.sub(r"[^\n\t -~]", _visible, page)


@cache
def _environment(folder: Path, filters: tuple[Filter, ...]) -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtraError("the page", "jinja2", "report") from error
    environment = Environment(
        loader=FileSystemLoader([folder, _SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({one.__name__: one for one in (*filters, counted)})
    return environment


def _visible(letter: re.Match[str]) -> str:
    return letter[0] if letter[0].isprintable() else letter[0].encode("unicode_escape").decode("ascii")


def counted(count: int, what: str, several: str | None = None) -> str:
    """1 file, 2 files."""
    return f"{count:,} {what if count == 1 else several or what + 's'}"
