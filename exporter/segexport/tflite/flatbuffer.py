"""The one module that reads and writes flatbuffers: a .tflite as a graph that can be changed, and tables by field number.

Graphs are read with LiteRT's own schema, into its objects (`OperatorT`, `TensorT`). Their weights are not copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_NUMPY = ("FLOAT16", "FLOAT32", "FLOAT64", "INT8", "UINT8", "INT16", "INT32", "INT64")
"""Types of tensors that numpy has under the same name."""


def read_graph(path: Path) -> Graph:
    """The main subgraph of a file that a converter of ours, or the quantizer, has written: offsets are not checked."""
    return parse_graph(path.read_bytes())


def parse_graph(data: bytes | bytearray) -> Graph:
    """The main subgraph of a file's bytes; weights that lie behind the flatbuffer are in it from now on."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(data)
    for buffer in model.buffers:
        if buffer.data is not None:  # an array is written at once, anything else byte by byte
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    return Graph(model)


def new(table: str, **fields: Any) -> Any:
    """An object of the schema: `new("Tensor", name="image")` is a `TensorT`."""
    made = getattr(_schema(), f"{table}T")()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


class Graph:
    """A subgraph of `model` (`ModelT`), the main one unless told otherwise; tensors go by their index in it.

    What is written is the whole model.
    """

    def __init__(self, model: Any, number: int = 0) -> None:
        self.model, self.main = model, model.subgraphs[number]

    @property
    def operators(self) -> list[Any]:
        """In the order in which they run."""
        return list(self.main.operators or ())

    def kind(self, operator: Any) -> str:
        """`CONV_2D`; `CUSTOM` for what the schema does not name."""
        return _names("BuiltinOperator").get(_number(self.model.operatorCodes[operator.opcodeIndex]), "CUSTOM")

    def inputs(self, operator: Any) -> list[int]:
        """Without the optional ones that are left out."""
        return [int(index) for index in (() if operator.inputs is None else operator.inputs) if index >= 0]

    def maker(self, index: int) -> Any:
        """The operator that writes a tensor; None for constants and inputs."""
        return next((operator for operator in self.operators if index in operator.outputs), None)

    def readers(self, index: int) -> list[Any]:
        return [operator for operator in self.operators if index in operator.inputs]

    def tensor(self, index: int) -> Any:
        return self.main.tensors[index]

    def name(self, index: int) -> str:
        name = self.tensor(index).name
        return name if isinstance(name, str) else str(bytes(name).decode())

    def shape(self, index: int) -> tuple[int, ...]:
        shape = self.tensor(index).shape
        return () if shape is None else tuple(map(int, shape))

    def type(self, index: int) -> str:
        """`FLOAT32`."""
        return _names("TensorType")[self.tensor(index).type]

    def constant(self, index: int) -> npt.NDArray[Any] | None:
        """What is stored of a tensor, `(n,)` of its type, or uint8 where numpy has no such type; None where nothing is."""
        data, kind = self.model.buffers[self.tensor(index).buffer].data, self.type(index)
        if data is None or not len(data):
            return None
        return np.asarray(data, np.uint8).view(kind.lower() if kind in _NUMPY else np.uint8)

    def add_tensor(self, name: str, shape: Sequence[int], kind: str = "FLOAT32", buffer: int = 0) -> int:
        """A tensor that an operator will fill, or that is stored in `buffer`; gives its index."""
        number = getattr(_schema().TensorType, kind)
        return self._add(new("Tensor", name=name, shape=list(shape), type=number, buffer=buffer))

    def add_constant(self, name: str, values: npt.NDArray[Any]) -> int:
        """A tensor of this shape and type; gives its index."""
        return self.add_tensor(name, values.shape, values.dtype.name.upper(), self.add_buffer(values))

    def add_buffer(self, values: npt.NDArray[Any]) -> int:
        self.model.buffers.append(new("Buffer", data=np.frombuffer(values.tobytes(), np.uint8)))
        return len(self.model.buffers) - 1

    def add_like(self, index: int, word: str, shape: Sequence[int]) -> int:
        """A tensor with everything of another one but this shape, and `word` behind its name; gives its index."""
        made = copy(self.tensor(index))
        made.name, made.shape, made.shapeSignature = f"{self.name(index)}_{word}", list(shape), None
        return self._add(made)

    def operator(self, kind: str, inputs: Sequence[int], output: int, *, version: int = 1, options: Any = None) -> Any:
        """A new one, not yet among the others. `options`: made by `new`."""
        made = new("Operator", opcodeIndex=self.code(kind, version), inputs=list(inputs), outputs=[output])
        if options is not None:
            set_options(made, options)
        return made

    def code(self, kind: str, version: int) -> int:
        """The index of an operator code of this version or a newer one; added where there is none."""
        number = getattr(_schema().BuiltinOperator, kind)
        for index, code in enumerate(self.model.operatorCodes):
            if _number(code) == number and code.version >= version:
                return index
        made = new("OperatorCode", builtinCode=number, deprecatedBuiltinCode=number, version=version)
        self.model.operatorCodes.append(made)
        return len(self.model.operatorCodes) - 1

    def packed(self) -> bytes:
        from ai_edge_litert.tools import flatbuffer_utils

        return bytes(flatbuffer_utils.convert_object_to_bytearray(self.model))

    def write(self, path: Path) -> None:
        path.write_bytes(self.packed())

    def _add(self, tensor: Any) -> int:
        self.main.tensors.append(tensor)
        return len(self.main.tensors) - 1


