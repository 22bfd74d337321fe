"""Checkpoint → proven model files. Reads like the picture in the design: read, recognise, make deployable, convert, compare."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segexport.calibration import PictureSet, calibration_tensor, collect_pictures
from segexport.checkpoint import Checkpoint, read_checkpoint
from segexport.compare import compare
from segexport.console import Console
from segexport.convert.onnx_export import write_onnx
from segexport.convert.tflite_export import write_float_tflite, write_int8_tflite
from segexport.deploy import Deployable, choose_head
from segexport.digest import file_sha256
from segexport.inspection import find_network, setting_conflicts
from segexport.networks import Network
from segexport.options import Options
from segexport.output import Staging
from segexport.precisions import ONNX, PRECISIONS, Precision
from segexport.presets import Preprocessing, choose_preprocessing
from segexport.reference import FILE_NAME as REFERENCE
from segexport.reference import Reference, ask_pytorch
from segexport.report import FILE_NAME as REPORT
from segexport.report import FileRow, write_report
from segexport.stamping import describe_tensors, stamp_file, tool_versions
from segruntime.contract import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is exported: the checkpoint, its network, and the graph made of it. `size` is (height, width)."""

    checkpoint: Checkpoint
    network: Network
    graph: Deployable
    preprocessing: Preprocessing
    size: tuple[int, int]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def export(options: Options, console: Console) -> tuple[dict[str, Any], list[FileRow]]:
    """Make the ONNX file and one TFLite file for each precision, compare each, keep those within their bound.

    Returns:
        The report's body and its rows; a row that is not `kept` was over its bound and is not on disk.

    Raises:
        SegExportError, ValueError: see `segexport.errors`; nothing is left behind then.
    """
    started = time.monotonic()
    kinds = {"onnx": ONNX, **{name: PRECISIONS[name] for name in options.precisions}}
    names = {kind: options.name + precision.suffix for kind, precision in kinds.items()}
    with Staging(options.output, [*names.values(), REPORT, REFERENCE], overwrite=options.overwrite) as staging:
        with console.step(f"read {options.checkpoint.name}"):
            subject = prepare(options)
        for note in subject.notes:
            console.note(f"note: {note}")
        pictures = collect_pictures(options.calibration, most=options.pictures, size=subject.size)
        paths = {kind: staging.path / name for kind, name in names.items()}
        with console.step("PyTorch's masks"):
            reference = ask_pytorch(subject.graph, pictures.measure, pictures.measure_names, subject.size, console.say)
        warnings = (*subject.warnings, *pictures.warnings, *reference.doubts())
        for warning in warnings:
            console.warn(warning)
        with console.step("ONNX"):
            write_onnx(subject.graph, *subject.size, paths["onnx"])
        float_layers = _convert(options, subject, pictures, paths, staging.path, console)
        rows = []
        with console.step("comparison with PyTorch"):
            for kind, path in paths.items():
                layers = float_layers.get(kind, ())
                rows.append(_prove(kind, path, kinds[kind], subject, pictures, reference, options, layers, console))
        body = _body(options, subject, pictures, reference, rows, warnings, time.monotonic() - started)
        reference.save(staging.path / REFERENCE)
        write_report(staging.path / REPORT, body)
        staging.publish([*(row.name for row in rows if row.kept), REFERENCE, REPORT])
    return body, rows


def prepare(options: Options) -> Subject:
    """Read the checkpoint, find its network, and put preprocessing and head around it."""
    preprocessing, assumed = choose_preprocessing(options.preprocess, options.mean, options.std)
    checkpoint = read_checkpoint(options.checkpoint)
    network = find_network(checkpoint, options.arch)
    size = options.size or network.default_size
    network.check_size(*size)
    head = choose_head(options.head, network, options.person)
    graph = Deployable(network.module, preprocessing, options.color, head).eval()
    odd = setting_conflicts(checkpoint, network)
    return Subject(
        checkpoint=checkpoint,
        network=network,
        graph=graph,
        preprocessing=preprocessing,
        size=size,
        notes=(*checkpoint.notes, *network.notes),
        warnings=(*([assumed] if assumed else []), *odd),
    )


