"""The int8 file: plain, by a recipe, or the one that a search found within the accuracy budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segexport.errors import ConversionError, plural
from segexport.quantize.budget.judge import Judge, Score
from segexport.quantize.budget.noise import block_losses
from segexport.quantize.budget.search import MOST_STEPS, Chosen, Outcome, Step, search
from segexport.quantize.inputs import QuantizeInputs
from segexport.tflite.graph import Block, Operator, split_into_blocks
from segexport.tflite.ranges import Ranges

NOISE_PICTURES = 1
"""Signal-to-noise ratios hardly differ between pictures, and each costs a run of every tensor in float."""
MOST_FLOAT_WEIGHTS = 0.5
"""Of the weights: where more are in float, what is left of int8 saves little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How the search for an int8 file within `points` ended."""

    points: float
    against: str
    outcome: Outcome
    blocks: tuple[Block, ...]

    @property
    def holds(self) -> bool:
        return self.outcome.best.holds

    @property
    def float_layers(self) -> tuple[str, ...]:
        return layers_of(self.blocks, self.outcome.best.blocks)

    @property
    def float_share(self) -> float:
        """Of all weights, those that stay in float: 0–1."""
        chosen = self.outcome.best.blocks
        whole = sum(block.weight_bytes for block in self.blocks)
        return sum(self.blocks[number].weight_bytes for number in chosen) / max(1, whole)

    @property
    def hardly_int8(self) -> bool:
        return self.float_share > MOST_FLOAT_WEIGHTS

    @property
    def verdict(self) -> str:
        best, layers = self.outcome.best, self.float_layers
        told = "interrupted, " if self.outcome.interrupted else ""
        what = "everything in int8"
        if layers:
            what = f"{plural(len(layers), 'operator')} with {100 * self.float_share:.0f} % of the weights left in float"
        lost = f"loses {best.score.drop_points:.3f} points of IoU against {self.against}"
        count = plural(len(self.outcome.steps), "quantization")
        if best.holds:
            hardly = "; this is hardly an int8 file, float32 or float16 may do as well" if self.hardly_int8 else ""
            return f"{told}{what}: {lost}, within the {self.points:g} allowed, after {count}{hardly}"
        bytes_alone = len(best.blocks) == len(self.blocks)
        why = "; that is what the picture's and the mask's bytes cost by themselves, allow more" if bytes_alone else ""
        nearest = f"nearest came step {best.number}, {what}: {lost}{why}"
        return f"{told}nothing of {count} stays within {self.points:g} points; {nearest}"

    def to_json(self) -> dict[str, Any]:
        return {
            "points": self.points,
            "against": self.against,
            "holds": self.holds,
            "float_share": round(self.float_share, 4),
            "interrupted": self.outcome.interrupted,
            "verdict": self.verdict,
            "steps": [
                {
                    "step": step.number,
                    "what": step.what,
                    "float_layers": list(layers_of(self.blocks, step.blocks)),
                    **asdict(step.score),
                    "holds": step.holds,
                }
                for step in self.outcome.steps
            ],
        }


def layers_of(blocks: Sequence[Block], chosen: Chosen) -> tuple[str, ...]:
    """Names of all operators of the chosen blocks, in order."""
    return tuple(name for number in sorted(chosen) for name in blocks[number].names)


def fit_budget(
    bench: QuantizeInputs, judge: Judge, operators: Sequence[Operator], ranges: Ranges, target: Path, points: float
) -> Budget:
    """Write `target`, the int8 file with as little in float as the budget allows, or the nearest where none holds it.

    Raises:
        ConversionError: a quantization failed, or its file does not run, or not on XNNPACK.
        KeyboardInterrupt: before the first file was measured.
    """
    blocks, quantizer, console = split_into_blocks(operators), bench.quantizer, bench.console
    made: dict[int, Path] = {}

    def attempt(number: int, what: str, chosen: Chosen) -> Score:
        told = f"{number}: {what}"
        console.say(f"{told} (of at most {MOST_STEPS})")
        path = made[number] = quantizer.folder / f"step{number}.tflite"
        quantizer.write(path, "int8", ranges, layers_of(blocks, chosen))
        return judge.score(path, lambda at: console.say(f"{told}, {at} (of at most {MOST_STEPS})"))

    def losses(step: Step) -> dict[int, float]:
        try:
            snr = quantizer.noise(made[step.number], bench.calibration[:NOISE_PICTURES])
        except ConversionError:  # the search goes on in the blocks' order
            snr = {}
        return block_losses(blocks, snr)

    def finished(step: Step, best: Step) -> None:
        for number in [n for n in made if n not in (1, step.number, best.number)]:  # noise is looked up in these
            made.pop(number).unlink(missing_ok=True)
        console.note(_told(step))

    outcome = search(blocks, losses, attempt, points, finished)
    made[outcome.best.number].replace(target)
    return Budget(points=points, against=judge.against, outcome=outcome, blocks=blocks)


def _told(step: Step) -> str:
    score = step.score
    return (
        f"  step {step.number:2}  {'holds' if step.holds else 'over '}  {score.drop_points:7.3f} points  "
        f"IoU {score.iou:.4f}  edge F {score.boundary_f:.4f}  {score.size_bytes / 1e6:7.2f} MB  "
        f"{score.invoke_p50_ms:7.1f} ms  {step.what}"
    )
