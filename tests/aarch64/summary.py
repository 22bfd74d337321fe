"""The table for people, and the JSON for machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from difference import BOUNDS, Difference
from steps import Step

from segbench.results.file import write_results

FORMAT, VERSION = "segedge.aarch64", 1
HEAD = "| processor | what | result | seconds | |"
MASK_HEAD = "| processor | file | stage | largest | mean | values that differ | IoU | bound: largest, mean, IoU | |"
LEGEND = (
    "Stages: decoded JPEG → picture; tensor picture → input; kernels x86's tensor → mask; network, alpha, refined picture → "
    "mask; composite x86's alpha → picture. Differences in steps of 1/255, of the worst picture."
)


def step_table(steps: Iterable[Step]) -> list[str]:
    """Markdown, a line for each step."""
    rows = [
        f"| {one.processor} | {one.name} | {one.details.replace('|', '/')} | {one.seconds:.0f} | {_verdict(one.passed)} |"
        for one in steps
    ]
    return [HEAD, "|---|---|---|--:|---|", *rows]


def mask_table(compared: Mapping[str, list[Difference]]) -> list[str]:
    """Markdown, a line for each processor, file and stage."""
    rows = [_mask_row(processor, one) for processor, each in compared.items() for one in each]
    return [MASK_HEAD, "|---|---|---|--:|--:|--:|--:|---|---|", *rows]


def write_summary(
    path: Path, facts: Mapping[str, Any], steps: Iterable[Step], compared: Mapping[str, list[Difference]]
) -> None:
    """Whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    masks = {name: [one.to_json() for one in each] for name, each in compared.items()}
    body = {"format": FORMAT, "version": VERSION, **facts, "steps": [one.to_json() for one in steps], "masks": masks}
    write_results(path, body)


def everything_passed(steps: Iterable[Step], compared: Mapping[str, list[Difference]]) -> bool:
    """No step failed, masks were made everywhere, and each is within its bound."""
    masks = all(each and all(one.within for one in each) for each in compared.values())
    return masks and all(one.passed for one in steps)


def _mask_row(processor: str, one: Difference) -> str:
    bound = BOUNDS[one.stage]
    allowed = f"{bound.largest:g}, {bound.mean:g}" + (f", {bound.mask_iou:g}" if bound.mask_iou else "")
    iou = f"{one.mask_iou:.4f}" if one.mask_iou is not None else ""
    numbers = f"{one.largest:.3g} | {one.mean:.3g} | {100 * one.differing:.1f} % | {iou}"
    return f"| {processor} | {one.file} | {one.stage} | {numbers} | {allowed} | {_verdict(one.within)} |"


def _verdict(good: bool) -> str:
    return "ok" if good else "**FAILED**"
