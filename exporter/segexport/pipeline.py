"""Checkpoint → proven model files. Reads like the picture in the design: read, recognise, make deployable, convert, compare."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from segexport.compare import FileMasks, Runner
from segexport.compare.int8_speed import Int8Speed, measure_int8_speed
from segexport.compare.new_file import open_new
from segexport.compare.reference import FILE_NAME as REFERENCE
from segexport.compare.reference import KEPT, Reference
from segexport.compare.rows import FILE_NAME as REPORT
from segexport.compare.rows import FileRow, write_report
from segexport.console import Console
from segexport.convert.choose import AllRefusedError, Chooser, ChosenConverter, Source
from segexport.convert.converters import ONNX as ONNX_FILE
from segexport.convert.converters import PROGRAM
from segexport.options import Options, check_budget
from segexport.output import Staging
from segexport.pictures.calibration import DRAWN_SOURCE, calibration_tensor, collect_pictures
from segexport.pictures.truth import read_masks
from segexport.precisions import ONNX, PRECISIONS, SLOW_S
from segexport.process.memory import release_memory
from segexport.proof import (
    LARGE,
    ExportRun,
    FileJudge,
    FileRun,
    ProofInputs,
    exact_pictures,
    measured_pictures,
    prove,
    run_all,
)
from segexport.quantize.inputs import QuantizeInputs
from segexport.quantize.quantized import Quantized, write_quantized
from segexport.quantize.quantizer import Quantizer
from segexport.quantize.recipe import FILE_NAME as RECIPE
from segexport.quantize.recipe import PLAIN, Recipe, load_recipe, save_recipe
from segexport.report.outcome import Export
from segexport.report.page.make import FILE_NAME as PAGE
from segexport.report.page.make import make_page
from segexport.report.page.rerun import run_of
from segexport.stamp.golden import COUNT, GoldenChoice, choose_golden
from segexport.stamp.seal import tool_versions
from segexport.subject.prepare import prepare
from segexport.subject.subject import OnnxFile
from segexport.tflite.two_channel import write_two_channels
from segruntime.processor import find_processor


def export(options: Options, console: Console, module: object = None) -> Export:
    """Make the ONNX file and one TFLite file for each precision, compare each, keep those within their bound.

    Args:
        module: a network in memory instead of `options.checkpoint`, which then is only a name.

    Raises:
        SegExportError, ValueError: see `segexport.errors`; nothing is left behind then.
    """
    started = time.monotonic()
    check_budget(options)
    recipe = None if options.recipe is None else load_recipe(options.recipe)
    kinds = {"onnx": ONNX, **{name: PRECISIONS[name] for name in options.precisions}}
    names = {kind: options.name + precision.suffix for kind, precision in kinds.items()}
    beside = [REFERENCE, REPORT, PAGE, *([RECIPE] if "int8" in kinds else [])]
    with (
        Staging(options.output, [*names.values(), *beside], overwrite=options.overwrite) as staging,
        Runner(playground := _made(staging.path / "converter"), limit_s=options.timeout_s) as runner,
    ):
        with console.step(f"read {options.checkpoint.name}"):
            subject = prepare(options, module)
        for note in subject.notes:
            console.note(f"note: {note}")
        work = ExportRun(
            options=options,
            subject=subject,
            pictures=collect_pictures(options.calibration, most=options.pictures, size=subject.size),
            recipe=recipe,
            paths={kind: staging.path / name for kind, name in names.items()},
            kinds=kinds,
            folder=staging.path,
            playground=playground,
            runner=runner,
            console=console,
        )
        body, rows = _make(work, started)
        told = beside if body["recipe"] is not None else [name for name in beside if name != RECIPE]
        staging.publish([*(row.name for row in rows if row.kept), *told])
    return Export(folder=options.output, rows=tuple(rows), report=body)


def _make(work: ExportRun, started: float) -> tuple[dict[str, Any], list[FileRow]]:
    """Convert, quantize, compare, and tell."""
    console = work.console
    for warning in (*work.subject.warnings, *work.pictures.warnings):
        console.warn(warning)
    for note in () if work.pictures.diagnosis is None else work.pictures.diagnosis.notes:
        console.note(f"note: {note}")
    truth = _truth(work)
    made = _convert(work)
    reference = made.reference
    for doubt in reference.doubts():
        console.warn(doubt)
    float32 = None
    if work.options.max_iou_drop is not None:
        with console.step("float32 TFLite on the pictures"):
            float32 = work.runner.run(_float32(work), reference.frames, console.say, limit_s=SLOW_S)
    quantized = _quantize(work, reference, float32, truth)
    work = _without(work, quantized)
    _add_background(work)
    with console.step(f"comparison with {reference.who}"):
        seen, order, quantized = run_all(work, made, quantized)
        work = _without(work, quantized)
        rows = [prove(work, kind, seen[kind], made, quantized) for kind in work.paths]
    body = _body(work, made, rows, quantized)
    speed = _int8_speed(work, reference)
    body |= {"processor": find_processor().to_json(), "int8_speed": None if speed is None else speed.to_json()}
    body["elapsed_s"] = round(time.monotonic() - started, 2)
    _report(work, body, rows, seen, reference.in_order(order).kept(), order)
    return body, rows


def _without(work: ExportRun, quantized: Quantized) -> ExportRun:
    """The files that there are."""
    return replace(work, paths={kind: path for kind, path in work.paths.items() if kind not in quantized.lost})


def _report(
    work: ExportRun,
    body: dict[str, Any],
    rows: list[FileRow],
    seen: Mapping[str, FileRun],
    stored: Reference,
    order: list[int],
) -> None:
    """The report for machines, the page for people, and what both can be made of again."""
    stored.save(work.folder / REFERENCE)
    write_report(work.folder / REPORT, body)
    if body["recipe"] is not None:
        save_recipe(work.folder / RECIPE, Recipe.from_json(body["recipe"]))
    known = {}
    for kind in (row.precision for row in rows if row.kept):
        masks = dict(zip(seen[kind].ran.places, seen[kind].ran.masks, strict=True))
        known[kind] = run_of({new: masks[k] for new, k in enumerate(order[:KEPT]) if k in masks}, stored)
    with work.console.step("report"):
        make_page(work.folder, work.console.say, known)


def _golden(work: ExportRun, reference: Reference) -> GoldenChoice | None:
    """Small pictures with PyTorch's masks, to go into every file."""
    if work.options.golden == "none":
        return None
    with work.console.step("golden pictures"):
        return choose_golden(
            reference,
            lambda frames: work.subject.ask(frames, tuple(map(str, range(len(frames)))), work.console.say).masks,
            drawn=work.options.golden == "drawn",
            count=1 if work.subject.source.parameters > LARGE else COUNT,
        )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _truth(work: ExportRun) -> list[Any] | None:
    folder = work.options.masks
    return None if folder is None else read_masks(folder, work.pictures.measure_names, work.subject.size)


