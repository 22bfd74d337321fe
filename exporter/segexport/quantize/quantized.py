"""The files that are made out of the float32 file: float16, and the quantized ones with ranges from pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segexport.compare import FileMasks, Runner
from segexport.compare.reference import THRESHOLD
from segexport.console import Console
from segexport.errors import ConversionError
from segexport.pictures.doctor import Stability
from segexport.quantize.budget.fit import NOISE_PICTURES, Budget, fit_budget
from segexport.quantize.budget.judge import make_judge, mean_iou
from segexport.quantize.budget.noise import OperatorNoise, operator_noise
from segexport.quantize.budget.search import MOST_STEPS, Step
from segexport.quantize.effort import calibration_places
from segexport.quantize.floats import FloatOperators, read_float_operators
from segexport.quantize.quantizer import INTEGER, Quantizer
from segexport.quantize.recipe import Recipe, check_layers
from segexport.tflite.graph import Operator, logit_tensor, read_operators
from segexport.tflite.ranges import LOGIT_LIMIT, Ranges, halves
from segruntime.measures.agreement import Mask

STABILITY_PICTURES = 8


@dataclass(slots=True, kw_only=True)
class Quantized:
    """What there is to know about the quantized files besides the files."""

    float_layers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By precision, the layers that were left in float because they were asked for, or fit no integers."""
    float_operators: dict[str, FloatOperators] = field(default_factory=dict)
    """By precision, for int8 and int16x8: all that is computed in float there, and what that costs."""
    calibrated: int = 0
    """On how many pictures ranges were measured; not on all of them where the network is large."""
    recipe: Recipe | None = None
    budget: Budget | None = None
    stability: Stability | None = None
    noise: tuple[OperatorNoise, ...] = ()
    lost: dict[str, str] = field(default_factory=dict)
    """By precision, why there is no file: quantizing failed, or what came of it does not run. The others are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeInputs:
    """What the files are made from and tried on.

    `calibration` `(N, H, W, 3) float32, RGB, 0–1`; `frames` `(H, W, 3) uint8, BGR` are other pictures, `reference` PyTorch's
    masks of them `(N, h, w) float32, 0–1`. For an accuracy budget, `float32` is what the float32 file gave on them, and
    `truth` their hand-made masks `(h, w) bool`.
    """

    quantizer: Quantizer
    runner: Runner
    calibration: npt.NDArray[np.float32]
    frames: Sequence[npt.NDArray[np.uint8]]
    reference: npt.NDArray[np.float32]
    float32: FileMasks | None
    truth: Sequence[Mask] | None
    console: Console


def write_quantized(
    bench: QuantizeInputs, files: Mapping[str, Path], *, max_iou_drop: float | None, recipe: Recipe | None
) -> Quantized:
    """Write each of `files` (`{"float16": path, "dynamic": path, "int8": path, "int16x8": path}`, any of them).

    Raises:
        RecipeError: the recipe names layers that the float32 file does not have.
    """
    found = Quantized()
    operators = read_operators(bench.quantizer.prepared)
    if recipe is not None:
        check_layers(recipe, {operator.name for operator in operators})
    for precision in ("float16", "dynamic"):
        if precision in files:
            with costs_only(found, bench.console, precision), bench.console.step(f"TFLite {precision}"):
                found.float_layers[precision] = bench.quantizer.write(files[precision], precision)
    calibrated = [precision for precision in ("int8", "int16x8") if precision in files]
    ranges = None
    with costs_only(found, bench.console, *calibrated):
        ranges = _measure(bench, operators) if calibrated else None
    found.calibrated = 0 if ranges is None else len(ranges)
    if "int8" in files and ranges is not None:
        with costs_only(found, bench.console, "int8"):
            _write_int8(bench, found, operators, ranges, files["int8"], max_iou_drop, recipe)
    if "int16x8" in files and ranges is not None:
        with costs_only(found, bench.console, "int16x8"), bench.console.step("TFLite int16x8"):
            found.float_layers["int16x8"] = bench.quantizer.write(files["int16x8"], "int16x8", ranges)
    _warn_forced(bench, found)
    _tell_float(bench, found, {precision: path for precision, path in files.items() if precision not in found.lost})
    return found


@contextmanager
def costs_only(found: Quantized, console: Console, *precisions: str) -> Iterator[None]:
    """What fails inside costs these precisions' files, and no other."""
    try:
        yield
    except ConversionError as error:
        for precision in precisions:
            found.lost[precision] = str(error)
            console.warn(f"no {precision} file: {error}")


def _measure(bench: QuantizeInputs, operators: Sequence[Operator]) -> Ranges:
    places = calibration_places(bench.quantizer.prepared, len(bench.calibration))
    with bench.console.step(f"calibration with {len(places)} pictures"):
        ranges = bench.quantizer.measure(bench.calibration[places])
    return ranges.with_image(ranges.names[0]).with_mask(operators[-1].name)


