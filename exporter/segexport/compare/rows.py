"""What an export did, as data: `report.json` next to the files, `--json` on standard output, the table for people."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Any

from segexport.errors import OutputError
from segruntime.strict_json import parse_json

FILE_NAME = "report.json"
FORMAT, VERSION = "segedge.report", 1
_JSON_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "dict[str, float | None]": (dict,),
    "dict[str, Any] | None": (dict, NoneType),
}
_BOUND = {"max_difference", "mask_iou", "relative_to"}


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
    def from_json(cls, data: dict[str, Any]) -> FileRow:
        row = cls(**{**data, "float_layers": tuple(data["float_layers"])})
        for field in fields(cls):
            kinds, value = _JSON_KINDS.get(str(field.type)), getattr(row, field.name)
            if kinds is not None and type(value) not in kinds:
                raise ValueError(f"files: {field.name} is {value!r}, expected {field.type}")
        if set(row.bound) != _BOUND or not all(type(v) in (int, float, NoneType) for v in row.bound.values()):
            raise ValueError(f"files: bound is {row.bound!r}, expected {', '.join(sorted(_BOUND))}")
        return row


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
        body = parse_json(path.read_text("utf-8"))
        if body["format"] != FORMAT or body["version"] != VERSION:
            raise ValueError(f"format {body['format']!r} version {body['version']!r}")
        return body, [FileRow.from_json(row) for row in body["files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path}: cannot be read as a report of version {VERSION} ({error}); export again") from error
