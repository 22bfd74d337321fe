"""An export's folder → its `report.html`, with the runtime only."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from segexport.compare.reference import FILE_NAME as REFERENCE
from segexport.compare.reference import Reference, load_reference
from segexport.compare.rows import FileRow, read_report
from segexport.errors import OutputError
from segexport.report.page.page import build_page
from segexport.report.page.rerun import Run, obstacle, run_files, worst_pictures
from segexport.report.page.views import Evidence, PictureView
from segruntime import Contract, read_contract
from segruntime.atomic_file import write_whole
from segruntime.errors import SegRuntimeError

FILE_NAME = "report.html"


def make_page(folder: Path, say: Callable[[str], None], known: Mapping[str, Run] | None = None) -> Path:
    """Run the files in `folder` on the stored pictures and write the page next to them, whole or not at all.

    `known`: precision → what its file gave already, as an export knows; the others are run. A file that is missing,
    changed, or whose interpreter is not installed is named on the page.

    Raises:
        OutputError: no report, a damaged one, or the page cannot be written.
    """
    body, rows = read_report(folder)
    views, evidence = _look(folder, rows, say, known or {})
    return _write(folder / FILE_NAME, build_page(body, rows, views, evidence))


def _look(
    folder: Path, rows: Sequence[FileRow], say: Callable[[str], None], known: Mapping[str, Run]
) -> tuple[list[PictureView], Evidence]:
    runs: dict[str, Run] = {}
    views: list[PictureView] = []
    count = 0
    try:
        reference = _usable(load_reference(folder / REFERENCE), folder / REFERENCE)
        runs, absent = run_files(folder, rows, reference, say, known)
        views, count = worst_pictures(rows, runs, reference), len(reference.names)
    except OutputError as error:
        absent = {row.precision: str(error).replace(f"{folder}{os.sep}", "") for row in rows}
    name, contract = _contract(folder, rows)
    evidence = Evidence(
        spreads={precision: run.counts for precision, run in runs.items()},
        absent=absent,
        pictures=count,
        contract_of=name,
        contract=None if contract is None else contract.to_json(),
    )
    return views, evidence


def _usable(reference: Reference, path: Path) -> Reference:
    if not reference.frames.size or not reference.masks.size:
        raise OutputError(f"{path}: its pictures or masks have no pixels; export the checkpoint again")
    return reference


def _contract(folder: Path, rows: Sequence[FileRow]) -> tuple[str, Contract | None]:
    """The contract of the int8 file, else of the float32 file, else of any; no backend is needed to read it."""
    for row in sorted(rows, key=lambda row: (row.precision != "int8", row.precision != "float32")):
        path = folder / Path(row.name).name
        try:
            contract = read_contract(path) if obstacle(path, row) is None else None
        except (SegRuntimeError, OSError):
            continue  # the same error stands on the page as the reason why the file did not run
        if contract is not None:
            return path.name, contract
    return "", None


def _write(path: Path, page: str) -> Path:
    try:
        write_whole(path, page.encode())
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); free some space or make the folder writable"
        ) from error
    return path
