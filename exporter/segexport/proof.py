"""Each file against PyTorch: run, compared, stamped with its contract, and kept or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from segexport.compare import Comparison, FileMasks, Runner, compare, emptiness
from segexport.compare.flips import Flips
from segexport.compare.new_file import open_new
from segexport.compare.reference import KEPT, Reference
from segexport.compare.rows import FileRow
from segexport.console import Console
from segexport.convert.choose import ChosenConverter, Proof
from segexport.options import Options
from segexport.output import file_sha256
from segexport.pictures.calibration import PictureSet
from segexport.precisions import ONNX, PRECISIONS, SLOW_S, Bound, Precision
from segexport.quantize.loss import where_lost
from segexport.quantize.quantized import Quantized, costs_only
from segexport.quantize.recipe import Recipe
from segexport.stamp.golden import GoldenChoice, golden_pictures, store_golden
from segexport.stamp.stamping import stamp_file
from segexport.subject.subject import OnnxFile, Subject
from segruntime.model_file.golden import GoldenPicture

SLOW_INVOKE_MS = 2000.0
"""A file that is slower carries one golden picture: anyone who verifies it waits for each."""
LARGE, LARGE_PICTURES = 10_000_000, 4
"""Of a network with more parameters each picture takes long, and has as many sums to round as many of a small one's."""
FLIP_PICTURES = 2
"""Counted on at least so many: every picture has hundreds of thousands of windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRun:
    """One export at work: what goes in, and where its unfinished files lie."""

    options: Options
    subject: Subject
    pictures: PictureSet
    recipe: Recipe | None
    paths: Mapping[str, Path]
    """`onnx` and each precision → its file."""
    kinds: Mapping[str, Precision]
    folder: Path
    playground: Path
    """Where converters put what nobody asked for."""
    runner: Runner
    """Runs every new file, in a child process: one that crashes its interpreter is refused, and nothing else ends."""
    console: Console


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRun:
    """What one file gave: its masks of the pictures, and the golden pictures with its masks of them."""

    ran: FileMasks
    golden: tuple[GoldenPicture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofInputs:
    """The network as ONNX, the masks that every file is compared with, the pictures that every file will carry, and who made
    the float32 file, if there is one."""

    written: OnnxFile
    reference: Reference
    golden: GoldenChoice | None
    ran: Mapping[str, FileMasks]
    """What files gave that were run on the way, and are as they were."""
    chosen: ChosenConverter | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One file next to the reference: its bound, its argmax flips where they were counted, and whether it holds."""

    comparison: Comparison
    bound: Bound
    flips: Flips | None
    within: bool


@dataclass(frozen=True, slots=True)
class FileJudge:
    """What decides about every file of an export, a converter's on the way as the finished ones at the end."""

    work: ExportRun
    written: OnnxFile
    reference: Reference
    ran: dict[str, FileMasks] = field(default_factory=dict)
    """`float32`: what the converted file gave that holds."""

    def converted(self, path: Path) -> Proof:
        """Whether a converter's float32 file is the network. Raises ConversionError where it does not run."""
        reference = self.reference
        count = min(exact_pictures(self.work), len(reference.frames))
        ran = self.work.runner.run(path, reference.frames, self.work.console.say, limit_s=SLOW_S, places=range(count))
        judged = self.judge("float32", path, ran)
        difference = judged.comparison.agreement.max_difference
        if judged.within:
            self.ran["float32"] = ran
            return Proof(difference=difference, fault=None)
        return Proof(difference=difference, fault=emptiness(ran, reference) or _fault(judged))

    def judge(self, kind: str, path: Path, ran: FileMasks, *, least_flips: int = 0) -> Judged:
        """`least_flips`: count argmax flips on at least so many pictures."""
        comparison = compare(ran, self.reference)
        precision = ONNX if kind == "onnx" else PRECISIONS[kind]
        bound = precision.bound.for_logits(self.reference.largest_logit)
        flips = self._flips(kind, path, ran, comparison, bound, least_flips) if precision.exact else None
        within = bound.holds(comparison.agreement) or (flips is not None and _holds_apart(bound, comparison, flips))
        return Judged(comparison=comparison, bound=bound, flips=flips, within=within)

    def _flips(
        self, kind: str, path: Path, ran: FileMasks, comparison: Comparison, bound: Bound, least: int
    ) -> Flips | None:
        """Argmax flips of a float file on every picture that is over its bound, and on the `least` largest in any case."""
        if self.written.audit is None:
            return None
        by_size = sorted(zip(comparison.differences, ran.places, strict=True), reverse=True)
        over = [place for difference, place in by_size if difference > (bound.max_difference or 0.0)]
        places = [place for _, place in by_size[: max(len(over), least)]]
        if not places:
            return None
        self.work.console.say(f"argmax flips of {kind} on {len(places)} pictures")
        flips = self.written.audit(path, self.reference.frames[places])
        self.work.console.note(f"  {kind}: {flips}")
        return flips


def exact_pictures(work: ExportRun) -> int:
    """On how many a file is compared that differs by rounding only: those that the export keeps, of a large network four."""
    return LARGE_PICTURES if work.subject.source.parameters > LARGE else KEPT


