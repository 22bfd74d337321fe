"""Compare an export's files again, on any machine that has the runtime: no torch, no converter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from segexport.compare import compare, run_file
from segexport.compare.int8_speed import Int8Speed, measure_int8_speed
from segexport.compare.reference import FILE_NAME as REFERENCE
from segexport.compare.reference import Reference, load_reference
from segexport.compare.rows import FileRow, read_report
from segexport.console import file_table
from segexport.errors import InaccurateError, OutputError
from segexport.output import file_sha256
from segexport.precisions import LEAST_IOU_WHEN_RELATIVE, SLOW_S, Bound
from segruntime import load
from segruntime.errors import MissingExtraError
from segruntime.measures.agreement import Agreement
from segruntime.model_file.self_test import SelfTest
from segruntime.processor import find_processor

FLIP_ROOM = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """An export's files as they were measured here; as a text it is the table that the command prints."""

    rows: tuple[FileRow, ...]
    skipped: tuple[str, ...]
    """A sentence for each file that was left out because its interpreter is not installed."""
    int8_speed: Int8Speed | None
    """Whether int8 pays on this machine, where both files ran."""

    def to_json(self) -> dict[str, Any]:
        return {
            "files": [asdict(row) for row in self.rows],
            "skipped": list(self.skipped),
            "processor": find_processor().to_json(),
            "int8_speed": None if self.int8_speed is None else self.int8_speed.to_json(),
        }

    def __str__(self) -> str:
        return file_table(self.rows)


def verify_folder(folder: Path, say: Callable[[str], None]) -> Verified:
    """Each kept file against the stored masks of PyTorch, held to the bound that the report states.

    Raises:
        OutputError: no report, a missing or changed file, or nothing that could be compared.
        SegRuntimeError: a file does not load.
    """
    _, rows = read_report(folder)
    reference = load_reference(folder / REFERENCE)
    measured, skipped = [], []
    for row in (row for row in rows if row.kept):
        path = folder / Path(row.name).name
        _check_unchanged(path, row.sha256)
        try:
            comparison = compare(run_file(load(path), reference.frames, say, limit_s=SLOW_S), reference)
        except MissingExtraError as error:
            skipped.append(f"{row.name}: {error}")
            continue
        within = _holds_again(row, comparison.agreement)
        measured.append(replace(row, **comparison.to_row(), within_bound=within))
    if not measured:
        raise OutputError(f"{folder}: no file could be compared: {'; '.join(skipped) or 'the report lists none'}")
    speed = _int8_speed(folder, measured, reference)
    return Verified(rows=tuple(measured), skipped=tuple(skipped), int8_speed=speed)


def _int8_speed(folder: Path, rows: Sequence[FileRow], reference: Reference) -> Int8Speed | None:
    paths = {row.precision: folder / Path(row.name).name for row in rows}
    if not {"float32", "int8"} <= set(paths):
        return None
    float32, int8 = load(paths["float32"], threads=1), load(paths["int8"], threads=1)
    return measure_int8_speed(float32, int8, reference.frames[0])


def _holds_again(row: FileRow, measured: Agreement) -> bool:
    """The row's bound; where argmax flips were counted apart, other places may flip here, so the means are held instead."""
    bound = Bound(**row.bound)
    if row.flips is None or not row.flips.get("flipped") or not row.within_bound:
        return bound.holds(measured)
    near = measured.mean_difference <= FLIP_ROOM * max(row.mean_difference, bound.max_difference or 0.0)
    return near and measured.mask_iou >= max(bound.mask_iou or 0.0, LEAST_IOU_WHEN_RELATIVE)


def verify_file(path: Path) -> SelfTest:
    """One file against the golden pictures that it carries.

    Raises:
        GoldenError: it carries none.
        SegRuntimeError: it does not load.
    """
    return load(path).self_test()


def require_same(path: Path, result: SelfTest) -> None:
    """Raise InaccurateError with the numbers if this device's mask is another one."""
    if not result.same:
        raise InaccurateError(f"{path}: {result}")


def require_all_within(rows: Sequence[FileRow]) -> None:
    """Raise InaccurateError that shows the numbers of every file over its bound."""
    over = [row for row in rows if not row.within_bound]
    if over:
        raise InaccurateError("; ".join(shortfall(row) for row in over))


def shortfall(row: FileRow) -> str:
    return (
        f"{row.name}: does not give PyTorch's mask: largest difference {row.max_difference:.3g}, mask IoU {row.mask_iou:.4f}, "
        f"{100 * row.changed_pixels:.2f} % of pixels changed on {row.pictures} pictures (worst {row.worst_picture}: "
        f"IoU {row.worst_iou:.3f}); expected {row.bound_text}"
    )


def _check_unchanged(path: Path, sha256: str) -> None:
    if not path.is_file():
        raise OutputError(f"{path}: is in the report and not in the folder; export again")
    if file_sha256(path) != sha256:
        raise OutputError(
            f"{path}: is not the file that was exported (its SHA-256 differs); copy it again or export again"
        )
