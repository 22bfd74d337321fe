"""Each file against PyTorch: run, compared, sealed with its contract, and kept or not."""

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
from segexport.pictures.calibration import PictureSet
from segexport.precisions import ONNX, PRECISIONS, SLOW_S, Bound, Precision
from segexport.quantize.budget.noise import where_lost
from segexport.quantize.quantized import Quantized, costs_only
from segexport.quantize.recipe import Recipe
from segexport.stamp.golden import GoldenChoice, golden_pictures
from segexport.stamp.seal import seal, tool_versions
from segexport.subject.subject import OnnxFile, Subject
from segruntime import Contract
from segruntime.model_file.contract import Conversion, Parity
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
        """Argmax flips of a float file are counted on every picture that is over its bound, and on the `least_flips` largest
        differences in any case."""
        comparison = compare(ran, self.reference)
        precision = ONNX if kind == "onnx" else PRECISIONS[kind]
        bound = precision.bound.for_logits(self.reference.largest_logit)
        flips = None
        if precision.exact and self.written.audit is not None:
            by_size = sorted(zip(comparison.differences, ran.places, strict=True), reverse=True)
            over = [place for difference, place in by_size if difference > (bound.max_difference or 0.0)]
            flips = self._flips(kind, path, [place for _, place in by_size[: max(len(over), least_flips)]])
        within = bound.holds(comparison.agreement) or (flips is not None and _holds_apart(bound, comparison, flips))
        return Judged(comparison=comparison, bound=bound, flips=flips, within=within)

    def _flips(self, kind: str, path: Path, places: list[int]) -> Flips | None:
        """Argmax flips of a float file on these of the reference's pictures."""
        if self.written.audit is None or not places:
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


def run_all(
    work: ExportRun, made: ProofInputs, quantized: Quantized
) -> tuple[dict[str, FileRun], list[int], Quantized]:
    """Run every file; gives also the pictures in the order in which people should look at them, and what is lost by now.

    One that does not run is lost, and the others are not; PyTorch's ONNX and float32, which ran before, end it all.

    Quantized files see every picture. The others differ from PyTorch by rounding only, and see the twelve on which the
    least exact quantized file came off worst: those are the ones that the export keeps.
    """
    seen: dict[str, FileRun] = {}
    lost = dict(quantized.lost)
    reference = made.reference
    exact = [kind for kind in work.paths if work.kinds[kind].exact]
    for kind in [kind for kind in work.paths if kind not in exact]:
        with costs_only(lost, work.console, kind):
            seen[kind] = _run(work, kind, made, None)
    order = _worst_first([compare(one.ran, reference) for one in seen.values()], len(reference.names))
    for kind in exact:
        with costs_only(lost, work.console, kind) if work.kinds[kind].from_float32 else nullcontext():
            seen[kind] = _run(work, kind, made, order[: exact_pictures(work)])
    return seen, order, replace(quantized, lost=lost)


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
    """Seal one file, and decide whether it stays."""
    path = work.paths[kind]
    judge = FileJudge(work, made.written, made.reference)
    judged = judge.judge(kind, path, seen.ran, least_flips=FLIP_PICTURES if kind == "float32" else 0)
    if not judged.within and (told := emptiness(seen.ran, made.reference)) is not None:
        work.console.warn(told)
    if not judged.within and kind == "int8" and (told := where_lost(quantized.noise)) is not None:
        work.console.warn(told)
    conversion = _conversion(work, kind, made.chosen, quantized)
    size_bytes, sha256 = seal(path, _contract(work, seen.ran.contract, conversion, judged), seen.golden)
    budget = quantized.budget if kind == "int8" else None
    over_budget = budget is not None and not (budget.holds or budget.outcome.interrupted)
    return FileRow(
        name=path.name,
        precision=kind,
        kept=(judged.within and not over_budget) or work.options.allow_inaccurate,
        size_bytes=size_bytes,
        sha256=sha256,
        **judged.comparison.to_row(),
        bound=asdict(judged.bound),
        bound_text=str(judged.bound),
        within_bound=judged.within,
        float_layers=conversion.float_layers,
        over_budget=over_budget,
        flips=None if judged.flips is None else asdict(judged.flips),
    )


def _conversion(work: ExportRun, kind: str, chosen: ChosenConverter | None, quantized: Quantized) -> Conversion:
    calibrated, recipe = work.kinds[kind].calibrated, quantized.recipe if kind == "int8" else None
    if kind == "onnx":
        chosen = None
    return Conversion(
        precision="float32" if kind == "onnx" else kind,
        calibration_count=quantized.calibrated if calibrated else 0,
        calibration_sha256=work.pictures.sha256 if calibrated else None,
        tools=tool_versions(chosen),
        float_layers=quantized.float_layers.get(kind, ()),
        converter=None if chosen is None else chosen.converter,
        refused=None if chosen is None or not chosen.refused else dict(chosen.refused),
        recipe=None if recipe is None else recipe.to_json(),
    )


def _contract(work: ExportRun, tensors: Contract, conversion: Conversion, judged: Judged) -> Contract:
    """`tensors`, as the interpreter reports them, with all that the export knows."""
    parity = Parity(
        pictures=judged.comparison.pictures,
        picture_source=work.pictures.source,
        **judged.comparison.agreement.to_json(),
        bound=str(judged.bound),
        within_bound=judged.within,
    )
    return replace(tensors, source=work.subject.source, conversion=conversion, parity=parity)


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
