"""Reads and replaces nodes of an ONNX graph."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from segexport.convert.torch_rewrites.lower import Rewritten

Shape = tuple[int, ...]


@dataclass(slots=True)
class OnnxEditor:
    """The graph that is being rewritten, and how often each rewrite was used where."""

    model: ir.Model
    done: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def calls(self, *kinds: str) -> list[ir.Node]:
        """All calls of these standard operators in the main graph, in the order in which they run."""
        return [node for node in self.model.graph if node.domain in ("", "ai.onnx") and node.op_type in kinds]

    def constant(self, name: str, values: npt.NDArray[Any]) -> ir.Value:
        """A new tensor of the file, called `name`, or by a longer name where that is taken."""
        while name in self.model.graph.initializers:
            name += "_"
        value = ir.Value(name=name, const_value=ir.tensor(values, name=name))
        value.shape, value.type = ir.Shape(values.shape), ir.TensorType(ir.DataType.from_numpy(values.dtype))
        self.model.graph.register_initializer(value)
        return value

    def replace(self, rewrite: str, old: ir.Node, new: Sequence[ir.Node]) -> None:
        """Everything that used the first output of `old` uses that of the last of `new` instead; noted under `rewrite`."""
        path, kind = where(old)
        for index, node in enumerate(new):
            node.name = f"{old.name or old.outputs[0].name}_{node.op_type}_{index}"
            node.outputs[0].name = f"{old.outputs[0].name}_{node.op_type}_{index}"
        ir.convenience.replace_nodes_and_values(
            self.model.graph, old, [old], list(new), [old.outputs[0]], [new[-1].outputs[0]]
        )
        self.done[rewrite, path, kind] += 1

    def rewritten(self) -> tuple[Rewritten, ...]:
        """What was done, for the report."""
        return tuple(
            Rewritten(rewrite=name, module=path, kind=kind, count=n) for (name, path, kind), n in self.done.items()
        )


def where(node: ir.Node) -> tuple[str, str]:
    """Path and class of the module that called `node`, as torch's exporter notes them; else the node's name and operator."""
    scopes, kinds = (_noted(node, key) for key in ("name_scopes", "class_hierarchy"))
    if len(scopes) < 2 or len(kinds) < 2:
        return node.name or "", node.op_type
    return str(scopes[-2]), str(kinds[-2]).rpartition(".")[2]


def _noted(node: ir.Node, key: str) -> list[Any]:
    """A list from the notes of torch's exporter; empty where there is none, or a foreign file says something else there."""
    try:
        found = ast.literal_eval(node.metadata_props.get(f"pkg.torch.onnx.{key}", "[]"))
    except (ValueError, SyntaxError, RecursionError, MemoryError):  # all that it raises
        return []
    return found if isinstance(found, list) else []


def shape_of(value: ir.Value | None) -> Shape | None:
    """The shape, where all of it is known."""
    if value is None or value.shape is None or not value.shape.is_static():
        return None
    return tuple(int(size) for size in value.shape.numpy())


def values_of(value: ir.Value | None) -> npt.NDArray[Any] | None:
    """The numbers of a constant."""
    tensor = None if value is None else ir.convenience.get_const_tensor(value)
    return None if tensor is None else np.asarray(tensor.numpy())


def number_of(value: ir.Value | None) -> float | None:
    """The one number of a constant that has one."""
    values = values_of(value)
    return float(values.reshape(())) if values is not None and values.size == 1 and values.dtype.kind in "fiu" else None


def attribute(node: ir.Node, name: str, default: Any) -> Any:
    found = node.attributes.get(name)
    return default if found is None else found.value


def only_user(value: ir.Value) -> ir.Node | None:
    """The node that uses `value`, where there is exactly one and it is no output."""
    users = list(value.uses())
    return users[0].node if len(users) == 1 and not value.is_graph_output() else None


def scaled_and_shifted(
    editor: OnnxEditor, x: ir.Value, scale: npt.NDArray[np.float32], shift: npt.NDArray[np.float32]
) -> ir.Node:
    """`x * scale + shift`, `(N, C, h, w)` with two `(C,)`, as a depthwise 1x1 convolution.

    The weights of a convolution are the one kind of constant whose axes no converter mistakes.
    """
    name = f"{x.name}_{len(editor.model.graph.initializers)}"
    weight = editor.constant(f"{name}_scale", np.ascontiguousarray(scale.reshape(-1, 1, 1, 1), np.float32))
    bias = editor.constant(f"{name}_shift", np.ascontiguousarray(shift.reshape(-1), np.float32))
    return ir.node("Conv", [x, weight, bias], {"group": scale.size, "kernel_shape": [1, 1]})
