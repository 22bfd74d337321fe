"""`segbench plot`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from segbench.console import one_line_refusals
from segbench.errors import OptionError, OutputError
from segbench.plots import SUFFIXES, require_matplotlib, write_plot
from segbench.plots.gallery import Drawn, all_plots
from segbench.plots.pareto_front import without_partner
from segbench.plots.sources import Bench, by_machine, read_sources
from segbench.results.output_file import check_output

EPILOG = """
Examples:

\b
  segbench plot results.json -o plots
  segbench plot results.json int8.accuracy.json float32.accuracy.json -o plots --format png,svg
"""
NOTHING = "no plot can be made of accuracy alone; give the latency of the same files too, measured with segbench -o"


@click.command("plot", epilog=EPILOG)
@click.argument("results", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", required=True, help="Made if missing."
)
@click.option("--format", "formats", default="png", show_default=True, metavar="png[,svg,pdf]", help="What to write.")
def plot(results: tuple[Path, ...], output: Path, formats: str) -> None:
    """Draw RESULTS, written by segbench -o: what the files allow, into FOLDER.

    \b
    distribution   every value of the whole, each process on a line of its own
    stages         every value of every stage
    medians        the medians of the parts, stacked
    pareto         accuracy against latency, with the Pareto front
    sustained      minute by minute

    Files that are there are replaced; each one written is listed.
    """
    with one_line_refusals():
        suffixes = _suffixes(formats)
        require_matplotlib()
        benches = by_machine(read_sources(results))
        drawn = all_plots(benches)
        for text in _left_out(benches):
            click.echo(f"segbench: {text}", err=True)
        if not drawn:
            raise OptionError(NOTHING)
        _make_folder(output)
        files = _files(output, drawn, suffixes)
        for path, _ in files:
            check_output(path)
        for path, (what, sources) in files:
            write_plot(what, path)
            click.echo(f"{path}: {', '.join(source.name for source in sources)}")


def _suffixes(formats: str) -> list[str]:
    found = list(dict.fromkeys(f".{name.strip().lower()}" for name in formats.split(",")))
    unknown = [suffix[1:] for suffix in found if suffix not in SUFFIXES]
    if unknown:
        known = ", ".join(suffix[1:] for suffix in SUFFIXES)
        raise OptionError(f"format: got {unknown[0][:40]!r}, expected some of {known}, like png,svg")
    return found


def _left_out(benches: list[Bench]) -> list[str]:
    accuracy = [source for bench in benches for source in bench.accuracy]
    return without_partner([source for bench in benches for source in bench.latency], accuracy)


def _make_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError(folder, "it is a file, expected a folder", "choose another name")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        remedy = "make the folder above it first, or choose another place"
        raise OutputError(folder, error.strerror or str(error), remedy) from error


def _files(folder: Path, drawn: list[Drawn], suffixes: list[str]) -> list[tuple[Path, Drawn]]:
    """A name for each: its kind, from the second of a kind on with a number."""
    seen: Counter[str] = Counter()
    found = []
    for one in drawn:
        seen[one[0].kind] += 1
        count = seen[one[0].kind]
        name = one[0].kind if count == 1 else f"{one[0].kind}-{count}"
        found += [(folder / f"{name}{suffix}", one) for suffix in suffixes]
    return found
