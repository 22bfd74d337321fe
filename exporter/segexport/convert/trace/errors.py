"""Why torch could not export a network, in one line: the stage, the line of forward, what to change there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from torch.fx import Node
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from segexport.networks.blame import forward_line

LONGEST_REASON = 160
_ANSWERS = (
    (r"^assert\b", "take the assert out of forward"),
    (r"^(if|elif|while)\b|\bif\b.*\belse\b", "choose with torch.where, or take the check out of forward"),
    (r"\[.*:.*\]|\brange\(|topk|narrow|split|size=", "a size has to be the same for every picture"),
    (r"", "leave it a tensor: without float(), int(), bool(), .item() and .tolist()"),
)
"""What the line of forward looks like → what to change there; the first that fits."""


def explained(error: BaseException) -> str:
    """One line for what torch.export or torch.onnx raised."""
    if isinstance(error, GuardOnDataDependentSymNode):
        return _asks_for_a_value(error)
    node = _untranslated(error)
    if node is not None:
        return _has_no_onnx(node, error)
    text = " ".join(str(error).split())[:LONGEST_REASON]
    return (
        f"torch.export: {type(error).__name__}{_place(forward_line(error))}{f': {text}' if text else ''}; "
        "expected a forward of tensor operations alone: no NumPy, no copies of modules, no files"
    )


def place_of(node: Node) -> str:
    """` in nets.py:12 (`x = F.grid_sample(x, grid)`)`, or nothing where torch noted no line."""
    return _place(forward_line(node.meta.get("stack_trace") or ""))


def operator_of(node: Node) -> str:
    """`histc`, of `aten.histc.default`."""
    name = str(node.target).removeprefix("aten.")
    return name.rpartition(".")[0] or name


def _asks_for_a_value(error: BaseException) -> str:
    line = forward_line(error)
    text = line[1] if line else ""
    answer = next(answer for pattern, answer in _ANSWERS if re.search(pattern, text))
    return f"torch.export: forward asks for a value that depends on the picture{_place(line)}; {answer}"


def _has_no_onnx(node: Node, error: BaseException) -> str:
    reason = list(_causes(error))[-1]
    why = "" if type(reason).__name__ == "DispatchError" else f": {' '.join(str(reason).split())[:LONGEST_REASON]}"
    return (
        f"ONNX: the operator {operator_of(node)}{place_of(node)} cannot be written as ONNX{why.rstrip('.')}; "
        "compute the same with other operators there"
    )


def _untranslated(error: BaseException) -> Node | None:
    """The node that torch's ONNX exporter was at: its own errors name it in text only, but its frame still holds it."""
    for cause in _causes(error):
        trace = cause.__traceback__
        while trace is not None:
            node: Any = trace.tb_frame.f_locals.get("node")
            if isinstance(node, Node) and "onnx" in trace.tb_frame.f_code.co_filename:
                return node
            trace = trace.tb_next
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _place(line: tuple[str, str] | None) -> str:
    return f" in {line[0]} (`{line[1]}`)" if line else ""
