"""A foreign .onnx as it comes: read, checked against what can be converted, its one image input and its one output found.

`onnx` is imported inside the functions: a process that imports tensorflow has to do that first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from segexport.errors import CheckpointError, MissingExtraError, shown
from segexport.networks.network import output_of
from segruntime.model_file.contract import MAX_SIDE

MAX_BYTES = 2**31 - 1  # protobuf's own limit
MAX_VALUES = 2**28  # of one tensor: 1 GiB as float32
OLDEST_OPSET = 11  # Slice and Pad take their numbers as inputs from here on
PREFERRED_OUTPUTS = ("out", "logits", "probability")
QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")
RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial")
_DOMAINS = ("", "ai.onnx")
_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """The one input: `(1, 3, H, W)` or `(1, H, W, 3)` float32; None for a side that may vary."""

    name: str
    layout: str
    height: int | None
    width: int | None

    def size_for(self, path: Path, size: tuple[int, int] | None) -> tuple[int, int]:
        """(height, width) to build for.

        Raises:
            ValueError: `size` is not what the model in `path` takes, or is needed and missing.
        """
        fixed = (self.height, self.width)
        if size is None:
            if fixed[0] is None or fixed[1] is None:
                raise ValueError(f"{path}: takes pictures of any size; say which one to build for: --size HEIGHTxWIDTH")
            size = (fixed[0], fixed[1])
        for side, given in zip(fixed, size, strict=True):
            if side is not None and side != given:
                takes = f"{fixed[0] or 'any'}x{fixed[1] or 'any'}"
                raise ValueError(f"--size {size[0]}x{size[1]}: {path} takes {takes} only; leave --size out")
        if max(size) > MAX_SIDE:
            raise ValueError(f"{size[0]}x{size[1]}: at most {MAX_SIDE} pixels each way; give a smaller --size")
        return size


class ForeignOnnx:
    """A file as it comes: `model`, a ModelProto, in the file `path`.

    Every method raises CheckpointError, in one line, for what cannot be converted or does not fit together.
    """

    def __init__(self, path: Path, model: Any) -> None:
        self.path, self.model = path, model

    @classmethod
    def read(cls, path: Path) -> ForeignOnnx:
        """The file, as far as protobuf can tell.

        Raises:
            CheckpointError: no such file, too large, or no ONNX model.
            MissingExtraError: onnx is not installed.
        """
        try:
            import onnx

            decode_error: type[Exception] = import_module("google.protobuf.message").DecodeError
        except ImportError as error:
            raise MissingExtraError("onnx", "export") from error
        if not path.is_file():
            found = "is a folder" if path.is_dir() else "no such file"
            raise CheckpointError(f"{path}: {found}, expected an .onnx file. Check the path")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise CheckpointError(
                f"{path}: {size:,} bytes, an ONNX file has at most {MAX_BYTES:,}. Give the checkpoint"
            )
        try:
            read = cls(path, onnx.ModelProto.FromString(path.read_bytes()))
        except (decode_error, ValueError, RuntimeError) as error:
            raise damaged(path, "it is cut off, or no ONNX model") from error
        if not read.model.graph.node or not read.model.opset_import:
            raise damaged(path, "it holds no network")
        return read

    @property
    def parameters(self) -> int:
        """Floating values among the weights."""
        import onnx

        kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
        return sum(math.prod(tensor.dims) for tensor in self.model.graph.initializer if tensor.data_type in kinds)

    def check(self) -> None:
        """Refuse what cannot be converted, or does not fit together as far as Python can tell."""
        self._check_opset()
        self._check_names()
        self._check_initializers()
        for node in all_nodes(self.model.graph):
            self._check_node(node)
        if self.model.functions:
            raise CheckpointError(
                f"{self.path}: holds {len(self.model.functions)} functions of its own, expected plain operators. "
                "Export it again without export_modules_as_functions"
            )

    def _check_opset(self) -> None:
        import onnx

        version, newest = opset_of(self.model), onnx.defs.onnx_opset_version()
        if not OLDEST_OPSET <= version <= newest:
            raise CheckpointError(
                f"{self.path}: its operators are those of opset {version}, expected {OLDEST_OPSET} to {newest}. "
                "Export it again, with opset_version=18"
            )

    def _check_names(self) -> None:
        """protobuf gives bytes where a text is not UTF-8."""
        graph = self.model.graph
        names = [value.name for values in (graph.input, graph.output) for value in values]
        names += [tensor.name for tensor in tensors_of(graph)]
        for node in all_nodes(graph):
            names += [node.name, node.op_type, node.domain, *node.input, *node.output]
        if not all(isinstance(name, str) for name in names):
            raise damaged(self.path, "a name in it is no text")

    def _check_initializers(self) -> None:
        """Values must be in the file, and as many as their shape says."""
        for tensor in tensors_of(self.model.graph):
            name = shown(tensor.name)
            if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
                raise CheckpointError(
                    f"{self.path}: the values of {name} lie in another file, expected all in one. "
                    "Export it again with external_data=False, or onnx.save it with save_as_external_data=False"
                )
            shape, values = tuple(tensor.dims)[:8], math.prod(tensor.dims)
            if any(extent < 0 for extent in tensor.dims) or values > MAX_VALUES:
                raise damaged(self.path, f"{name} has the shape {shape}")
            held = _values_held(tensor)
            if held is not None and held != values:
                raise damaged(self.path, f"{name} holds {held:,} values, its shape {shape} needs another number")
        if self.model.graph.sparse_initializer:
            raise CheckpointError(f"{self.path}: holds sparse weights, expected plain ones. Export it dense")

    def _check_node(self, node: Any) -> None:
        kind = shown(node.op_type)
        if node.domain not in _DOMAINS:
            raise CheckpointError(
                f"{self.path}: uses the operator {kind} of {shown(node.domain)}, expected ONNX's own operators. "
                "Export it without it, or give the PyTorch checkpoint"
            )
        if kind == "MaxUnpool" or (kind == "MaxPool" and len(node.output) > 1 and node.output[1]):
            operator = "MaxUnpool" if kind == "MaxUnpool" else "MaxPool with indices"
            raise CheckpointError(
                f"{self.path}: uses {operator}, which no TFLite runtime has. "
                "Give the PyTorch checkpoint instead: there it is replaced by what does the same"
            )
        if kind in RANDOM or (kind == "BatchNormalization" and _is_set(node, "training_mode")):
            raise CheckpointError(
                f"{self.path}: is as it was in training ({kind}): another mask each time, or one that other pictures decide. "
                "Export it again after model.eval()"
            )
        if kind in QUANTIZED:
            raise CheckpointError(
                f"{self.path}: is quantised already ({kind}), expected a float32 model. "
                "Give the model from before its quantisation"
            )

    def image(self) -> ImageInput:
        """The one image that the model takes.

        Raises:
            CheckpointError: several inputs, or another type, rank, batch or number of channels.
        """
        import onnx

        stored = {tensor.name for tensor in self.model.graph.initializer}
        inputs = [value for value in self.model.graph.input if value.name not in stored]
        if len(inputs) != 1:
            names = ", ".join(shown(value.name) for value in inputs[:_NAMES_SHOWN]) or "none"
            raise CheckpointError(
                f"{self.path}: takes {len(inputs)} inputs ({names}), expected one image. Export it with one input"
            )
        value = inputs[0]
        where, kind = f"{self.path}: its input {shown(value.name)}", value.type.tensor_type.elem_type
        if kind != onnx.TensorProto.FLOAT:
            found = onnx.TensorProto.DataType.Name(kind) if kind in onnx.TensorProto.DataType.values() else "no tensor"
            raise CheckpointError(f"{where} is {found}, expected FLOAT. Export the network in float32")
        shape = [_extent(extent) for extent in value.type.tensor_type.shape.dim]
        said = f"({', '.join('?' if extent is None else str(extent) for extent in shape)})"
        layout = _layout(shape)
        if layout is None:
            raise CheckpointError(
                f"{where} has shape {said}, expected (1, 3, H, W) or (1, H, W, 3). Export it for RGB pictures"
            )
        if shape[0] not in (None, 1):
            raise CheckpointError(f"{where} has shape {said}, expected a batch of 1. Export it with batch 1")
        height, width = (shape[2], shape[3]) if layout == "NCHW" else (shape[1], shape[2])
        return ImageInput(name=value.name, layout=layout, height=height, width=width)

    def output(self, asked: str | None) -> tuple[str | None, str | None]:
        """The name of the output that the mask is made of, None where it cannot be known; and a note where there was a choice.

        Args:
            asked: its name, or its index among the outputs; None where the user did not say.
        """
        import onnx

        outputs = {value.name: value.type.tensor_type.elem_type for value in self.model.graph.output}
        if not outputs:
            raise damaged(self.path, "it has no output")
        names = list(outputs)
        name = next((name for name in PREFERRED_OUTPUTS if name in outputs), names[0] if len(names) == 1 else None)
        if asked is not None:
            name = output_of(asked, names)
            if name is None:
                told = ", ".join(map(shown, names[:_NAMES_SHOWN]))
                raise CheckpointError(
                    f"{self.path}: --output-index {asked}: its {len(names)} outputs are {told}; "
                    "give one of them, or its number from 0"
                )
        if name is None:
            return None, None
        if outputs[name] not in (onnx.TensorProto.FLOAT, onnx.TensorProto.UNDEFINED):
            kind = onnx.TensorProto.DataType.Name(outputs[name])
            raise CheckpointError(
                f"{self.path}: its output {shown(name)} is {kind}, the numbers of classes, expected FLOAT scores. "
                "Export it without ArgMax at its end"
            )
        others = [shown(other) for other in outputs if other != name]
        note = f"{shown(name)} is the output that is used; not {', '.join(others[:_NAMES_SHOWN])}." if others else None
        return name, note


def damaged(path: Path, found: str) -> CheckpointError:
    """One line for a file whose parts do not fit together."""
    return CheckpointError(
        f"{path}: damaged ONNX file: {found}. Expected a model as torch.onnx.export writes it. "
        "Copy it again, or export it again"
    )


def opset_of(model: Any) -> int:
    """The version of ONNX's own operators."""
    return max((int(entry.version) for entry in model.opset_import if entry.domain in _DOMAINS), default=0)


