"""The files that are made out of the float32 file: float16, and the quantized ones with ranges from pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from segexport.compare.reference import THRESHOLD
from segexport.console import Console
from segexport.errors import ConversionError
from segexport.pictures.doctor import Stability
from segexport.quantize.budget.fit import NOISE_PICTURES, Budget, fit_budget
from segexport.quantize.budget.judge import make_judge, mean_iou
from segexport.quantize.budget.noise import OperatorNoise, operator_noise
from segexport.quantize.floats import FloatOperators, read_float_operators
from segexport.quantize.inputs import QuantizeInputs
from segexport.quantize.recipe import Recipe, check_layers
from segexport.tflite.flatbuffer import Graph, read_graph
from segexport.tflite.graph import WEIGHTED, Operator, logit_tensor, read_operators
from segexport.tflite.ranges import Ranges, halves

STABILITY_PICTURES = 8
MOST_WORK = 600e9
"""Multiplications for all pictures together: 12 runs of a U-Net of 31 million weights at 256x256."""
LEAST_PICTURES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """What there is to know about the quantized files besides the files."""

    float_layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By precision, the layers that were left in float because they were asked for, or fit no integers."""
    float_operators: Mapping[str, FloatOperators] = field(default_factory=dict)
    """By precision, for int8 and int16x8: all that is computed in float there, and what that costs."""
    calibrated: int = 0
    """On how many pictures ranges were measured; not on all of them where the network is large."""
    recipe: Recipe | None = None
    budget: Budget | None = None
    stability: Stability | None = None
    noise: tuple[OperatorNoise, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    """By precision, why there is no file: quantizing failed, or what came of it does not run. The others are kept."""


def write_quantized(bench: QuantizeInputs, files: Mapping[str, Path]) -> Quantized:
    """Write each of `files` (`{"float16": path, "dynamic": path, "int8": path, "int16x8": path}`, any of them).

    Raises:
        RecipeError: the recipe names layers that the float32 file does not have.
    """
    console, operators = bench.console, read_operators(bench.quantizer.prepared)
    check_layers(bench.recipe, {operator.name for operator in operators})
    lost: dict[str, str] = {}
    layers: dict[str, tuple[str, ...]] = {}
    for precision in [name for name in ("float16", "dynamic") if name in files]:
        with costs_only(lost, console, precision), console.step(f"TFLite {precision}"):
            layers[precision] = bench.quantizer.write(files[precision], precision)
    integers = [name for name in ("int8", "int16x8") if name in files]
    ranges = None
    with costs_only(lost, console, *integers):
        ranges = _measure(bench, operators) if integers else None
    found = Quantized(calibrated=0 if ranges is None else len(ranges))
    if "int8" in files and ranges is not None:
        limited = ranges.with_limit(logit_tensor(operators), bench.recipe.logit_limit)
        with costs_only(lost, console, "int8"):
            found = replace(found, stability=_stability(bench, limited))
            recipe, budget, forced = _write_int8(bench, operators, limited, files["int8"])
            layers["int8"] = (*recipe.float_layers, *forced)
            found = replace(found, recipe=recipe, budget=budget, noise=_noise(bench, operators, files["int8"]))
    if "int16x8" in files and ranges is not None:
        with costs_only(lost, console, "int16x8"), console.step("TFLite int16x8"):
            layers["int16x8"] = bench.quantizer.write(files["int16x8"], "int16x8", ranges)
    found = replace(found, float_layers=layers, lost=lost)
    _warn_forced(found, console)
    made = {name: files[name] for name in integers if name not in lost}
    return replace(found, float_operators=_float_operators(made, console))


@contextmanager
def costs_only(lost: dict[str, str], console: Console, *precisions: str) -> Iterator[None]:
    """What fails inside costs these precisions' files, and no other: `lost` gets the reason."""
    try:
        yield
    except ConversionError as error:
        for precision in precisions:
            lost[precision] = str(error)
            console.warn(f"no {precision} file: {error}")


def _measure(bench: QuantizeInputs, operators: Sequence[Operator]) -> Ranges:
    places = calibration_places(bench.quantizer.prepared, len(bench.calibration))
    with bench.console.step(f"calibration with {len(places)} pictures"):
        ranges = bench.quantizer.measure(bench.calibration[places])
    return ranges.with_image(ranges.names[0]).with_mask(operators[-1].name)


def _write_int8(
    bench: QuantizeInputs, operators: Sequence[Operator], ranges: Ranges, target: Path
) -> tuple[Recipe, Budget | None, tuple[str, ...]]:
    """The recipe that it was made by, the search for it, and the layers that fit no integers besides."""
    if bench.max_iou_drop is None or bench.float32 is None:
        with bench.console.step("TFLite int8"):
            forced = bench.quantizer.write(target, "int8", ranges, bench.recipe.float_layers)
        return bench.recipe, None, forced
    count = len(bench.float32.masks)
    truth = None if bench.truth is None else bench.truth[:count]
    judge = make_judge(bench.frames[:count], bench.float32.masks, truth, bench.runner)
    with bench.console.step(f"accuracy budget of {bench.max_iou_drop:g} points"):
        budget = fit_budget(bench, judge, operators, ranges, target, bench.max_iou_drop)
    plain = budget.holds and not budget.hardly_int8
    (bench.console.note if plain else bench.console.warn)(f"int8: {budget.verdict}")
    return replace(bench.recipe, float_layers=budget.float_layers), budget, ()


def calibration_places(float32: Path, count: int) -> list[int]:
    """Which of `count` pictures calibrate, evenly spread: all of them, but of a large network as many as its work allows.

    A range is a mean over pictures, so the twelfth picture moves it by a twelfth of what it differs; each costs a whole float32
    run. What counts is the work itself and not the time it takes here, so that a file does not depend on the machine.
    """
    most = max(LEAST_PICTURES, int(MOST_WORK / max(1.0, multiplications(float32))))
    if count <= most:
        return list(range(count))
    return [round(k * (count - 1) / (most - 1)) for k in range(most)]


def multiplications(path: Path) -> float:
    """Of all convolutions and products of the main subgraph, for one picture."""
    graph = read_graph(path)
    return float(sum(_multiplications(graph, one) for one in graph.operators if graph.kind(one) in WEIGHTED))


def _multiplications(graph: Graph, operator: Any) -> int:
    """Each number of the weights once for every place: of the output, or of the input of a transposed convolution."""
    places = operator.inputs[2] if graph.kind(operator) == "TRANSPOSE_CONV" else operator.outputs[0]
    return math.prod(graph.shape(operator.inputs[1])) * math.prod(graph.shape(places)[:-1])


def _noise(bench: QuantizeInputs, operators: Sequence[Operator], int8: Path) -> tuple[OperatorNoise, ...]:
    """Nothing where it fails: the file is done, and only the page lacks a section."""
    try:
        with bench.console.step("signal-to-noise of every operator"):
            snr = bench.quantizer.noise(int8, bench.calibration[:NOISE_PICTURES])
    except ConversionError as error:
        bench.console.warn(f"no signal-to-noise ratios for the report: {error}")
        return ()
    return operator_noise(operators, snr)


def _stability(bench: QuantizeInputs, ranges: Ranges) -> Stability | None:
    """The same quantization from either half of the pictures: does it matter which ones calibrate?"""
    if len(ranges) < 2:
        return None
    count = min(STABILITY_PICTURES, len(bench.frames))
    masks = []
    with bench.console.step("stability of the calibration"):
        for index, half in enumerate(halves(len(ranges))):
            path = bench.quantizer.folder / f"half{index}.tflite"
            bench.quantizer.write(path, "int8", ranges.of(half))
            masks.append(bench.runner.run(path, bench.frames[:count], bench.console.say).masks > THRESHOLD)
            path.unlink()
    wanted = bench.reference[:count] > THRESHOLD
    found = Stability(
        iou_between=mean_iou(masks[0], masks[1]),
        iou_first=mean_iou(masks[0], wanted),
        iou_second=mean_iou(masks[1], wanted),
        pictures=count,
    )
    (bench.console.note if found.steady else bench.console.warn)(f"calibration: {found}")
    return found


def _warn_forced(found: Quantized, console: Console) -> None:
    chosen = set(found.recipe.float_layers) if found.recipe is not None else set()
    for precision, layers in found.float_layers.items():
        forced = [layer for layer in layers if precision != "int8" or layer not in chosen]
        if forced:
            names, count = ", ".join(forced), f"{len(forced)} layer{'' if len(forced) == 1 else 's'}"
            console.warn(f"{precision}: biases or weights of {count} do not fit into it, left in float: {names}")


def _float_operators(files: Mapping[str, Path], console: Console) -> dict[str, FloatOperators]:
    found = {precision: read_float_operators(path) for precision, path in files.items()}
    for precision, floats in found.items():
        if floats.count:
            console.note(f"{precision}: {floats}")
    return found
