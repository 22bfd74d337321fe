"""From a plot to the bytes of a picture: one style, one way of saving, the same bytes for the same values."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.errors import MissingExtraError, OptionError
from segbench.plots.palette import INK, RULE, SOFT
from segbench.results.output_file import check_output, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
_DOTS_PER_INCH = 120.0
_MOST_DOTS = 60_000  # matplotlib's pictures end at 65536 on a side; hundreds of configurations would reach it
_STYLE: dict[str, Any] = {
    "font.size": 9,
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "text.color": INK,
    "text.parse_math": False,  # a name from a file may hold a dollar
    "text.usetex": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",  # text stays text: smaller, can be searched, and DejaVu is wider than what replaces it
    "svg.hashsalt": "segbench",
}
# what would make two pictures of the same values different
_NO_DATE: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A picture that can be drawn. `kind` is a file's name without its ending; `about` says in a sentence what is seen.

    `draw` fills a figure of `size`, `(width, height)` in inches.
    """

    kind: str
    about: str
    size: tuple[float, float]
    draw: Callable[[Figure], None]


def require_matplotlib() -> None:
    """Raises MissingExtraError: matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("the plot", "matplotlib") from error


def check_plot(path: Path) -> None:
    """Before anything is measured.

    Raises:
        OptionError: another ending, or no such folder. OutputError: it cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(f"plot: got {path}, expected a file that ends in {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise OptionError(f"plot: {path.parent} is no folder, expected one that is there; make it first")
    check_output(path)
    require_matplotlib()


def write_plot(plot: Plot, path: Path) -> None:
    """The picture under `path`, whole or not at all; its ending, of `SUFFIXES`, says which kind.

    Raises:
        OutputError: it cannot be written.
    """
    write_whole(path, picture(plot, path.suffix.lower()))


def picture(plot: Plot, suffix: str) -> bytes:
    """A file's bytes; `suffix` of `SUFFIXES`. The same plot gives the same bytes."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    data = io.BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # not the user's own matplotlibrc
        settings: Any = matplotlib.rcParams
        settings.update(_STYLE)
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # a name in a script that the font lacks
        figure = Figure(figsize=plot.size)
        FigureCanvasAgg(figure)
        plot.draw(figure)
        figure.savefig(
            data, format=suffix[1:], dpi=min(_DOTS_PER_INCH, _MOST_DOTS / max(plot.size)), metadata=_NO_DATE[suffix]
        )
    return _slim(data.getvalue()) if suffix == ".svg" else data.getvalue()


def _slim(svg: bytes) -> bytes:
    """Paths in hundredths of a point: a third of the size, and nobody sees the difference."""
    text = svg.decode("utf-8")
    # in tags only: what stands between them are names from files
    shorter = re.sub(r'(<path [^<>]*?\bd=")([^"]*)', lambda path: path[1] + _hundredths(path[2]), text)
    return shorter.encode("utf-8")


def _hundredths(path: str) -> str:
    rounded = re.sub(r"-?\d+\.\d+", lambda digits: f"{float(digits[0]):.2f}".rstrip("0").rstrip("."), path)
    return " ".join(rounded.split())
