"""What became of an export: the files that it left, and the refusal where one is missing that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segexport.compare.rows import FileRow
from segexport.compare.verify import shortfall
from segexport.console import file_table
from segexport.errors import ConversionError, InaccurateError


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished export; as a text it is the table that the command prints."""

    folder: Path
    """Where the files are, `report.html` and `report.json` next to them."""
    paths: Mapping[str, Path]
    """`onnx` and each precision → its file."""
    rows: tuple[FileRow, ...]
    """What was measured of each file."""
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        return file_table(self.rows)


def result_of(folder: Path, rows: Sequence[FileRow], body: Mapping[str, Any]) -> Result:
    return Result(
        folder=folder,
        paths={row.precision: folder / row.name for row in rows if row.kept},
        rows=tuple(rows),
        notes=tuple(body["source"]["notes"]),
        warnings=tuple(body["warnings"]),
    )


def require_complete(rows: Sequence[FileRow], body: Mapping[str, Any]) -> None:
    """Raise where a file does not stand on disk that was asked for; the others do.

    Raises:
        InaccurateError: one does not give PyTorch's mask within its bound, or not within the budget.
        ConversionError: one could not be made.
    """
    refused = [row for row in rows if not row.kept]
    if refused:
        told = [f"{row.name}: {body['budget']['verdict']}" if row.over_budget else shortfall(row) for row in refused]
        searchable = body["budget"] is None and any(row.precision == "int8" for row in refused)
        advice = "--max-iou-drop 2 leaves in float what int8 hurts; " if searchable else ""
        raise InaccurateError(
            f"{'; '.join(told)}. Not kept; {advice}another --preprocess or more --calibration pictures may fix it, "
            "--allow-inaccurate keeps it"
        )
    if body["lost"]:
        lost = "; ".join(f"no {precision} file: {reason}" for precision, reason in body["lost"].items())
        raise ConversionError(f"{lost}. The other files are right and were kept")


def interrupted(body: Mapping[str, Any]) -> bool:
    """Whether the search for a recipe was, so that the best file so far was kept."""
    return body["budget"] is not None and bool(body["budget"]["interrupted"])
