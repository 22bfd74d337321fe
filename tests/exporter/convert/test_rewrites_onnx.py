"""A rewritten ONNX graph gives what the original gives, by onnxruntime and through the converter that got it wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from tests.each_case import each_case

from segexport.convert.rewrites.constant_operand import mistakable
from segexport.convert.rewrites.for_tf import prepare_for_tf
from segexport.convert.rewrites.rewrite import rewrite_onnx
from segexport.convert.setup.place import is_ready

Floats = npt.NDArray[np.float32]
NORM = {"s": (4,), "b": (4,), "m": (4,), "v": (4,)}
BATCH_NORM = "BatchNormalization (x, s, b, m, v)"


def weights(**shapes: tuple[int, ...]) -> dict[str, Floats]:
    """Uniform in 0.5..1.5, float32; those named `b…` and `m…` in -1..1."""
    random = np.random.default_rng(5)
    made = {name: random.random(shape, np.float32) for name, shape in shapes.items()}
    return {name: 2 * value - 1 if name[0] in "bm" else value + np.float32(0.5) for name, value in made.items()}


def graph(
    nodes: str, constants: dict[str, Floats], shape: Sequence[int] = (1, 4, 5, 3), opset: int = 18
) -> onnx.ModelProto:
    """From `image (shape)` to `out`; the constants are initializers."""
    form = ",".join(map(str, shape))
    opsets = f'<ir_version: 8, opset_import: ["" : {opset}]>'
    text = f"{opsets} net (float[{form}] image) => (float[] out) {{{nodes}}}"
    model = onnx.parser.parse_model(text)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in constants.items())
    shaped = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(shaped, full_check=True)
    return shaped


def rewritten(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, int]]:
    """The model after all rewrites, and how often each was used."""
    copy = ir.from_proto(model)
    done: dict[str, int] = {}
    for one in rewrite_onnx(copy):
        done[one.rewrite] = done.get(one.rewrite, 0) + one.count
    made = ir.to_proto(copy)
    onnx.checker.check_model(made, full_check=True)
    return made, done


def picture(shape: Sequence[int]) -> Floats:
    """Values in -1..1, a fifth of them zero, many alike."""
    random = np.random.default_rng(3)
    return np.round(random.uniform(-1, 1, shape), 1).astype(np.float32) * (random.random(shape) > 0.2)


def run(model: onnx.ModelProto) -> Floats:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {"image": picture(session.get_inputs()[0].shape).astype(np.float32)})
    return np.asarray(out, np.float32)


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def assert_same(model: onnx.ModelProto, expected: dict[str, int], *, atol: float = 2e-6) -> onnx.ModelProto:
    made, done = rewritten(model)
    assert done == expected
    np.testing.assert_allclose(run(made), run(model), rtol=1e-6, atol=atol)
    return made


@pytest.mark.parametrize(
    ("nodes", "more", "left"),
    [
        (f"x = Relu(image) out = {BATCH_NORM}", {}, ["Relu", "Conv"]),
        (f"x = Conv(image, w) out = {BATCH_NORM}", {"w": (4, 4, 3, 3)}, ["Conv"]),
        (f"x = Conv<group=2>(image, w, b1) out = {BATCH_NORM}", {"w": (4, 2, 1, 1), "b1": (4,)}, ["Conv"]),
        (f"x = ConvTranspose(image, w, b1) out = {BATCH_NORM}", {"w": (4, 4, 2, 2), "b1": (4,)}, ["ConvTranspose"]),
        (f"x = Conv(image, w) n = {BATCH_NORM} out = Add(n, x)", {"w": (4, 4, 1, 1)}, ["Conv", "Conv", "Add"]),
        (f"x = Relu(image) n = {BATCH_NORM} out = Conv(n, w, b1)", {"w": (2, 4, 3, 2), "b1": (2,)}, ["Relu", "Conv"]),
        (
            f"x = Relu(image) n = {BATCH_NORM} out = Conv<pads=[1,1,1,1]>(n, w)",
            {"w": (2, 4, 3, 3)},
            ["Relu", "Conv", "Conv"],
        ),
        (
            f"x = GlobalAveragePool(image) n = {BATCH_NORM} out = Add(n, image)",
            {},
            ["GlobalAveragePool", "Conv", "Add"],
        ),
    ],
)
def test_batch_norm_in_a_convolution_is_the_batch_norm(
    nodes: str, more: dict[str, tuple[int, ...]], left: list[str]
) -> None:
    model = graph(nodes.replace("BatchNormalization", "BatchNormalization<epsilon=0.01>"), weights(**NORM, **more))
    assert kinds(assert_same(model, {"batch_norm": 1}, atol=5e-6)) == left


def test_a_pixel_shuffle_to_one_channel_is_in_the_order_that_tflite_has() -> None:
    one = graph('out = DepthToSpace<blocksize=2, mode="CRD">(image)', {})
    made = assert_same(one, {"pixel_shuffle": 1}, atol=0)
    assert [onnx.helper.get_attribute_value(a) for a in made.graph.node[0].attribute if a.name == "mode"] == [b"DCR"]
    assert_same(graph('out = DepthToSpace<blocksize=2, mode="CRD">(image)', {}, (1, 8, 5, 3)), {}, atol=0)


def test_batch_norm_of_which_the_statistics_are_computed_is_left() -> None:
    nodes = f"m = ReduceMean<keepdims=0>(image, axes) x = Relu(image) out = {BATCH_NORM}"
    constants = weights(s=(4,), b=(4,), v=(4,)) | {"axes": np.array([0, 2, 3])}
    assert_same(graph(nodes, constants), {})


@each_case("operation", ["Add(x, c)", "Add(c, x)", "Sub(x, c)", "Sub(c, x)", "Mul(x, c)", "Mul(c, x)", "Div(x, c)"])
@each_case("form", [(1, 1, 4, 1), (4, 1), (1, 1, 1, 4), (1, 4, 1, 1), (1, 1, 4, 4), (1, 4, 4, 4), (4, 1, 4)])
def test_constant_operand_in_a_convolution_is_the_constant(operation: str, form: tuple[int, ...]) -> None:
    model = graph(f"x = Relu(image) out = {operation}", weights(c=form), (2, 4, 4, 4))
    assert "Conv" in kinds(assert_same(model, {"constant_operand": 1}))


@each_case(
    ("form", "shape", "expected"),
    [
        ((1, 1, 7, 1), (1, 3, 7, 7), True),  # rows, as many as columns
        ((1, 1, 7, 1), (1, 7, 7, 5), True),  # rows, as many as channels
        ((1, 1, 7, 1), (1, 3, 7, 5), False),
        ((1, 1, 1, 7), (1, 7, 5, 7), True),  # columns, as many as channels
        ((1, 1, 1, 7), (1, 3, 7, 7), True),  # columns, as many as rows
        ((1, 1, 1, 7), (1, 3, 5, 7), False),
        ((1, 7, 1, 1), (1, 7, 5, 7), True),  # channels, as many as columns
        ((1, 7, 1, 1), (1, 7, 5, 3), False),
        ((1, 1, 7, 7), (1, 3, 7, 7), False),
        ((1, 1, 1, 1), (1, 7, 7, 7), False),
    ],
)
def test_only_a_constant_that_fits_with_its_axes_turned_is_rewritten(
    form: tuple[int, ...], shape: tuple[int, ...], *, expected: bool
) -> None:
    assert mistakable(form, shape) is expected
    assert_same(
        graph("x = Relu(image) out = Mul(x, c)", weights(c=form), shape), {"constant_operand": 1} if expected else {}
    )


def test_a_quotient_with_the_constant_above_is_left() -> None:
    assert_same(graph("x = Exp(image) out = Div(c, x)", weights(c=(1, 1, 4, 1)), (1, 3, 4, 4)), {})


@pytest.mark.parametrize("note", ["['', 'net.norm', 'add']", "[", "(" * 9000, "7", "__import__('os')"])
def test_a_rewrite_is_told_with_its_module_whatever_a_foreign_file_notes(note: str) -> None:
    model = graph(f"x = Relu(image) out = {BATCH_NORM}", weights(**NORM))
    model.graph.node[1].name = "norm"
    for key in ("name_scopes", "class_hierarchy"):
        model.graph.node[1].metadata_props.add(key=f"pkg.torch.onnx.{key}", value=note)
    (told,) = rewrite_onnx(ir.from_proto(model))
    assert (told.module, told.kind) == (("net.norm", "norm") if "net" in note else ("norm", "BatchNormalization"))


def test_names_that_a_file_has_already_are_not_given_twice() -> None:
    constants = weights(**NORM) | {"x_folded_weight": np.ones(1, np.float32)}
    nodes = f"f = Mul(image, x_folded_weight) x = Conv(f, w) out = {BATCH_NORM}"
    assert_same(graph(nodes, constants | weights(w=(4, 4, 1, 1))), {"batch_norm": 1}, atol=5e-6)


ERF = "a = Mul(image, r) e = Erf(a) p = Add(e, one)"
NUMBERS = {"r": 0.5**0.5, "root": 2**0.5, "half": 0.5, "one": 1.0, "two": 2.0}


@each_case("opset", [11, 13, 18, 20])
@each_case(
    "nodes",
    [
        f"{ERF} q = Mul(image, p) out = Mul(half, q)",
        f"{ERF} q = Mul(p, half) out = Mul(q, image)",
        f"{ERF} q = Mul(image, half) out = Mul(q, p)",
        f"{ERF} q = Div(image, two) out = Mul(p, q)",
        f"{ERF} q = Mul(p, image) out = Div(q, two)",
        "a = Div(image, root) e = Erf(a) p = Add(one, e) q = Mul(image, half) out = Mul(p, q)",
    ],
)
def test_gelu_in_every_spelling_becomes_one_operator(nodes: str, opset: int) -> None:
    model = graph(nodes, {name: np.array(number, np.float32) for name, number in NUMBERS.items()}, opset=opset)
    made = assert_same(model, {"gelu": 1})
    assert kinds(made) == ["Gelu"]
    assert made.opset_import[0].version == 20


@each_case(
    "nodes",
    [
        f"{ERF} out = Mul(image, p)",  # twice the GELU
        f"{ERF} q = Mul(p, half) out = Mul(q, a)",  # another factor than what Erf is of
        f"{ERF} q = Mul(image, p) h = Mul(half, q) out = Add(h, p)",  # the sum is wanted elsewhere
        "a = Mul(image, half) e = Erf(a) p = Add(e, one) q = Mul(image, p) out = Mul(half, q)",
        "a = Mul(image, r) out = Erf(a)",
    ],
)
def test_what_only_looks_like_a_gelu_is_left(nodes: str) -> None:
    made = assert_same(graph(nodes, {name: np.array(number, np.float32) for name, number in NUMBERS.items()}), {})
    assert made.opset_import[0].version == 18


@each_case("before", ["Relu", "Neg"])
@each_case(
    "pool",
    [
        "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]",
        "kernel_shape=[2,2], strides=[2,2], ceil_mode=1",
        "kernel_shape=[5,2], strides=[3,1], pads=[2,0,1,1]",
        "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], ceil_mode=1",
    ],
)
@each_case("size", [(7, 9), (6, 4)])
def test_padded_max_pool_without_padding_is_the_same_bit_for_bit(before: str, pool: str, size: tuple[int, int]) -> None:
    model = graph(f"x = {before}(image) out = MaxPool<{pool}>(x)", {}, (1, 3, *size))
    made, done = rewritten(model)
    assert np.array_equal(run(made), run(model))
    plain = "ceil_mode" in pool and "pads" not in pool and not any(side % 2 for side in size)
    assert done == ({} if plain else {"padded_max_pool": 1})
    assert plain or kinds(made)[1:] == ["Pad", "MaxPool"]


def test_a_pool_that_gives_indices_and_a_dilated_one_of_negative_numbers_keep_their_padding() -> None:
    how = "kernel_shape=[3,3], pads=[1,1,1,1]"
    for nodes in (
        f"y, i = MaxPool<{how}>(image) f = Cast<to=1>(i) out = Add(y, f)",
        f"out = MaxPool<{how}, dilations=[2,2]>(image)",
    ):
        _, done = rewritten(graph(nodes, {}, (1, 3, 8, 8)))
        assert done == {}


@each_case("groups", [2, 3, 4, 12])
@each_case("seen", ["5,7", "35"])
def test_channel_shuffle_with_the_channels_last_is_the_same_bit_for_bit(groups: int, seen: str) -> None:
    model = graph(
        shuffle(f"1,{groups},{12 // groups},{seen}", "0,2,1,3" + ",4" * ("," in seen), "1,12,5,7"), {}, (1, 12, 5, 7)
    )
    made, done = rewritten(model)
    assert done == {"channel_shuffle": 1}
    assert kinds(made)[1:] == ["Transpose", "Reshape", "Transpose", "Reshape", "Transpose"]
    assert np.array_equal(run(made), run(model))


@pytest.mark.parametrize(
    ("seen", "perm"), [("1,2,6,5,7", "0,2,1,4,3"), ("1,2,5,6,7", "0,2,1,3,4"), ("1,2,6,35", "0,1,3,2")]
)
def test_another_exchange_of_axes_is_left(seen: str, perm: str) -> None:
    assert_same(graph(shuffle(seen, perm, "1,12,5,7"), {}, (1, 12, 5, 7)), {})


def shuffle(seen: str, perm: str, back: str) -> str:
    shapes = f"p = Constant<value_ints=[{seen}]>() q = Constant<value_ints=[{back}]>()"
    return f"{shapes} x = Relu(image) y = Reshape(x, p) z = Transpose<perm=[{perm}]>(y) out = Reshape(z, q)"


RESIZE = (
    'keep_aspect_ratio_policy="stretch", antialias=0, mode="linear", coordinate_transformation_mode="align_corners"'
)
MEAN = "x = ReduceMean<keepdims=1, noop_with_empty_axes=0>(image, axes) y = ReduceSum<keepdims=1>(image, axes)"


def test_copy_for_tf_says_opset_17_and_gives_the_same_bit_for_bit() -> None:
    nodes = f"{MEAN} z = Add(x, y) w = Add(z, image) out = Resize<{RESIZE}>(w, , s)"
    model = graph(nodes, {"axes": np.array([2, 3]), "s": np.array([1, 1, 2, 3], np.float32)})
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    prepare_for_tf(copy)
    assert copy.opset_import[0].version == 17
    assert np.array_equal(run(copy), run(model))


@pytest.mark.parametrize(
    ("nodes", "opset"),
    [
        ("axes = Identity(c) x = ReduceMean(image, axes) out = Reshape(x, form)", 18),  # axes that are no constant
        ('out = Resize<axes=[2,3], antialias=1, mode="linear">(image, , s)', 18),  # what 17 has no word for
        ("out = Gelu(image)", 20),
    ],
)
def test_copy_for_tf_of_what_opset_17_cannot_say_is_the_file_itself(nodes: str, opset: int) -> None:
    constants = {"c": np.array([2]), "form": np.array([1, 4, 1, 3]), "s": np.array([0.5, 0.5], np.float32)}
    model = graph(nodes, constants, opset=opset)
    before = model.SerializeToString(deterministic=True)
    prepare_for_tf(model)
    assert model.SerializeToString(deterministic=True) == before


def assert_the_file_gives(
    model: onnx.ModelProto, made: onnx.ModelProto, folder: Path, write_float32: Callable[[Path, Path], None]
) -> None:
    """The .tflite of `made` gives what onnxruntime gives of `model`."""
    onnx.save(made, folder / "it.onnx")
    write_float32(folder / "it.onnx", folder / "it.tflite")
    interpreter = Interpreter(str(folder / "it.tflite"))
    (name,) = interpreter.get_signature_list()
    shape = [side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim]
    image = picture(shape).astype(np.float32).transpose(0, 2, 3, 1)
    (out,) = interpreter.get_signature_runner(name)(image=np.ascontiguousarray(image)).values()
    np.testing.assert_allclose(out, run(model).transpose(0, 2, 3, 1), rtol=0, atol=2e-5)
    assert run(model).std() > 0.05


EVERYTHING = """
    a = Conv<pads=[1,1,1,1]>(image, w0, b0)
    l = Conv(image, w1)
    x = Concat<axis=1>(a, l)
    n = BatchNormalization(x, s, b, m, v)
    y = Relu(n)
    ar = Mul(y, r)
    e = Erf(ar)
    p = Add(e, one)
    q = Mul(y, p)
    g = Mul(half, q)
    rows = Mul(g, across)
    w = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(rows)
    w4 = Reshape(w, apart)
    wt = Transpose<perm=[0,2,1,3]>(w4)
    z = Reshape(wt, together)
    mean = GlobalAveragePool(z)
    c = BatchNormalization(mean, s, b, m, v)
    d = Conv(c, w2)
    u = Relu(d)
    t = Add(u, z)
    o = Conv<pads=[1,1,1,1]>(t, w3)
    out = Sigmoid(o)