def _add_background(work: ExportRun) -> None:
    """At last: converters, quantizer and budget know one channel, so the person's is the same with either head."""
    if work.options.two_channel:
        with work.console.step("background's channel"):
            for path in work.paths.values():
                write_two_channels(path)


def _float32(work: ExportRun) -> Path:
    """The float32 file: one that is asked for, or one on the way to the others."""
    return work.paths.get("float32", work.playground / "float32.tflite")


def _convert(work: ExportRun) -> ProofInputs:
    """ONNX, then float32 TFLite while PyTorch computes its masks: the converter uses one core, PyTorch the others."""
    pictures, console, paths = work.pictures, work.console, work.paths
    exact = all(kind.exact for kind in work.kinds.values())
    count = exact_pictures(work) if exact else measured_pictures(work)
    if count < len(pictures.measure):
        console.note(f"note: files are compared on {count} of the {len(pictures.measure)} pictures that could be")
    chooser = _chooser(work) if work.options.precisions else None
    with chooser or nullcontext():
        with console.step("ONNX"):
            written = work.subject.write_onnx(paths["onnx"])
            release_memory()
        if chooser is not None:
            chooser.begin(_sources(work, written))
        work.runner.start()
        with console.step("masks to compare with"):
            reference = work.subject.ask(pictures.measure[:count], pictures.measure_names[:count], console.say)
            reference.refuse_wrong_end(work.subject.assumed_head)
            reference = replace(reference, of_drawn=pictures.source == DRAWN_SOURCE)
        golden = _golden(work, reference)
        ran: dict[str, FileMasks] = {}
        if exact and not work.options.two_channel:  # the converter is at work for a while yet
            with console.step("ONNX on the pictures"):
                ran["onnx"] = work.runner.run(paths["onnx"], reference.frames, console.say, limit_s=SLOW_S)
        judge = FileJudge(work, written, reference)
        chosen = None if chooser is None else _choose(work, chooser, judge)
        if not work.options.two_channel:
            ran |= judge.ran
    return ProofInputs(written=written, reference=reference, golden=golden, ran=ran, chosen=chosen)


