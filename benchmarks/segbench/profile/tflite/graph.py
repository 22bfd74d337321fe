"""What a .tflite does, read from its flatbuffer: operators in the order in which they run, and the tensors between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segbench.errors import ProfileError
from segruntime.errors import MissingExtraError

_IDENTIFIER = b"TFL3"
_STATEFUL = frozenset({"CALL_ONCE", "IF", "WHILE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """`inputs` and `outputs` are numbers of tensors; optional inputs that are left out are not among them."""

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The main subgraph. `model`: the file as objects of LiteRT's schema (`ModelT`), which nobody changes.

    `constants`: tensors that are known before anything runs: stored ones, and what `unpacking` makes of them. `unpacking`:
    operators that read nothing but constants, such as the DEQUANTIZE of a float16 weight, which run once. `operators`: the
    others.
    """

    model: Any
    operators: tuple[Operator, ...]
    unpacking: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constants: frozenset[int]

    def name(self, tensor: int) -> str:
        """As the converter called it."""
        return str(_text(self._tensor(tensor).name))

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Empty for a scalar."""
        shape = self._tensor(tensor).shape
        return () if shape is None else tuple(int(n) for n in shape)

    def needs(self, operators: Iterable[Operator]) -> tuple[int, ...]:
        """The tensors that have to be given to `operators` for them to run, in order of their numbers."""
        inside = list(operators)
        made = {tensor for one in inside for tensor in one.outputs}
        return tuple(sorted({tensor for one in inside for tensor in one.inputs} - made - self.constants))

    def gives(self, operators: Iterable[Operator]) -> tuple[int, ...]:
        """The tensors of `operators` that others read, or that are the network's outputs, in order of their numbers."""
        inside = list(operators)
        within = {one.index for one in inside}
        read = {tensor for one in self.operators if one.index not in within for tensor in one.inputs}
        made = {tensor for one in inside for tensor in one.outputs}
        return tuple(sorted(made & (read | set(self.outputs))))

    def _tensor(self, tensor: int) -> Any:
        return self.model.subgraphs[0].tensors[tensor]


def read_graph(path: Path) -> Graph:
    """The graph in `path`, which has been loaded before: its offsets are not checked again here.

    Raises:
        MissingExtraError: there is no ai-edge-litert, whose schema it is read with.
        ProfileError: it holds state or more than one subgraph, so that it cannot be cut.
    """
    schema = schema_module()
    data = path.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    _fetch_outside_buffers(model, data)
    subgraph = model.subgraphs[0]
    kinds = _kind_names(schema, model)
    every = [
        Operator(index=k, kind=kinds[one.opcodeIndex], inputs=_tensors(one.inputs), outputs=_tensors(one.outputs))
        for k, one in enumerate(subgraph.operators)
    ]
    _refuse_state(path, model, every)
    constants = {k for k, one in enumerate(subgraph.tensors) if _stored(model, one)}
    unpacking = []
    for one in every:
        if one.inputs and constants.issuperset(one.inputs):
            unpacking.append(one)
            constants.update(one.outputs)
    skipped = {one.index for one in unpacking}
    return Graph(
        model=model,
        operators=tuple(one for one in every if one.index not in skipped),
        unpacking=tuple(unpacking),
        inputs=_tensors(subgraph.inputs),
        outputs=_tensors(subgraph.outputs),
        constants=frozenset(constants),
    )


def schema_module() -> Any:
    """Raises MissingExtraError: ai-edge-litert is not installed; tflite_runtime has no schema."""
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise MissingExtraError("the profile of a .tflite", "ai-edge-litert", "tflite") from error
    return schema_py_generated


def packed(model: Any) -> bytes:
    """A `ModelT` as the flatbuffer of a file."""
    import flatbuffers

    builder = flatbuffers.Builder(sum(len(one.data) for one in model.buffers if one.data is not None) + 65536)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _fetch_outside_buffers(model: Any, data: bytes) -> None:
    """Large files keep weights behind the flatbuffer, found by offset and size; here they are like the others."""
    for buffer in model.buffers:
        if buffer.offset > 1:  # 0 and 1 stand for "not there"
            buffer.data = np.frombuffer(data, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0


def _kind_names(schema: Any, model: Any) -> list[str]:
    """For each operator code of `model`: `CONV_2D`, or the name of a custom one."""
    builtin = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    custom = schema.BuiltinOperator.CUSTOM
    names = []
    for code in model.operatorCodes:
        # the older field holds 7 bits, and the newer one is absent in older files
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        names.append(_text(code.customCode) if number == custom else builtin.get(number, f"operator {number}"))
    return names


def _refuse_state(path: Path, model: Any, operators: list[Operator]) -> None:
    stateful = [one.kind for one in operators if one.kind in _STATEFUL]
    if any(tensor.isVariable for tensor in model.subgraphs[0].tensors):
        stateful.append("a variable")
    if stateful:
        raise ProfileError(
            f"{path}: holds {stateful[0]}, so one run depends on the last and it cannot be cut into operators; "
            "segbench without profile measures it as a whole"
        )


def _stored(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _tensors(numbers: Any) -> tuple[int, ...]:
    return () if numbers is None else tuple(int(n) for n in numbers if n >= 0)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
