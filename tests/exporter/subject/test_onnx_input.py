"""A foreign .onnx becomes deployable: the same mask as PyTorch's with the same preprocessing and head around it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper
from tests.each_case import each_case
from tests.exporter.subject.onnx_graphs import image, made, one_child, opened
from torch import Tensor, nn

from segexport.compare.new_file import open_new
from segexport.convert.trace.onnx_export import write_onnx
from segexport.errors import CheckpointError
from segexport.networks.families.unet import UNet
from segexport.pictures.files import draw_pictures
from segexport.presets import PREPROCESSING, Preprocessing
from segexport.subject.deploy import Deployable, PersonProbability
from segexport.subject.foreign.open import is_onnx
from segexport.subject.foreign.subject import OnnxSubject
from segexport.subject.pytorch import PyTorchSubject
from segruntime.model_file.contract import Source, stamp

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning", "ignore::torch.jit.TracerWarning"
)
SIZE = 32
UNIT, IMAGENET = PREPROCESSING["unit"], PREPROCESSING["imagenet"]
ONE, TWO, PASCAL = (PersonProbability(*head) for head in (("sigmoid", 1, 0), ("softmax", 2, 1), ("softmax", 21, 15)))


@pytest.fixture(autouse=True, scope="module")
def _one_child() -> Iterator[None]:
    with one_child():
        yield


def unet(channels: int = 1) -> UNet:
    torch.manual_seed(3)
    return UNet([4, 8], out_channels=channels).eval()


class Ends(nn.Module):
    """A U-Net with something at its end."""

    def __init__(self, channels: int, end: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.network, self.end = unet(channels), end

    def forward(self, x: Tensor) -> Any:
        return self.end(self.network(x))


class ChannelsLast(nn.Module):
    """Keras' and TensorFlow's layout on both sides."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.network = unet(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def save(
    module: nn.Module, path: Path, image: Tensor | None = None, *, opset: int = 18, dynamo: bool = False, **options: Any
) -> Path:
    example = torch.zeros(1, 3, SIZE, SIZE) if image is None else image
    torch.onnx.export(
        module.eval(), (example,), str(path), opset_version=opset, dynamo=dynamo, **{"input_names": ["x"], **options}
    )
    return path


@cache
def plain_bytes(channels: int, opset: int) -> bytes:
    buffer = io.BytesIO()
    example = torch.zeros(1, 3, SIZE, SIZE)
    torch.onnx.export(unet(channels), (example,), buffer, opset_version=opset, dynamo=False, input_names=["x"])
    return buffer.getvalue()


def plain(path: Path, channels: int = 1, opset: int = 18) -> Path:
    """A U-Net's logits, nothing else."""
    path.write_bytes(plain_bytes(channels, opset))
    return path


def run(model: bytes, image: Tensor) -> np.ndarray:
    (value,) = onnxruntime.InferenceSession(model).run(["probability"], {"image": image.numpy()})
    return np.asarray(value)


def picture(height: int = SIZE, width: int = SIZE) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(9))


def deployable(head: PersonProbability, preprocessing: Preprocessing = UNIT, color: str = "rgb") -> Deployable:
    return Deployable(unet(head.channels), preprocessing, color, head).eval()


def in_pytorch(head: PersonProbability, preprocessing: Preprocessing) -> PyTorchSubject:
    source = Source(
        checkpoint="unet.pth", sha256="0" * 64, architecture="unet", parameters=1, preprocessing=preprocessing.name,
        mean=preprocessing.mean, std=preprocessing.std, color="rgb",
    )  # fmt: skip
    graph = deployable(head, preprocessing)
    return PyTorchSubject(
        graph=graph, source=source, variant="", assumed_head=None, size=(SIZE, SIZE), notes=(), warnings=()
    )


def check(subject: OnnxSubject, graph: nn.Module, height: int = SIZE, width: int = SIZE) -> None:
    """Its ONNX gives PyTorch's mask of a picture."""
    with torch.no_grad():
        want = graph(picture(height, width)).numpy()
    np.testing.assert_allclose(run(subject.model, picture(height, width)), want, atol=2e-6)


PREPARED = {
    **PREPROCESSING,
    "custom": Preprocessing(name="custom", mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7)),
    "bgr-minmax": Preprocessing(name="custom", mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), minmax=True),
}