def all_nodes(graph: Any) -> Iterator[Any]:
    """Every node, also those in the branches of If and Loop; protobuf itself limits the depth."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from all_nodes(inner)


def tensors_of(graph: Any) -> Iterator[Any]:
    """Every stored tensor: initializers and constants, also those in branches."""
    yield from graph.initializer
    for node in all_nodes(graph):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                yield from inner.initializer


def _values_held(tensor: Any) -> int | None:
    """Values in the file; None where their number cannot be told (strings, half-byte types)."""
    import onnx

    try:
        width = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, ValueError):
        return None
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data) // width if len(tensor.raw_data) % width == 0 else -1
    if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64):
        return max(len(tensor.float_data), len(tensor.double_data), len(tensor.int64_data))
    return None


def _is_set(node: Any, name: str) -> bool:
    return any(attribute.name == name and attribute.i for attribute in node.attribute)


def _layout(shape: list[int | None]) -> str | None:
    """Where three channels are, or may be: an input whose every extent varies is laid out as ONNX's operators are."""
    if len(shape) != 4:
        return None
    if shape[1] == 3:
        return "NCHW"
    if shape[3] == 3:
        return "NHWC"
    return "NCHW" if shape[1] is None else None


def _extent(dimension: Any) -> int | None:
    """A fixed extent; None for one that may vary, which some writers put down as 0 or -1."""
    return int(dimension.dim_value) if dimension.HasField("dim_value") and dimension.dim_value > 0 else None
