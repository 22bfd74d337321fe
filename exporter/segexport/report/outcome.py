"""What became of an export: the files that it left, and the refusal where one is missing that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segexport.compare.rows import FileRow
from segexport.compare.verify import shortfall
from segexport.console import file_table
from segexport.errors import ConversionError, InaccurateError


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A finished export; as a text it is the table that the command prints."""

    folder: Path
    """Where the files are, `report.html` and `report.json` next to them."""
    rows: tuple[FileRow, ...]
    """What was measured of each file; one that is not `kept` was over its bound and is not on disk."""
    report: Mapping[str, Any]
    """What `report.json` holds."""

    @property
    def paths(self) -> dict[str, Path]:
        """`onnx` and each precision → its file."""
        return {row.precision: self.folder / row.name for row in self.rows if row.kept}

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self.report["source"]["notes"])

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self.report["warnings"])

    @property
    def interrupted(self) -> bool:
        """Whether the search for a recipe was, so that the best file so far was kept."""
        budget = self.report["budget"]
        return budget is not None and bool(budget["interrupted"])

    def require_complete(self) -> None:
        """Raise where a file does not stand on disk that was asked for; the others do.

        Raises:
            InaccurateError: one does not give PyTorch's mask within its bound, or not within the budget.
            ConversionError: one could not be made.
        """
        refused, budget = [row for row in self.rows if not row.kept], self.report["budget"]
        if refused:
            told = [f"{row.name}: {budget['verdict']}" if row.over_budget else shortfall(row) for row in refused]
            searchable = budget is None and any(row.precision == "int8" for row in refused)
            advice = "--max-iou-drop 2 leaves in float what int8 hurts; " if searchable else ""
            raise InaccurateError(
                f"{'; '.join(told)}. Not kept; {advice}another --preprocess or more --calibration pictures may fix it, "
                "--allow-inaccurate keeps it"
            )
        if self.report["lost"]:
            lost = "; ".join(f"no {precision} file: {reason}" for precision, reason in self.report["lost"].items())
            raise ConversionError(f"{lost}. The other files are right and were kept")

    def __str__(self) -> str:
        return file_table(self.rows)
