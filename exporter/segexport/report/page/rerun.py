"""The files of an export on its stored pictures again, with the runtime; one that cannot be run gives a reason instead."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segexport.compare import run_file
from segexport.compare.reference import Reference
from segexport.compare.rows import FileRow
from segexport.output import file_sha256
from segexport.precisions import SLOW_S
from segexport.report.page.histogram import spread
from segexport.report.page.views import Counts, Mask, MaskView, PictureView, least_exact, shown_masks, worst_first
from segruntime import load
from segruntime.errors import SegRuntimeError
from segruntime.measures.agreement import Agreement, agreement

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A file's masks of the stored pictures, by their place: how near each came, and how often it was how far away."""

    masks: Mapping[int, Mask]
    agreements: Mapping[int, Agreement]
    counts: Counts


def run_of(masks: Mapping[int, Mask], reference: Reference) -> Run:
    """What there is to say of these masks `(h, w) float32, 0–1`; a slow file may lack some pictures."""
    agreements = {index: agreement(reference.masks[index], mask) for index, mask in masks.items()}
    counts = spread(reference.masks[:0], reference.masks[:0])
    for index, mask in masks.items():
        counts = counts + spread(reference.masks[index], mask)
    return Run(masks=masks, agreements=agreements, counts=counts)


def run_files(
    folder: Path, rows: Sequence[FileRow], reference: Reference, say: Say, known: Mapping[str, Run]
) -> tuple[dict[str, Run], dict[str, str]]:
    """Every file that can be run, and why the others cannot; both by precision. `known` were run before."""
    runs: dict[str, Run] = dict(known)
    absent: dict[str, str] = {}
    for row in (row for row in rows if row.precision not in known):
        path = folder / Path(row.name).name
        try:
            reason = obstacle(path, row)
            if reason is None:
                runs[row.precision] = _run(path, reference, say)
            else:
                absent[row.precision] = reason
        except (SegRuntimeError, OSError) as error:
            absent[row.precision] = str(error).replace(str(path), path.name)
    return runs, absent


def obstacle(path: Path, row: FileRow) -> str | None:
    """Why the file of this row is not the one that was compared; None where it is."""
    if not row.kept:
        return f"the file was over {'the accuracy budget' if row.within_bound else 'its bound'} and not kept"
    if not os.path.isfile(path):  # Path.is_file raises where the name is too long for any file
        return "the file is not in the folder"
    if file_sha256(path) != row.sha256:
        return "the file is not the one that was exported (its SHA-256 differs)"
    return None


def worst_pictures(rows: Sequence[FileRow], runs: Mapping[str, Run], reference: Reference) -> list[PictureView]:
    """Six pictures, the one on which the least exact file came off worst first; the first six where nothing ran."""
    least = least_exact(rows, runs)
    known = runs[least].agreements if least else {}
    order = worst_first([known.get(index, _SAME) for index in range(len(reference.names))])
    names = [name for name in shown_masks(rows, runs) if name in runs]
    return [
        PictureView(
            name=reference.names[index],
            frame=reference.frames[index],
            reference=reference.masks[index],
            masks={name: _view(runs[name], index) for name in names if index in runs[name].masks},
        )
        for index in order
    ]


_SAME = Agreement(max_difference=0.0, mean_difference=0.0, mask_iou=1.0, changed_pixels=0.0, boundary_f=1.0)


def _run(path: Path, reference: Reference, say: Say) -> Run:
    return run_of(dict(enumerate(run_file(load(path), reference.frames, say, limit_s=SLOW_S).masks)), reference)


def _view(run: Run, index: int) -> MaskView:
    return MaskView(mask=run.masks[index], agreement=run.agreements[index])