def _write_int8(
    bench: QuantizeInputs,
    found: Quantized,
    operators: Sequence[Operator],
    ranges: Ranges,
    target: Path,
    points: float | None,
    recipe: Recipe | None,
) -> None:
    limit = LOGIT_LIMIT if recipe is None else recipe.logit_limit
    limited = ranges if limit is None else ranges.with_limit(logit_tensor(operators), limit)
    with bench.console.step("stability of the calibration"):
        found.stability = _stability(bench, limited)
    if found.stability is not None:
        (bench.console.note if found.stability.steady else bench.console.warn)(f"calibration: {found.stability}")
    if points is None or bench.float32 is None:
        with bench.console.step("TFLite int8"):
            layers = recipe.float_layers if recipe is not None else ()
            forced = bench.quantizer.write(target, "int8", limited, layers)
    else:
        found.budget = _search(bench, bench.float32, operators, limited, target, points)
        layers, forced = found.budget.float_layers, ()
    found.recipe = Recipe(logit_limit=limit, float_layers=layers)
    found.float_layers["int8"] = (*layers, *forced)
    found.noise = _noise(bench, operators, target)


def _noise(bench: QuantizeInputs, operators: Sequence[Operator], int8: Path) -> tuple[OperatorNoise, ...]:
    """Nothing where it fails: the file is done, and only the page lacks a section."""
    try:
        with bench.console.step("signal-to-noise of every operator"):
            snr = bench.quantizer.noise(int8, bench.calibration[:NOISE_PICTURES])
    except ConversionError as error:
        bench.console.warn(f"no signal-to-noise ratios for the report: {error}")
        return ()
    return operator_noise(operators, snr)


def _search(
    bench: QuantizeInputs,
    float32: FileMasks,
    operators: Sequence[Operator],
    ranges: Ranges,
    target: Path,
    points: float,
) -> Budget:
    count = len(float32.masks)
    truth = None if bench.truth is None else bench.truth[:count]
    judge = make_judge(bench.frames[:count], float32.masks, truth, bench.runner)
    with bench.console.step(f"accuracy budget of {points:g} points"):
        budget = fit_budget(
            bench.quantizer,
            ranges,
            operators,
            judge,
            points,
            bench.calibration,
            target,
            say=lambda text: bench.console.say(f"{text} (of at most {MOST_STEPS})"),
            shown=lambda step: bench.console.note(_told(step)),
        )
    plain = budget.holds and not budget.hardly_int8
    (bench.console.note if plain else bench.console.warn)(f"int8: {budget.verdict}")
    return budget


def _told(step: Step) -> str:
    score = step.score
    return (
        f"  step {step.number:2}  {'holds' if step.holds else 'over '}  {score.drop_points:7.3f} points  "
        f"IoU {score.iou:.4f}  edge F {score.boundary_f:.4f}  {score.size_bytes / 1e6:7.2f} MB  "
        f"{score.invoke_p50_ms:7.1f} ms  {step.what}"
    )


def _stability(bench: QuantizeInputs, ranges: Ranges) -> Stability | None:
    """The same quantization from either half of the pictures: does it matter which ones calibrate?"""
    if len(ranges) < 2:
        return None
    count = min(STABILITY_PICTURES, len(bench.frames))
    masks = []
    for index, half in enumerate(halves(len(ranges))):
        path = bench.quantizer.folder / f"half{index}.tflite"
        bench.quantizer.write(path, "int8", ranges.of(half))
        masks.append(bench.runner.run(path, bench.frames[:count], bench.console.say).masks > THRESHOLD)
        path.unlink()
    wanted = bench.reference[:count] > THRESHOLD
    return Stability(
        iou_between=mean_iou(masks[0], masks[1]),
        iou_first=mean_iou(masks[0], wanted),
        iou_second=mean_iou(masks[1], wanted),
        pictures=count,
    )


def _warn_forced(bench: QuantizeInputs, found: Quantized) -> None:
    chosen = set(found.recipe.float_layers) if found.recipe is not None else set()
    for precision, layers in found.float_layers.items():
        forced = [layer for layer in layers if precision != "int8" or layer not in chosen]
        if forced:
            names, count = ", ".join(forced), f"{len(forced)} layer{'' if len(forced) == 1 else 's'}"
            bench.console.warn(f"{precision}: biases or weights of {count} do not fit into it, left in float: {names}")


def _tell_float(bench: QuantizeInputs, found: Quantized, files: Mapping[str, Path]) -> None:
    for precision in [precision for precision in files if precision in INTEGER]:
        floats = found.float_operators[precision] = read_float_operators(files[precision])
        if floats.count:
            bench.console.note(f"{precision}: {floats}")