def set_options(operator: Any, options: Any) -> None:
    kind = type(options).__name__.removesuffix("T")
    operator.builtinOptions, operator.builtinOptionsType = options, getattr(_schema().BuiltinOptions, kind)


def _number(code: Any) -> int:
    """The older of the two fields holds 7 bits, and files of old converters have it alone."""
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


@cache
def _names(enum: str) -> dict[int, str]:
    return {number: name for name, number in vars(getattr(_schema(), enum)).items() if isinstance(number, int)}


def _schema() -> Any:
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


class TableWriter:
    """A flatbuffer of a schema that LiteRT does not ship, by field number, from the inside out: what a table refers to is
    written before it."""

    def __init__(self) -> None:
        import flatbuffers

        self._builder: Any = flatbuffers.Builder(1024)

    def text(self, text: str) -> int:
        return int(self._builder.CreateString(text))

    def floats(self, values: Sequence[float]) -> int:
        return int(self._builder.CreateNumpyVector(np.array(values, np.float32)))

    def octets(self, data: bytes, alignment: int) -> int:
        self._builder.StartVector(1, len(data), alignment)
        for octet in reversed(data):
            self._builder.PrependByte(octet)
        return int(self._builder.EndVector())

    def tables(self, tables: Sequence[int]) -> int:
        self._builder.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            self._builder.PrependUOffsetTRelative(table)
        return int(self._builder.EndVector())

    def table(
        self,
        offsets: Mapping[int, int],
        numbers: Mapping[int, int] | None = None,
        sizes: Mapping[int, int] | None = None,
    ) -> int:
        """Field number → what was written before; `numbers` are bytes, `sizes` 32-bit integers without sign."""
        numbers, sizes = numbers or {}, sizes or {}
        self._builder.StartObject(max((*offsets, *numbers, *sizes), default=-1) + 1)
        for slot, offset in offsets.items():
            self._builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, size in sizes.items():
            self._builder.PrependUint32Slot(slot, size, 0)
        for slot, number in numbers.items():
            self._builder.PrependInt8Slot(slot, number, 0)
        return int(self._builder.EndObject())

    def finish(self, offsets: Mapping[int, int], identifier: str) -> bytes:
        self._builder.Finish(self.table(offsets), identifier.encode())
        return bytes(self._builder.Output())
