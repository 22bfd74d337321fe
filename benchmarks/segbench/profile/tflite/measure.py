"""Time per operator through LiteRT, which has no profiler that its Python package reaches: the graph is cut.

In each round the pieces run one after another on the values that the piece before them made, and only the runs are timed. The
whole file and a few prefixes of its graph run in the same rounds, in random order: the pieces' sum is checked against both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segbench.errors import ProfileError
from segbench.process.interrupt import Interrupt
from segbench.process.job import Job
from segbench.profile.clock import Clock, choose_clock
from segbench.profile.part import Part, Prefix, Taken, joined, rounded_ms
from segbench.profile.rounds import run_rounds
from segbench.profile.tflite.graph import Graph, read_graph
from segbench.profile.tflite.partition import delegated
from segbench.profile.tflite.pieces import LiteRt, Piece, open_pieces
from segruntime import Segmenter

XNNPACK, BUILTIN = "XNNPACK", "LiteRT"
_PREFIXES = 4  # at a quarter, a half and three quarters of the parts
_FLOAT_TOLERANCE = 1e-3  # of the largest output


def measure_tflite(job: Job, segmenter: Segmenter, tensor: npt.NDArray[Any], interrupt: Interrupt) -> Taken:
    """`tensor`: an input of the model, as `segmenter.preprocess` makes it.

    Raises:
        ProfileError: the graph cannot be cut, or its pieces compute something else. MissingExtraError: no ai-edge-litert.
    """
    graph = read_graph(segmenter.path)
    litert = LiteRt(segmenter.path, segmenter.threads)
    on_xnnpack = delegated(litert.whole)
    pieces = open_pieces(litert, graph, on_xnnpack)
    clock = choose_clock(segmenter.threads)
    chain, whole = _Chain(graph, pieces, clock), _Whole(litert.whole, clock)
    _check_same(segmenter, chain, whole, tensor)
    counts, prefixes = _prefixes(litert, graph, pieces)
    steps = [lambda: whole.seconds(tensor), lambda: chain.seconds(tensor), *_steps(prefixes, tensor, clock)]
    rows = run_rounds(steps, job, interrupt)
    return Taken(
        clock=clock.name,
        parts=tuple(_part(graph, piece, on_xnnpack, [row[1][k] for row in rows]) for k, piece in enumerate(pieces)),
        whole_ms=rounded_ms(row[0][0] for row in rows),
        profiled_ms=None,
        prefixes=tuple(
            Prefix(parts=count, values_ms=rounded_ms(row[2 + k][0] for row in rows)) for k, count in enumerate(counts)
        ),
        unpacking=len(graph.unpacking),
    )


class _Whole:
    def __init__(self, interpreter: Any, clock: Clock) -> None:
        self.interpreter, self._clock = interpreter, clock
        self._input = interpreter.get_input_details()[0]["index"]
        self._output = interpreter.get_output_details()[0]["index"]

    def seconds(self, tensor: npt.NDArray[Any]) -> list[float]:
        self.interpreter.set_tensor(self._input, tensor)
        return [_invoke_seconds(self.interpreter, self._clock)]

    def output(self) -> npt.NDArray[Any]:
        return np.asarray(self.interpreter.get_tensor(self._output))


class _Chain:
    def __init__(self, graph: Graph, pieces: Sequence[Piece], clock: Clock) -> None:
        self._graph, self._pieces, self._clock = graph, pieces, clock
        self._makers = {tensor: piece for piece in pieces for tensor in piece.outputs}

    def seconds(self, tensor: npt.NDArray[Any]) -> list[float]:
        return [self._piece_seconds(piece, tensor) for piece in self._pieces]

    def output(self) -> npt.NDArray[Any]:
        last = self._graph.outputs[0]
        return np.array(self._makers[last].view(last))

    def _piece_seconds(self, piece: Piece, tensor: npt.NDArray[Any]) -> float:
        for number in piece.inputs:
            maker = self._makers.get(number)
            piece.give(number, tensor if maker is None else maker.view(number))
        return _invoke_seconds(piece.interpreter, self._clock)


def _invoke_seconds(interpreter: Any, clock: Clock) -> float:
    start = clock.now()
    interpreter.invoke()
    return clock.now() - start


def _check_same(segmenter: Segmenter, chain: _Chain, whole: _Whole, tensor: npt.NDArray[Any]) -> None:
    """The times of pieces that compute something else would mean nothing."""
    try:
        whole.seconds(tensor)
        chain.seconds(tensor)
    except (ValueError, RuntimeError) as error:
        message = " ".join(str(error).split())[:200]
        raise ProfileError(
            f"{segmenter.path}: cut into operators it does not run ({message}); its shapes may depend on its values"
        ) from error
    expected, found = whole.output().astype(np.float64), chain.output().astype(np.float64)
    kind = whole.output().dtype
    allowed = 1.0 if kind.kind in "iu" else _FLOAT_TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if expected.shape != found.shape or not np.abs(expected - found).max() <= allowed:
        raise ProfileError(
            f"{segmenter.path}: cut into operators it gives another output than as a whole, so their times would mean "
            "nothing; segbench without profile measures it as a whole"
        )


def _prefixes(litert: LiteRt, graph: Graph, pieces: Sequence[Piece]) -> tuple[list[int], list[Piece]]:
    """The first so many parts as one graph each."""
    counts = sorted({len(pieces) * k // _PREFIXES for k in range(1, _PREFIXES)} - {0})
    return counts, [litert.piece(graph, [one for piece in pieces[:n] for one in piece.operators]) for n in counts]


def _steps(prefixes: Sequence[Piece], tensor: npt.NDArray[Any], clock: Clock) -> list[Callable[[], list[float]]]:
    def step(piece: Piece) -> Callable[[], list[float]]:
        def seconds() -> list[float]:
            for number in piece.inputs:
                piece.give(number, tensor)
            return [_invoke_seconds(piece.interpreter, clock)]

        return seconds

    return [step(piece) for piece in prefixes]


def _part(graph: Graph, piece: Piece, on_xnnpack: frozenset[int], seconds: Sequence[float]) -> Part:
    last = piece.operators[-1].outputs[0]
    return Part(
        kind=joined(one.kind for one in piece.operators),
        name=graph.name(last),
        shape=graph.shape(last),
        place=joined(XNNPACK if one.index in on_xnnpack else BUILTIN for one in piece.operators),
        operators=len(piece.operators),
        values_ms=rounded_ms(seconds),
    )
