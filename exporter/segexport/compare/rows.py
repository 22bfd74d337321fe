"""What an export did, as data: `report.json` next to the files, `--json` on standard output, the table for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from segexport.errors import OutputError
from segexport.precisions import Bound
from segruntime.strict_json import Fields, read_json

FILE_NAME = "report.json"
FORMAT, VERSION = "segedge.report", 1
_MOST_BYTES = 64 << 20
_MOST_FILES, _MOST_COUNT, _MOST_CHARACTERS = 1000, 1 << 53, 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """One model file: how large, how near to PyTorch, and whether it was kept."""

    name: str
    precision: str
    kept: bool
    size_bytes: int
    sha256: str
    pictures: int
    max_difference: float
    mean_difference: float
    mask_iou: float
    changed_pixels: float
    boundary_f: float
    worst_picture: str
    worst_iou: float
    bound: dict[str, float | None]
    bound_text: str
    within_bound: bool
    invoke_p50_ms: float
    float_layers: tuple[str, ...] = ()
    over_budget: bool = False
    """Whether it loses more mask IoU than `--max-iou-drop` allows."""
    flips: dict[str, Any] | None = None
    """Argmax flips of a network with max-unpooling; see `segexport.compare.flips`."""

    @classmethod
    def from_json(cls, f: Fields) -> FileRow:
        """Raises ValueError: a field is missing, unknown or of another type."""
        of_type: dict[str, Callable[[str], Any]] = {
            "str": lambda key: f.string(key, _MOST_CHARACTERS),
            "bool": f.boolean,
            "int": lambda key: f.integer(key, 0, _MOST_COUNT),
            "float": f.number,
            "tuple[str, ...]": f.strings,
            "dict[str, float | None]": lambda key: _bound(f.part(key)),
            "dict[str, Any] | None": lambda key: f.nullable(key, f.any_object),
        }
        row = cls(
            **{
                one.name: of_type[str(one.type)](one.name)
                for one in fields(cls)
                if one.name in f or one.default is MISSING
            }
        )
        f.finish()
        return row


def _bound(f: Fields) -> dict[str, float | None]:
    return {one.name: f.nullable(one.name, f.number) for one in fields(Bound)}


def write_report(path: Path, body: dict[str, Any]) -> None:
    text = json.dumps({"format": FORMAT, "version": VERSION, **body}, indent=1, allow_nan=False)
    path.write_text(text + "\n", "utf-8")


def read_report(folder: Path) -> tuple[dict[str, Any], list[FileRow]]:
    """The report in an export's folder, and its rows.

    Raises:
        OutputError: not such a folder, or the report is damaged or of another version.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise OutputError(f"{folder}: no {FILE_NAME} in it, expected a folder that `segexport onnx|tflite` made")
    try:
        body = read_json(path, _MOST_BYTES)
        f = Fields(body)
        f.header(FORMAT, VERSION)
        return body, [FileRow.from_json(row) for row in f.parts("files", 0, _MOST_FILES)]
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot be read as a report of version {VERSION} ({error}); export again") from error
