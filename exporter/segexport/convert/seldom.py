"""Operators of an ONNX graph that converters seldom have a form for, with the line of forward that calls each.

Converters name what they cannot take in words of their own, if at all; this is where to look once all of them have refused.
"""

from __future__ import annotations

import onnx_ir as ir

from segexport.convert.rewrites.editor import attribute
from segexport.networks.blame import forward_line

MOST = 3
_SELDOM = """
    GridSample DeformConv DFT STFT NonZero Compress Loop If Scan LSTM GRU RNN Unique ScatterND ScatterElements GatherND
    GatherElements TopK CumSum Trilu Det Mod NonMaxSuppression RoiAlign MaxUnpool MaxRoiPool Col2Im CenterCropPad Bernoulli
    RandomNormal RandomNormalLike RandomUniform RandomUniformLike Multinomial
"""
SELDOM = frozenset(_SELDOM.split())
_SHOWN = ("mode", "padding_mode", "dilations")


def seldom_converted(model: ir.Model) -> tuple[str, ...]:
    """`GridSample (mode=linear, padding_mode=reflection) in nets.py:12 (`…`)`, at most MOST, each line of forward once."""
    found = (_described(node) for node in model.graph if _is_seldom(node))
    return tuple(dict.fromkeys(found))[:MOST]


def _is_seldom(node: ir.Node) -> bool:
    if node.op_type == "MaxPool":
        return any(step != 1 for step in attribute(node, "dilations", ()))
    return node.op_type in SELDOM or (node.op_type == "Pad" and attribute(node, "mode", "constant") == "wrap")


def _described(node: ir.Node) -> str:
    given = [f"{name}={node.attributes[name].value}" for name in _SHOWN if name in node.attributes]
    line = forward_line(node.metadata_props.get("pkg.torch.onnx.stack_trace", ""))
    where = f" in {line[0]} (`{line[1]}`)" if line else f" {node.name!r}" if node.name else ""
    return f"{node.op_type}{f' ({shown})' if (shown := ', '.join(given)) else ''}{where}"