@pytest.mark.parametrize("color", ["rgb", "bgr"])
@pytest.mark.parametrize("name", PREPARED)
def test_every_preprocessing_is_that_of_the_deployable_graph(tmp_path: Path, name: str, color: str) -> None:
    subject = opened(plain(tmp_path / "net.onnx"), preprocessing=PREPARED[name], color=color)
    check(subject, deployable(ONE, PREPARED[name], color))
    assert (subject.size, subject.variant) == ((SIZE, SIZE), "the graph of net")


HEADS: dict[str, tuple[int, str, int | None, PersonProbability]] = {
    "one": (1, "auto", None, ONE),
    "two": (2, "auto", None, TWO),
    "two, background": (2, "softmax", 0, PersonProbability("softmax", 2, 0)),
    "two by sigmoid": (2, "sigmoid", 1, PersonProbability("sigmoid", 2, 1)),
    "twenty-one": (21, "auto", None, PASCAL),
    "none": (5, "none", 4, PersonProbability("none", 5, 4)),
}


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize("name", HEADS)
def test_every_head_is_that_of_the_deployable_graph(tmp_path: Path, name: str, opset: int) -> None:
    channels, head, person, same = HEADS[name]
    subject = opened(plain(tmp_path / "net.onnx", channels, opset), head=head, person=person)
    check(subject, deployable(same))
    model = onnx.ModelProto.FromString(subject.model)
    onnx.checker.check_model(model, full_check=True)
    assert [entry.version for entry in model.opset_import] == [opset]


@pytest.mark.parametrize("opset", [11, 18])
def test_a_stretch_works_in_old_and_new_opsets(tmp_path: Path, opset: int) -> None:
    minmax = PREPROCESSING["imagenet-minmax"]
    subject = opened(plain(tmp_path / "net.onnx", 1, opset), preprocessing=minmax)
    check(subject, deployable(ONE, minmax))


def test_a_model_of_torchs_new_exporter_is_read(tmp_path: Path) -> None:
    subject = opened(save(unet(2), tmp_path / "net.onnx", dynamo=True, external_data=False, verbose=False))
    check(subject, deployable(TWO))


def test_the_reference_is_pytorchs(tmp_path: Path) -> None:
    pictures, names = draw_pictures(3, size=80, seed=4), ("a", "b", "c")
    for head in (ONE, TWO):
        subject = opened(plain(tmp_path / "net.onnx", head.channels), preprocessing=IMAGENET)
        said: list[str] = []
        got = subject.ask(pictures, names, said.append)
        want = in_pytorch(head, IMAGENET).ask(pictures, names, lambda _: None)
        np.testing.assert_array_equal(got.frames, want.frames)
        np.testing.assert_allclose(got.masks, want.masks, atol=1e-5)
        assert got.largest_logit == pytest.approx(want.largest_logit, rel=1e-4)
        assert got.names == names
        assert said == ["onnxruntime 1/3", "onnxruntime 2/3", "onnxruntime 3/3"]


def test_the_written_file_has_one_image_in_and_one_channel_out(tmp_path: Path) -> None:
    subject = opened(plain(tmp_path / "net.onnx", 21))
    subject.write_onnx(tmp_path / "out.onnx")
    contract = open_new(tmp_path / "out.onnx").contract
    assert (contract.input.shape, contract.output.shape) == ((1, 3, SIZE, SIZE), (1, 1, SIZE, SIZE))
    assert subject.source.parameters == pytest.approx(sum(p.numel() for p in unet(21).parameters()), rel=0.05)


# ends


