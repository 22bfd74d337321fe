"""Operators that litert-quantizer does not know, written in ones that it does, where that was measured to pay.

What stays in float between two conversions loses neither mask nor much time on XNNPACK (docs/precision.md), so there are few.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from segexport.quantize.rewrites import depth_to_space
from segexport.quantize.rewrites.graph import Graph
from segexport.tflite.graph import read_operators

REWRITES: dict[str, Callable[[Graph, Any], list[Any] | None]] = {
    depth_to_space.KIND: depth_to_space.rewrite,
}
"""By the kind of operator: what takes its place, or None where it stays. Every other operator and tensor keeps its name."""


def write_prepared(float32: Path, target: Path) -> bool:
    """Write `target`, the float32 file with operators rewritten; False, and nothing written, where there are none."""
    if not any(operator.kind in REWRITES for operator in read_operators(float32)):
        return False
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    graph = Graph(schema=schema, model=flatbuffer_utils.read_model(str(float32)))
    main = graph.model.subgraphs[0]
    changed, operators = False, []
    for operator in main.operators:
        rewrite = REWRITES.get(graph.kind(operator))
        made = None if rewrite is None else rewrite(graph, operator)
        changed = changed or made is not None
        operators += [operator] if made is None else made
    main.operators = operators
    if changed:
        flatbuffer_utils.write_model(graph.model, str(target))
    return changed