"""


@pytest.mark.skipif(not is_ready("direct"), reason="segexport setup direct makes the converter that this is about")
def test_what_direct_got_wrong_is_right_when_rewritten(
    tmp_path: Path, write_float32: Callable[[Path, Path], None]
) -> None:
    size = 16  # as many channels as columns as rows
    shapes = dict[str, tuple[int, ...]](dict.fromkeys("sbmv", (size,)))
    shapes |= {"w0": (8, 3, 3, 3), "b0": (8,), "w1": (8, 3, 1, 1), "w2": (size, size, 1, 1), "w3": (1, size, 3, 3)}
    constants = weights(**shapes) | {name: np.array(number, np.float32) for name, number in NUMBERS.items()}
    constants["w3"] = (constants["w3"] - np.float32(1)) / np.float32(16)
    constants |= {"apart": np.array([1, 4, 4, size * size]), "together": np.array([1, size, size, size])}
    constants["across"] = np.linspace(0, 1, size, dtype=np.float32).reshape(1, 1, size, 1)
    model = graph(EVERYTHING, constants, (1, 3, size, size))
    made = assert_same(
        model,
        {"gelu": 1, "batch_norm": 2, "padded_max_pool": 1, "channel_shuffle": 1, "constant_operand": 1},
        atol=2e-5,
    )
    assert_the_file_gives(model, made, tmp_path, write_float32)


CONCAT = "x = Relu(image) out = Concat<axis=1>(x, image, x)"


def test_channels_put_together_with_the_channels_last_are_the_same_bit_for_bit() -> None:
    made = assert_same(graph(CONCAT, {}, (1, 4, 4, 4)), {"channel_concat": 1}, atol=0)
    assert kinds(made) == ["Relu", "Transpose", "Transpose", "Transpose", "Concat", "Transpose"]


@each_case("nodes", [CONCAT, "out = Concat<axis=2>(image, image)"])
@each_case("shape", [(1, 4, 5, 5), (1, 4, 4, 5), (1, 1, 1, 1)])
def test_channels_that_can_be_told_from_rows_and_columns_are_left(nodes: str, shape: tuple[int, ...]) -> None:
    assert_same(graph(nodes, {}, shape), {})


@pytest.mark.skipif(not is_ready("direct"), reason="segexport setup direct makes the converter that this is about")
def test_what_direct_put_together_along_the_rows_is_right_when_rewritten(
    tmp_path: Path, write_float32: Callable[[Path, Path], None]
) -> None:
    """As ESPNetv2's branches: PReLU, sums, concatenation, a grouped convolution."""
    size = 8
    nodes = (
        "x = Conv(image, w0) a = Conv<group=8, pads=[1,1,1,1]>(x, w1) b = Conv<group=8, pads=[2,2,2,2], dilations=[2,2]>(x, w2)"
        " p = PRelu(a, s) q = PRelu(b, s) r = Add(p, q) y = Concat<axis=1>(p, r) z = Conv<group=2>(y, w3) out = Conv(z, w4)"
    )
    shapes = {
        "w0": (size, 3, 1, 1),
        "w1": (size, 1, 3, 3),
        "w2": (size, 1, 3, 3),
        "w3": (2 * size, size, 1, 1),
        "w4": (1, 2 * size, 1, 1),
    }
    constants = {name: value - np.float32(1) for name, value in weights(**shapes).items()}
    constants["s"] = np.full((size, 1, 1), 0.25, np.float32)
    model = graph(nodes, constants, (1, 3, size, size))
    made = assert_same(model, {"channel_concat": 1}, atol=1e-5)
    assert_the_file_gives(model, made, tmp_path, write_float32)
