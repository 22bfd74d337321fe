"""`segbench profile` of a .tflite, below the clock: what is cut where, what stays together, and who runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.places import SHARED

import segruntime
from segbench.errors import ProfileError
from segbench.frames.drawn import drawn_frame
from segbench.process.interrupt import Interrupt
from segbench.process.job import Effort, Job
from segbench.profile.tflite import measure as tflite_measure
from segbench.profile.tflite.cut import cut, in_order
from segbench.profile.tflite.graph import Graph, Operator, read_graph
from segbench.profile.tflite.merge import merged
from segbench.profile.tflite.partition import delegated
from segbench.profile.tflite.pieces import LiteRt, Piece, open_pieces
from segruntime.segmenter import BUNDLED

schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="ai-edge-litert is not installed")

FOREIGN = SHARED / "models"
needs_foreign = pytest.mark.skipif(not FOREIGN.is_dir(), reason="no foreign models next to this checkout")


def operator(index: int, kind: str, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Operator:
    return Operator(index=index, kind=kind, inputs=inputs, outputs=outputs)


def graph(*operators: Operator, outputs: tuple[int, ...], constants: frozenset[int] = frozenset()) -> Graph:
    """Tensor 0 is the input."""
    return Graph(model=None, operators=operators, unpacking=(), inputs=(0,), outputs=outputs, constants=constants)


# 0 → CONV → 1 → POOL → 2 → CONV → 3, and 1 skips ahead to CONCAT(1, 3) → 4
SKIP = graph(
    operator(0, "CONV_2D", (0, 9), (1,)),
    operator(1, "MAX_POOL_2D", (1,), (2,)),
    operator(2, "CONV_2D", (2, 9), (3,)),
    operator(3, "CONCATENATION", (1, 3), (4,)),
    outputs=(4,),
    constants=frozenset({9}),
)


class Nodes:
    """What an interpreter tells of its operators."""

    def __init__(self, *nodes: tuple[str, list[int], list[int]]) -> None:
        self._nodes = nodes

    def _get_ops_details(self) -> list[dict[str, Any]]:
        return [
            {"index": k, "op_name": name, "inputs": inputs, "outputs": outputs}
            for k, (name, inputs, outputs) in enumerate(self._nodes)
        ]


def values(pieces: list[Piece], source: Graph, tensor: Any) -> Any:
    """The output of the chain."""
    known = {source.inputs[0]: tensor}
    for piece in pieces:
        for number in piece.inputs:
            piece.give(number, known[number])
        piece.interpreter.invoke()
        known.update({number: np.array(piece.view(number)) for number in piece.outputs})
    return known[source.outputs[0]]


def whole(litert: LiteRt, tensor: Any) -> Any:
    litert.whole.set_tensor(litert.whole.get_input_details()[0]["index"], tensor)
    litert.whole.invoke()
    return litert.whole.get_tensor(litert.whole.get_output_details()[0]["index"])


def some_input(litert: LiteRt) -> Any:
    detail = litert.whole.get_input_details()[0]
    rng = np.random.default_rng(7)
    if detail["dtype"] == np.float32:
        return rng.random(detail["shape"], np.float32)
    return rng.integers(0, 100, detail["shape"]).astype(detail["dtype"])


def test_a_prefix_gives_everything_that_the_rest_reads() -> None:
    """The skip connection too: left out, it would be dropped as unused, and its time with it."""
    assert SKIP.needs(SKIP.operators[:2]) == (0,)
    assert SKIP.gives(SKIP.operators[:2]) == (1, 2)
    assert SKIP.gives(SKIP.operators[:3]) == (1, 3)
    assert SKIP.needs(SKIP.operators[3:]) == (1, 3)
    assert SKIP.gives(SKIP.operators) == (4,)


def test_output_that_is_read_inside_is_given_all_the_same() -> None:
    found = graph(operator(0, "RELU", (0,), (1,)), operator(1, "LOGISTIC", (1,), (2,)), outputs=(1, 2))
    assert found.gives(found.operators) == (1, 2)


def test_delegated_is_what_lies_between_a_group_and_its_tensors() -> None:
    """Node 1 stays, between two groups of which the first has two operators."""
    found = delegated(
        Nodes(
            ("CONV_2D", [0, 9, -1], [1]),
            ("CUSTOM", [2], [3]),
            ("RELU", [1], [2]),
            ("LOGISTIC", [3], [4]),
            ("DELEGATE", [0, 9], [2]),
            ("DELEGATE", [3], [4]),
        )
    )
    assert found == {0, 2, 3}


def test_nothing_is_delegated_without_a_delegate() -> None:
    assert delegated(Nodes(("CONV_2D", [0, 9], [1]))) == frozenset()


def test_a_library_that_does_not_list_its_operators_is_named() -> None:
    with pytest.raises(ProfileError, match=r"does not list its operators.*ai-edge-litert 2\.1 or newer"):
        delegated(object())


def merged_kinds(*operators: Operator, outputs: tuple[int, ...], on_xnnpack: set[int]) -> list[list[str]]:
    found = merged(graph(*operators, outputs=outputs), frozenset(on_xnnpack))
    return [[one.kind for one in group] for group in found]


def test_padding_goes_with_the_convolution_that_alone_reads_it() -> None:
    pad, conv = operator(0, "PAD", (0,), (1,)), operator(1, "DEPTHWISE_CONV_2D", (1,), (2,))
    assert merged_kinds(pad, conv, outputs=(2,), on_xnnpack={0, 1}) == [["PAD", "DEPTHWISE_CONV_2D"]]
    assert merged_kinds(pad, conv, outputs=(2,), on_xnnpack={1}) == [["PAD"], ["DEPTHWISE_CONV_2D"]]
    assert merged_kinds(pad, conv, outputs=(1, 2), on_xnnpack={0, 1}) == [["PAD"], ["DEPTHWISE_CONV_2D"]]


def test_clamps_go_up_into_one_operator_after_another() -> None:
    pad, conv = operator(0, "PAD", (0,), (1,)), operator(1, "CONV_2D", (1,), (2,))
    relu, logistic = operator(2, "RELU", (2,), (3,)), operator(3, "LOGISTIC", (3,), (4,))
    found = merged_kinds(pad, conv, relu, logistic, outputs=(4,), on_xnnpack={0, 1, 2, 3})
    assert found == [["PAD", "CONV_2D", "RELU"], ["LOGISTIC"]]


def test_what_is_merged_stands_where_its_last_operator_is() -> None:
    """The ADD must wait for the RELU of the branch next to it."""
    first, second = operator(0, "CONV_2D", (0,), (1,)), operator(1, "HARD_SWISH", (0,), (2,))
    relu, add = operator(2, "RELU", (1,), (3,)), operator(3, "ADD", (2, 3), (4,))
    found = merged_kinds(first, second, relu, add, outputs=(4,), on_xnnpack={0, 1, 2, 3})
    assert found == [["HARD_SWISH"], ["CONV_2D", "RELU"], ["ADD"]]


def test_the_bundled_model_in_pieces_computes_what_it_does_as_a_whole() -> None:
    path = BUNDLED["tflite"]
    source, litert = read_graph(path), LiteRt(path, 1)
    on_xnnpack = delegated(litert.whole)
    first, *between, last = (one.index for one in source.operators)
    assert on_xnnpack == set(between), (
        first,
        last,
    )  # its ends turn bytes into int8 and back, which XNNPACK has no operator for
    pieces = open_pieces(litert, source, on_xnnpack)
    assert sum(len(one.operators) for one in pieces) == len(source.operators)
    assert len(pieces) > len(source.operators) / 2
    tensor = some_input(litert)
    np.testing.assert_array_equal(values(pieces, source, tensor), whole(litert, tensor))


def test_weights_in_a_piece_are_aligned_as_kernels_expect() -> None:
    source = read_graph(BUNDLED["tflite"])
    checked = 0
    for one in source.operators:
        blob = cut(source, [one])
        for tensor in one.inputs:
            data = source.model.buffers[source.model.subgraphs[0].tensors[tensor].buffer].data
            if data is not None and len(data) >= 64:
                assert blob.find(bytes(data)) % 16 == 0
                checked += 1
    assert checked > 20


def test_weights_behind_the_flatbuffer_are_found(tmp_path: Path) -> None:
    """As in files above 2 GB: the buffer holds an offset and a size."""
    import flatbuffers

    path = BUNDLED["tflite"]
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    number, large = max(enumerate(model.buffers), key=lambda one: 0 if one[1].data is None else len(one[1].data))
    weights, large.data = bytes(large.data), None
    large.offset, large.size = 2**31, len(weights)  # room for the true offset
    for _ in range(2):
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        packed = bytes(builder.Output())
        large.offset = len(packed)
    (tmp_path / "large.tflite").write_bytes(packed + weights)
    found = read_graph(tmp_path / "large.tflite")
    assert bytes(found.model.buffers[number].data) == weights
    assert found.constants == read_graph(path).constants


@needs_foreign
def test_a_model_of_others_runs_partly_without_xnnpack() -> None:
    """Its uint8 picture becomes int8 first and uint8 last, which XNNPACK does not do."""
    path = FOREIGN / "mnv3_uint8.tflite"
    source, litert = read_graph(path), LiteRt(path, 1)
    on_xnnpack = delegated(litert.whole)
    assert [one.kind for one in source.operators if one.index not in on_xnnpack] == ["QUANTIZE", "QUANTIZE"]
    pieces = open_pieces(litert, source, on_xnnpack)
    assert sum(len(one.operators) for one in pieces) == len(source.operators)
    assert [one.operators[0].kind for one in pieces if len(one.operators) == 2] == ["PAD"] * 4
    tensor = some_input(litert)
    difference = np.abs(values(pieces, source, tensor).astype(int) - whole(litert, tensor).astype(int))
    assert difference.max() <= 1


@needs_foreign
def test_what_unpacks_float16_weights_is_no_part_and_comes_along() -> None:
    path = FOREIGN / "selfie_256.tflite"
    source, litert = read_graph(path), LiteRt(path, 1)
    assert {one.kind for one in source.unpacking} == {"DEQUANTIZE"}
    assert "DEQUANTIZE" not in {one.kind for one in source.operators}
    assert [one.kind for one in in_order(source, source.operators[:1])] == ["DEQUANTIZE", "DEQUANTIZE", "CONV_2D"]
    pieces = open_pieces(litert, source, delegated(litert.whole))
    tensor = some_input(litert)
    np.testing.assert_allclose(values(pieces, source, tensor), whole(litert, tensor), atol=1e-3)


@pytest.mark.parametrize("kind", ["WHILE", "VAR_HANDLE"])
def test_a_graph_with_state_is_refused(kind: str, tmp_path: Path) -> None:
    import flatbuffers

    model = schema.ModelT.InitFromPackedBuf(BUNDLED["tflite"].read_bytes(), 0)
    model.operatorCodes[0].builtinCode = getattr(schema.BuiltinOperator, kind)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path = tmp_path / "state.tflite"
    path.write_bytes(bytes(builder.Output()))
    with pytest.raises(ProfileError, match=f"state.tflite: holds {kind}, so one run depends on the last"):
        read_graph(path)


def test_what_runs_elsewhere_alone_shares_a_piece() -> None:
    """As if XNNPACK had taken all but the second operator: it alone, which XNNPACK does take, is not what the file does."""
    path = BUNDLED["tflite"]
    source, litert = read_graph(path), LiteRt(path, 1)
    every = frozenset(one.index for one in source.operators)
    with pytest.raises(ProfileError, match="runs elsewhere than in it"):
        open_pieces(litert, source, every - {1})


def test_pieces_that_compute_something_else_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = segruntime.load(BUNDLED["tflite"], threads=1)
    tensor = segmenter.preprocess(drawn_frame(320, 240))
    monkeypatch.setattr(tflite_measure._Chain, "output", lambda _: np.full((1, 256, 256, 1), 7, np.int8))
    with pytest.raises(ProfileError, match="gives another output than as a whole"):
        tflite_measure.measure_tflite(Job(effort=Effort(runs=1, seconds=0)), segmenter, tensor, Interrupt())
