"""Operators that litert-quantizer does not know, written in ones that it does, where that was measured to pay.

What stays in float between two conversions loses neither mask nor much time on XNNPACK (docs/precision.md), so there are few.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from segexport.quantize.rewrites import depth_to_space
from segexport.tflite.flatbuffer import Graph, read_graph

REWRITES: dict[str, Callable[[Graph, Any], list[Any] | None]] = {
    depth_to_space.KIND: depth_to_space.rewrite,
}
"""By the kind of operator: what takes its place, or None where it stays. Every other operator and tensor keeps its name."""


def write_prepared(float32: Path, target: Path) -> bool:
    """Write `target`, the float32 file with operators rewritten; False, and nothing written, where there are none."""
    graph = read_graph(float32)
    changed, operators = False, []
    for operator in graph.operators:
        rewrite = REWRITES.get(graph.kind(operator))
        made = None if rewrite is None else rewrite(graph, operator)
        changed = changed or made is not None
        operators += [operator] if made is None else made
    if changed:
        graph.main.operators = operators
        graph.write(target)
    return changed