ENDS: dict[str, tuple[int, Callable[[Tensor], Any], PersonProbability, str]] = {
    "a sigmoid": (18, torch.sigmoid, ONE, "ends in a sigmoid"),
    "two sigmoids": (18, torch.sigmoid, PersonProbability("sigmoid", 2, 1), "ends in a sigmoid"),
    "a softmax": (18, lambda x: x.softmax(1), PASCAL, "ends in a softmax"),
    "a softmax, old": (11, lambda x: x.softmax(1), PASCAL, "ends in a softmax"),
    "one channel of a softmax": (18, lambda x: x.softmax(1)[:, 1:], TWO, "a part of a Softmax"),
    "a softmax, written out": (18, lambda x: x.exp() / x.exp().sum(1, keepdim=True), TWO, "add up to one"),
    "a sigmoid, then an axis less": (18, lambda x: x.sigmoid()[:, 0].reshape(1, 1, SIZE, SIZE), ONE, ""),
    "a sigmoid, turned": (18, lambda x: x.sigmoid().permute(0, 2, 3, 1).reshape(1, 1, SIZE, SIZE), ONE, ""),
    "no channels": (18, lambda x: x[:, 0], ONE, ""),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_head_that_the_network_has_is_not_applied_twice(tmp_path: Path, end: str) -> None:
    opset, module, head, said = ENDS[end]
    subject = opened(save(Ends(head.channels, module), tmp_path / "net.onnx", opset=opset))
    check(subject, deployable(head))
    assert any(said in note for note in ["", *subject.notes])


def test_a_sigmoid_that_other_outputs_use_is_not_taken_out(tmp_path: Path) -> None:
    module = Ends(1, lambda x: x.sigmoid() * 2 + x.sigmoid())
    check(opened(save(module, tmp_path / "net.onnx")), nn.Sequential(module.eval(), nn.Sigmoid()))


def test_head_none_takes_the_end_as_it_is(tmp_path: Path) -> None:
    subject = opened(save(Ends(1, torch.sigmoid), tmp_path / "net.onnx"), head="none")
    check(subject, nn.Sequential(unet(), nn.Sigmoid()))


def test_of_several_outputs_the_mask_is_taken_and_the_rest_is_gone(tmp_path: Path) -> None:
    module = Ends(1, lambda x: (x * 3, x))
    subject = opened(save(module, tmp_path / "net.onnx", output_names=["aux", "out"]))
    assert "out is the output that is used; not aux." in subject.notes
    check(subject, deployable(ONE))
    assert not any(node.op_type == "Mul" for node in onnx.ModelProto.FromString(subject.model).graph.node)


@pytest.mark.parametrize("output", ["a", "1"])
def test_another_output_is_used_where_the_user_says_so(tmp_path: Path, output: str) -> None:
    path = save(Ends(1, lambda x: (x * 3, x)), tmp_path / "net.onnx", output_names=["b", "a"])
    subject = opened(path, output_index=output)
    assert "a is the output that is used; not b." in subject.notes
    check(subject, deployable(ONE))


def test_of_several_outputs_none_is_guessed(tmp_path: Path) -> None:
    path = save(Ends(1, lambda x: (x * 3, x)), tmp_path / "net.onnx", output_names=["b", "a"])
    shape = rf"shape \(1, 1, {SIZE}, {SIZE}\), float32, -?[\d.e-]+ to -?[\d.e-]+"
    with pytest.raises(CheckpointError, match=rf"gives 2 outputs: b: {shape}; a: {shape}; which one .*--output-index"):
        opened(path)
    with pytest.raises(CheckpointError, match=r"--output-index c: its 2 outputs are b, a; give one of them"):
        opened(path, output_index="c")


# layouts, sizes, names


@pytest.mark.parametrize("channels", [1, 21])
def test_channels_last_on_both_sides_are_turned(tmp_path: Path, channels: int) -> None:
    path = save(ChannelsLast(channels), tmp_path / "net.onnx", torch.zeros(1, SIZE, 48, 3))
    subject = opened(path, preprocessing=IMAGENET)
    assert subject.size == (SIZE, 48)
    check(subject, deployable(ONE if channels == 1 else PASCAL, IMAGENET), SIZE, 48)


def test_channels_last_leave_no_transpose_behind(tmp_path: Path) -> None:
    path = save(ChannelsLast(2), tmp_path / "net.onnx", torch.zeros(1, SIZE, 48, 3))
    session = onnxruntime.InferenceSession(opened(path).model)
    assert session.get_inputs()[0].shape == [1, 3, SIZE, 48]
    nodes = [node.op_type for node in onnx.ModelProto.FromString(opened(path).model).graph.node]
    assert "Transpose" not in nodes[nodes.index("Conv") :]


def varying(path: Path) -> Path:
    return save(unet(), path, dynamic_axes={"x": {0: "n", 2: "h", 3: "w"}})


def test_sides_that_vary_are_fixed_by_size(tmp_path: Path) -> None:
    subject = opened(varying(tmp_path / "net.onnx"), size=(48, 64))
    assert subject.size == (48, 64)
    check(subject, deployable(ONE), 48, 64)
    with pytest.raises(ValueError, match="takes pictures of any size; say which one"):
        opened(varying(tmp_path / "net.onnx"))


def test_a_size_that_the_network_cannot_take_is_refused_with_a_way_out(tmp_path: Path) -> None:
    """Two poolings and their unpoolings meet in a sum: sides that four does not divide do not fit."""
    message = r"onnxruntime refuses it \(.*\)\. Try another --size, export it again, or"
    with pytest.raises(CheckpointError, match=message):
        opened(varying(tmp_path / "net.onnx"), size=(50, 50))


@pytest.mark.parametrize(
    "extents", [[None, None, None, None], [None, None, 8, 8], [-1, 3, 0, -1], ["n", "c", "h", "w"]]
)
def test_an_input_whose_extents_all_vary_is_channels_first(tmp_path: Path, extents: list[Any]) -> None:
    weights = [numpy_helper.from_array(np.ones((1, 3, 1, 1), np.float32), "w")]
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"])]
    path = made(tmp_path / "net.onnx", nodes, inputs=image(shape=extents), weights=weights)
    subject = opened(path, size=(8, 8), head="none")
    np.testing.assert_allclose(run(subject.model, picture(8, 8)), picture(8, 8).sum(1, keepdim=True).numpy(), atol=1e-6)


def test_another_size_than_the_fixed_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--size 64x64: .* takes 32x32 only; leave --size out"):
        opened(plain(tmp_path / "net.onnx"), size=(64, 64))


def test_names_that_clash_are_moved_out_of_the_way(tmp_path: Path) -> None:
    path = save(unet(), tmp_path / "net.onnx", input_names=["image"], output_names=["probability"])
    check(opened(path, color="bgr"), deployable(ONE, color="bgr"))
    again = tmp_path / "again.onnx"
    again.write_bytes(opened(path).model)  # deployable, but nothing in it says so: it is taken for a foreign one
    assert opened(again).size == (SIZE, SIZE)


# our own files


@pytest.fixture(scope="module")
def own_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What segexport writes: preprocessing and head inside, and a contract."""
    path = tmp_path_factory.mktemp("own") / "own.onnx"
    write_onnx(deployable(ONE, IMAGENET), SIZE, SIZE, path)
    return stamp(path.read_bytes(), open_new(path).contract)


@pytest.fixture
def own(tmp_path: Path, own_bytes: bytes) -> Path:
    path = tmp_path / "own.onnx"
    path.write_bytes(own_bytes)
    return path


def test_a_file_with_a_contract_is_used_as_it_is(own: Path) -> None:
    subject = opened(own, None)
    assert subject.model == own.read_bytes()
    assert (subject.size, subject.source.preprocessing, subject.head) == ((SIZE, SIZE), "inside the file", None)
    assert "deployable as it is" in subject.notes[0]
    pictures = draw_pictures(2, size=64, seed=4)
    got = subject.ask(pictures, ("a", "b"), lambda _: None)
    want = in_pytorch(ONE, IMAGENET).ask(pictures, ("a", "b"), lambda _: None)
    np.testing.assert_allclose(got.masks, want.masks, atol=1e-5)
    assert got.largest_logit == pytest.approx(want.largest_logit, rel=1e-4)


@each_case(
    ("option", "value", "said"),
    [
        ("preprocessing", UNIT, "--preprocess"),
        ("color", "bgr", "--color"),
        ("head", "none", "--head"),
        ("person", 0, "--person"),
    ],
)
def test_options_that_a_contract_settles_are_an_error(own: Path, option: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"{said}: .* is deployable as it is, its contract says so; leave {said} out"):
        opened(own, **{"preprocessing": None, option: value})


def test_a_contract_of_another_form_is_refused(own: Path) -> None:
    contract = open_new(own).contract
    own.write_bytes(stamp(own.read_bytes(), replace(contract, input=replace(contract.input, color="bgr"))))
    with pytest.raises(CheckpointError, match="its contract says color bgr, expected rgb"):
        opened(own, None)


def test_a_foreign_file_needs_a_preprocessing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give --preprocess, or --mean and --std"):
        opened(plain(tmp_path / "net.onnx"), None)


def test_an_onnx_is_known_by_its_suffix_or_its_bytes(tmp_path: Path) -> None:
    path = plain(tmp_path / "net.bin")
    assert is_onnx(path)
    assert is_onnx(tmp_path / "missing.onnx")
    assert not is_onnx(tmp_path / "missing.pth")
    torch.save(unet().state_dict(), tmp_path / "net.pth")
    assert not is_onnx(tmp_path / "net.pth")


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    path = plain(tmp_path / "net.onnx")
    model = onnx.load(path)
    onnx.save_model(model, path, save_as_external_data=True, location="net.data", size_threshold=0)
    with pytest.raises(CheckpointError, match="lie in another file, expected all in one"):
        opened(path)


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    network = unet()
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    subject = opened(save(network, tmp_path / "net.onnx"))
    with pytest.raises(CheckpointError, match="gives NaN or infinite values for picture a"):
        subject.ask(draw_pictures(1, size=40, seed=1), ("a",), lambda _: None)
