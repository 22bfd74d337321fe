"""The same masks on every processor? The runtime under switches and emulators, with four versions of OpenCV: make test-cpus."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from children import Children, Row
from compare import Difference
from environments import REFERENCE, VERSIONS, CannotRunError, aarch64_root, make_aarch64, make_environment
from settings import EMULATED, NATIVE, PI_5, SWITCHED, Interpreter, Setting, why_not_here
from tables import broken_bounds, call_table, output_table, row_table

CHECKOUT = Path(__file__).parents[2]
Configuration = tuple[Setting, Interpreter | None, str, str]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--opencv", multiple=True, type=click.Choice(list(VERSIONS)), help="Only this version; may be repeated.")
@click.option("--calls", is_flag=True, help="Every call of OpenCV and numpy by itself instead: which ones depend.")
@click.option("--tests/--no-tests", "with_tests", default=True, help="The runtime's exactness tests on each processor.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--environments", type=click.Path(path_type=Path), default=CHECKOUT / ".venv-cpus", help="Kept there.")
@click.option("--output", type=click.Path(path_type=Path), default=CHECKOUT / "out" / "cpus", help="For the arrays.")
def main(
    opencv: tuple[str, ...], calls: bool, with_tests: bool, as_json: bool, environments: Path, output: Path
) -> None:
    """Compare what the runtime makes on every processor that can be had here; exit code 1 where a bound is broken.

    The tests run with the first version of OpenCV alone: under an emulator they take minutes.
    """
    started = time.monotonic()
    versions = sorted(opencv or VERSIONS, key=lambda version: version != REFERENCE)
    children = Children(("calls",) if calls else ("outputs", "network"), output.resolve())
    rows = []
    try:
        for setting, interpreter, version, why in _configurations(versions, environments.resolve()):
            _say(f"{setting.name}, OpenCV {version}")
            tested = with_tests and not calls and version == versions[0] and setting is not PI_5
            if interpreter is None:
                rows.append(Row(processor=setting.name, opencv=version, why=why))
            else:
                rows.append(children.row(setting, interpreter, with_tests=tested))
    except CannotRunError as error:
        _end(str(error))
    widest = {name: one for made in children.made.values() for name, one in made.widest().items()}
    broken = [] if calls else broken_bounds(rows, widest)
    _show(rows, widest, broken, round(time.monotonic() - started), calls=calls, as_json=as_json)
    if broken:
        _end("\n".join(broken))


def _configurations(versions: list[str], environments: Path) -> Iterator[Configuration]:
    """Every processor with every OpenCV; no interpreter, and why, where it cannot be had here."""
    environments.mkdir(parents=True, exist_ok=True)
    interpreters = {version: make_environment(environments, version, _say) for version in versions}
    for setting in (*SWITCHED, *EMULATED):
        for version, interpreter in interpreters.items():
            why = why_not_here(setting, interpreter.features)
            yield setting, None if why else interpreter, version, why
    why = why_not_here(PI_5, next(iter(interpreters.values())).features)
    try:
        root = None if why else aarch64_root(CHECKOUT / ".aarch64", _say)
    except CannotRunError as error:
        root, why = None, str(error)
    for version in versions:
        yield PI_5, make_aarch64(environments, version, root, _say) if root else None, version, why


def _show(
    rows: list[Row], widest: dict[str, Difference], broken: list[str], seconds: int, *, calls: bool, as_json: bool
) -> None:
    if as_json:
        outputs = {name: one.to_json() for name, one in widest.items()}
        found = {"machine": platform.machine(), "seconds": seconds, "rows": [row.to_json() for row in rows]}
        click.echo(json.dumps({**found, "outputs": outputs, "broken": broken}, indent=1, allow_nan=False, default=str))
        return
    tables = [call_table(widest, rows)] if calls else [row_table(rows), output_table(widest)]
    click.echo("\n\n".join(tables))
    click.echo(f"\nDifferences are to the first row, {NATIVE.name} with OpenCV {rows[0].opencv}. {seconds} s in all.")


def _say(what: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')} {what}", err=True)


def _end(message: str) -> None:
    click.echo("\n".join(f"test-cpus: {line}" for line in message.splitlines()), err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
