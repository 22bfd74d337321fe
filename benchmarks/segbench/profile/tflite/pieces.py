"""A .tflite as a chain of pieces, each in an interpreter of its own; together they compute what the whole does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from segbench.errors import ProfileError
from segbench.profile.tflite.cut import cut, in_order
from segbench.profile.tflite.graph import Graph, Operator
from segbench.profile.tflite.merge import merged
from segbench.profile.tflite.partition import delegated
from segruntime.errors import MissingExtraError


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """`inputs` and `outputs`: number of a tensor in the whole graph → its number in `interpreter`."""

    operators: tuple[Operator, ...]
    interpreter: Any
    inputs: dict[int, int]
    outputs: dict[int, int]

    def give(self, tensor: int, values: npt.NDArray[Any]) -> None:
        """Set an input."""
        self.interpreter.set_tensor(self.inputs[tensor], values)

    def view(self, tensor: int) -> npt.NDArray[Any]:
        """An output without a copy; let go of it before the next run."""
        found: npt.NDArray[Any] = self.interpreter.tensor(self.outputs[tensor])()
        return found


class LiteRt:
    """Opens interpreters, all with the same threads and either all with XNNPACK or none."""

    def __init__(self, path: Path, threads: int) -> None:
        """Raises ProfileError: neither works."""
        self._module, self._threads, self._options = _module(), threads, dict[str, Any]()
        try:
            self.whole = self._open(model_path=str(path))
        except (ValueError, RuntimeError):
            # as segruntime does: a file that XNNPACK cannot prepare runs without it
            self._options = {
                "experimental_op_resolver_type": self._module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            }
            self.whole = self._open(model_path=str(path))

    def piece(self, graph: Graph, operators: Sequence[Operator]) -> Piece:
        """Raises ValueError, RuntimeError: LiteRT refuses these operators alone."""
        interpreter = self._open(model_content=cut(graph, operators))
        return Piece(
            operators=tuple(operators),
            interpreter=interpreter,
            inputs=_numbers(graph.needs(operators), interpreter.get_input_details()),
            outputs=_numbers(graph.gives(operators), interpreter.get_output_details()),
        )

    def _open(self, **source: Any) -> Any:
        interpreter = self._module.Interpreter(**source, num_threads=self._threads, **self._options)
        interpreter.allocate_tensors()
        return interpreter


def open_pieces(litert: LiteRt, graph: Graph, on_xnnpack: frozenset[int]) -> list[Piece]:
    """One piece for each operator, or for those that XNNPACK turns into one, in the order in which they run.

    What alone is refused, or runs elsewhere than in the whole graph, shares a piece with what comes after it (the last one with
    what is before). `on_xnnpack`: numbers of the operators that XNNPACK has in the whole graph.

    Raises:
        ProfileError: not even all operators together run as they do in the file.
    """
    pieces: list[Piece] = []
    waiting: list[Operator] = []
    for operators in merged(graph, on_xnnpack):
        waiting.extend(operators)
        piece = _same_place(litert, graph, waiting, on_xnnpack)
        if piece is not None:
            pieces.append(piece)
            waiting = []
    while waiting:
        if not pieces:
            raise ProfileError("the graph, cut out of its file, runs elsewhere than in it; its parts cannot be timed")
        waiting = [*pieces.pop().operators, *waiting]
        piece = _same_place(litert, graph, waiting, on_xnnpack)
        if piece is not None:
            pieces.append(piece)
            waiting = []
    return pieces


def _same_place(
    litert: LiteRt, graph: Graph, operators: Sequence[Operator], on_xnnpack: frozenset[int]
) -> Piece | None:
    try:
        piece = litert.piece(graph, operators)
    except (ValueError, RuntimeError):
        return None
    order = in_order(graph, operators)
    found = {order[node].index for node in delegated(piece.interpreter)}
    wanted = [one.index for one in operators]
    return piece if found.intersection(wanted) == on_xnnpack.intersection(wanted) else None


def _numbers(tensors: Sequence[int], details: Sequence[dict[str, Any]]) -> dict[int, int]:
    return {tensor: int(detail["index"]) for tensor, detail in zip(tensors, details, strict=True)}


def _module() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise MissingExtraError("the profile of a .tflite", "ai-edge-litert", "tflite") from error
    return interpreter