def measured_pictures(work: ExportRun) -> int:
    """On how many a quantized file is compared: all that do not calibrate, of a large network those that the export keeps."""
    count = len(work.pictures.measure)
    return min(count, KEPT) if work.subject.source.parameters > LARGE else count


def _fault(judged: Judged) -> str:
    found = judged.comparison.agreement
    return (
        f"another network: the largest difference is {found.max_difference:.3g} and the mask IoU {found.mask_iou:.4f}, "
        f"expected {judged.bound}"
    )


def run_all(work: ExportRun, made: ProofInputs, quantized: Quantized) -> tuple[dict[str, FileRun], list[int]]:
    """Run every file; gives also the pictures in the order in which people should look at them.

    One that does not run is lost, and the others are not; PyTorch's ONNX and float32, which ran before, end it all.

    Quantized files see every picture. The others differ from PyTorch by rounding only, and see the twelve on which the
    least exact quantized file came off worst: those are the ones that the export keeps.
    """
    seen: dict[str, FileRun] = {}
    reference = made.reference
    exact = [kind for kind in work.paths if work.kinds[kind].exact]
    for kind in [kind for kind in work.paths if kind not in exact]:
        with costs_only(quantized, work.console, kind):
            seen[kind] = _run(work, kind, made, None)
    order = _worst_first([compare(one.ran, reference) for one in seen.values()], len(reference.names))
    for kind in exact:
        with costs_only(quantized, work.console, kind) if work.kinds[kind].from_float32 else nullcontext():
            seen[kind] = _run(work, kind, made, order[: exact_pictures(work)])
    return seen, order


def _run(work: ExportRun, kind: str, made: ProofInputs, places: list[int] | None) -> FileRun:
    reference, golden = made.reference, made.golden
    ran = made.ran[kind].at(places) if places is not None and kind in made.ran else None
    if ran is None:
        ran = work.runner.run(work.paths[kind], reference.frames, work.console.say, limit_s=SLOW_S, places=places)
    if golden is None:
        return FileRun(ran=ran, golden=())
    # in this process: the file has run on all pictures in the other one
    slow = float(np.median(ran.invoke_ms)) > SLOW_INVOKE_MS
    return FileRun(ran=ran, golden=golden_pictures(golden, open_new(work.paths[kind]), most=1 if slow else None))


def prove(work: ExportRun, kind: str, seen: FileRun, made: ProofInputs, quantized: Quantized) -> FileRow:
    """Stamp one file with its contract, and decide whether it stays."""
    path, precision, pictures = work.paths[kind], work.kinds[kind], work.pictures
    judge = FileJudge(work, made.written, made.reference)
    judged = judge.judge(kind, path, seen.ran, least_flips=FLIP_PICTURES if kind == "float32" else 0)
    comparison, bound, flips, within = judged.comparison, judged.bound, judged.flips, judged.within
    if not within and (told := emptiness(seen.ran, made.reference)) is not None:
        work.console.warn(told)
    if not within and kind == "int8" and (told := where_lost(quantized.noise)) is not None:
        work.console.warn(told)
    budget = quantized.budget if kind == "int8" else None
    float_layers = quantized.float_layers.get(kind, ())
    stamp_file(
        path,
        seen.ran.contract,
        source=work.subject.source,
        precision="float32" if kind == "onnx" else kind,
        calibration=(quantized.calibrated, pictures.sha256) if precision.calibrated else (0, None),
        float_layers=float_layers,
        chosen=None if kind == "onnx" else made.chosen,
        recipe=quantized.recipe if kind == "int8" else None,
        comparison=comparison,
        picture_source=pictures.source,
        bound=bound,
        within_bound=within,
    )
    store_golden(path, seen.golden)
    over_budget = budget is not None and not (budget.holds or budget.outcome.interrupted)
    return FileRow(
        name=path.name,
        precision=kind,
        kept=(within and not over_budget) or work.options.allow_inaccurate,
        size_bytes=path.stat().st_size,
        sha256=file_sha256(path),
        **comparison.to_row(),
        bound=asdict(bound),
        bound_text=str(bound),
        within_bound=within,
        float_layers=float_layers,
        over_budget=over_budget,
        flips=None if flips is None else asdict(flips),
    )


def _holds_apart(bound: Bound, comparison: Comparison, flips: Flips) -> bool:
    """Whether a file is within its bound once argmax flips are counted apart: with the same choices it has to be.

    The same choices are those of the rewritten network, so that one has to be the original as well.
    """
    apart = max(flips.max_difference_same_choices, flips.lowering_difference)
    return flips.flipped > 0 and bound.holds(replace(comparison.agreement, max_difference=apart))


def _worst_first(comparisons: Sequence[Comparison], count: int) -> list[int]:
    """Pictures in the order of their IoU in the least exact file that saw them all; as they are where none did."""
    whole = [one.ious for one in comparisons if one.pictures == count]
    return [int(k) for k in np.argsort(min(whole, key=np.mean), kind="stable")] if whole else list(range(count))