def _chooser(work: ExportRun) -> Chooser:
    readable = [ONNX_FILE, PROGRAM] if work.subject.has_program else [ONNX_FILE]
    return Chooser(work.options.converter, readable, work.playground, limit_s=work.options.timeout_s)


def _sources(work: ExportRun, written: OnnxFile) -> dict[str, Source]:
    sources: dict[str, Source] = {ONNX_FILE: lambda: work.paths["onnx"]}
    if written.write_program is not None:
        sources[PROGRAM] = partial(_program, work.playground / PROGRAM, written.write_program)
    return sources


def _program(path: Path, write: Callable[[Path], None]) -> Path:
    write(path)
    return path


def _choose(work: ExportRun, chooser: Chooser, judge: FileJudge) -> ChosenConverter:
    console = work.console
    try:
        with console.step("TFLite float32"):
            nearest = work.options.allow_inaccurate
            chosen = chooser.finish(_float32(work), judge.converted, console.say, nearest=nearest)
    except AllRefusedError as error:
        for name, reason in error.reasons.items() if len(error.reasons) > 1 else ():
            console.warn(f"{name}: {reason}")
        raise AllRefusedError(error.reasons, judge.written.seldom_converted) from error
    for name, reason in chosen.refused.items():
        console.note(f"  not {name}: {reason}")
    console.note(f"  by {chosen}")
    return chosen


def _quantize(work: ExportRun, reference: Reference, float32: FileMasks | None, truth: list[Any] | None) -> Quantized:
    files = {kind: path for kind, path in work.paths.items() if work.kinds[kind].from_float32}
    if not files:
        return Quantized()
    options, console = work.options, work.console
    with Quantizer(
        float32=_float32(work), folder=work.playground, limit_s=options.timeout_s, progress=console.say
    ) as quantizer:
        bench = QuantizeInputs(
            quantizer=quantizer,
            runner=work.runner,
            calibration=calibration_tensor(work.pictures.calibrate, *work.subject.size),
            frames=list(reference.frames),
            reference=reference.masks,
            float32=float32,
            truth=truth,
            console=console,
            max_iou_drop=options.max_iou_drop,
            recipe=work.recipe or PLAIN,
        )
        return write_quantized(bench, files)


def _int8_speed(work: ExportRun, reference: Reference) -> Int8Speed | None:
    """On one thread: the threads of two interpreters would wait for each other's cores."""
    if "int8" not in work.paths:
        return None
    with work.console.step("int8 against float32 on this processor"):
        float32, int8 = open_new(_float32(work), threads=1), open_new(work.paths["int8"], threads=1)
        return measure_int8_speed(float32, int8, reference.frames[0])


def _body(work: ExportRun, made: ProofInputs, rows: list[FileRow], quantized: Quantized) -> dict[str, Any]:
    reference, chosen = made.reference, made.chosen
    pictures, diagnosis = work.pictures, work.pictures.diagnosis
    if diagnosis is not None and quantized.stability is not None:
        diagnosis = replace(diagnosis, stability=quantized.stability)
    return {
        "command": list(work.options.command) or ["segexport", *sys.argv[1:]],
        "source": {
            **asdict(work.subject.source),
            "variant": work.subject.variant,
            "notes": list(work.subject.notes),
        },
        "size": list(work.subject.size),
        "pictures": {
            "calibrate": quantized.calibrated or len(pictures.calibrate),
            "measure": len(reference.frames),
            "source": pictures.source,
            "sha256": pictures.sha256,
        },
        "largest_logit": reference.largest_logit,
        "compared_with": reference.who,
        "files": [asdict(row) for row in rows],
        "warnings": [*work.subject.warnings, *pictures.warnings, *reference.doubts()],
        "doctor": None if diagnosis is None else diagnosis.to_json(),
        "budget": None if quantized.budget is None else quantized.budget.to_json(),
        "recipe": None if quantized.recipe is None else quantized.recipe.to_json(),
        "noise": _noise(quantized),
        "float_operators": {kind: one.to_json() for kind, one in quantized.float_operators.items()},
        "rewrites": [asdict(one) for one in made.written.rewrites],
        "converter": None if chosen is None else chosen.converter,
        "lost": dict(quantized.lost),
        "refused": {} if chosen is None else dict(chosen.refused),
        "tools": tool_versions(chosen),
    }


def _noise(quantized: Quantized) -> dict[str, Any] | None:
    if not quantized.noise:
        return None
    return {"precision": "int8", "operators": [one.to_json() for one in quantized.noise]}
