"""The files of an export on its stored pictures again, with the runtime; one that cannot be run gives a reason instead."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from segexport.digest import file_sha256
from segexport.page.choice import least_exact, shown_masks, worst_first
from segexport.page.spread import spread
from segexport.page.views import Counts, Frame, Mask, MaskView, PictureView
from segexport.reference import Reference
from segexport.report import FileRow
from segruntime import Segmenter, load
from segruntime.agreement import Agreement, agreement
from segruntime.errors import SegRuntimeError

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A file on all pictures: how near each mask came, and how often it was how far away."""

    segmenter: Segmenter
    agreements: tuple[Agreement, ...]
    counts: Counts


def run_files(
    folder: Path, rows: Sequence[FileRow], reference: Reference, say: Say
) -> tuple[dict[str, Run], dict[str, str]]:
    """Every file that can be run, and why the others cannot; both by precision."""
    runs: dict[str, Run] = {}
    absent: dict[str, str] = {}
    for row in rows:
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


def worst_pictures(rows: Sequence[FileRow], runs: dict[str, Run], reference: Reference) -> list[PictureView]:
    """Six pictures, the one on which the least exact file came off worst first; the first six where nothing ran."""
    least = least_exact(rows, runs)
    count = len(reference.names)
    order = worst_first(runs[least].agreements) if least else worst_first([_SAME] * count)
    names = [name for name in shown_masks(rows, runs) if name in runs]
    return [
        PictureView(
            name=reference.names[index],
            frame=reference.frames[index],
            reference=reference.masks[index],
            masks={name: _view(runs[name], reference.frames[index], index) for name in names},
        )
        for index in order
    ]


_SAME = Agreement(max_difference=0.0, mean_difference=0.0, mask_iou=1.0, changed_pixels=0.0, boundary_f=1.0)


def _run(path: Path, reference: Reference, say: Say) -> Run:
    segmenter = load(path)
    agreements, counts = [], spread(reference.masks[:0], reference.masks[:0])
    for index, (frame, mask) in enumerate(zip(reference.frames, reference.masks, strict=True)):
        say(f"{path.name} {index + 1}/{len(reference.frames)}")
        other = _mask(segmenter, frame)
        agreements.append(agreement(mask, other))
        counts = counts + spread(mask, other)
    return Run(segmenter=segmenter, agreements=tuple(agreements), counts=counts)


def _view(run: Run, frame: Frame, index: int) -> MaskView:
    return MaskView(mask=_mask(run.segmenter, frame), agreement=run.agreements[index])


def _mask(segmenter: Segmenter, frame: Frame) -> Mask:
    mask = segmenter.probability(segmenter.invoke(segmenter.preprocess(frame)))
    return mask.copy()  # the buffer is the segmenter's, and the next picture goes into it