def _convert(
    options: Options, subject: Subject, pictures: PictureSet, paths: Mapping[str, Path], folder: Path, console: Console
) -> dict[str, tuple[str, ...]]:
    """All TFLite files; gives the layers that stayed in float, by precision. int8 is made from float32."""
    if not options.precisions:
        return {}
    playground = folder / "converter"
    playground.mkdir()
    floats = {kind: path for kind, path in paths.items() if kind in ("float32", "float16")}
    floats.setdefault("float32", playground / "float32.tflite")
    with console.step("TFLite " + " and ".join(floats)):
        write_float_tflite(paths["onnx"], floats, playground, limit_s=options.timeout_s, progress=console.say)
    if "int8" not in paths:
        return {}
    with console.step(f"TFLite int8, calibrated with {len(pictures.calibrate)} pictures"):
        tensor = calibration_tensor(pictures.calibrate, *subject.size)
        layers = write_int8_tflite(
            floats["float32"], paths["int8"], tensor, playground, limit_s=options.timeout_s, progress=console.say
        )
    if layers:
        console.warn(
            f"int8: ai-edge-quantizer cannot hold {len(layers)} layers in int8, left in float: {', '.join(layers)}"
        )
    return {"int8": layers}


def _prove(
    kind: str,
    path: Path,
    precision: Precision,
    subject: Subject,
    pictures: PictureSet,
    reference: Reference,
    options: Options,
    float_layers: tuple[str, ...],
    console: Console,
) -> FileRow:
    """Compare one file, stamp it with its contract, and decide whether it stays."""
    contract = describe_tensors(path)
    comparison = compare(path, reference, console.say, contract=contract)
    bound = precision.bound.for_logits(reference.largest_logit)
    within = bound.holds(comparison.agreement)
    calibration = (len(pictures.calibrate), pictures.sha256) if precision.calibrated else (0, None)
    stamp_file(
        path,
        contract,
        source=_source(options, subject),
        precision="float32" if kind == "onnx" else kind,
        calibration=calibration,
        float_layers=float_layers,
        comparison=comparison,
        picture_source=pictures.source,
        bound=bound,
    )
    return FileRow(
        name=path.name,
        precision=kind,
        kept=within or options.allow_inaccurate,
        size_bytes=path.stat().st_size,
        sha256=file_sha256(path),
        **comparison.to_row(),
        bound=asdict(bound),
        bound_text=str(bound),
        within_bound=within,
        float_layers=float_layers,
    )


def _source(options: Options, subject: Subject) -> Source:
    return Source(
        checkpoint=options.checkpoint.name,
        sha256=subject.checkpoint.sha256,
        architecture=subject.network.name,
        parameters=subject.network.parameters,
        preprocessing=subject.preprocessing.name,
        mean=subject.preprocessing.mean,
        std=subject.preprocessing.std,
        color=options.color,
    )


def _body(
    options: Options,
    subject: Subject,
    pictures: PictureSet,
    reference: Reference,
    rows: list[FileRow],
    warnings: tuple[str, ...],
    elapsed_s: float,
) -> dict[str, Any]:
    network = subject.network
    return {
        "command": ["segexport", *sys.argv[1:]],
        "source": {**asdict(_source(options, subject)), "variant": network.variant, "notes": list(subject.notes)},
        "size": list(subject.size),
        "pictures": {
            "calibrate": len(pictures.calibrate),
            "measure": len(pictures.measure),
            "source": pictures.source,
            "sha256": pictures.sha256,
        },
        "largest_logit": reference.largest_logit,
        "files": [asdict(row) for row in rows],
        "warnings": list(warnings),
        "tools": tool_versions(),
        "elapsed_s": round(elapsed_s, 2),
    }
