"""An .onnx as input: a foreign one becomes deployable (`image` RGB 0..1 in, `probability` out), our own is used as it is.

`onnx` and onnxruntime are imported inside the functions. In a process that imports tensorflow, that has to come first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segexport.checkpoint.pickle.inert import shown
from segexport.compare.reference import Reference
from segexport.errors import CheckpointError
from segexport.networks.network import PERSON_CHANNELS
from segexport.output import file_sha256
from segexport.pictures.files import Picture
from segexport.presets import Preprocessing
from segexport.subject.ask import Answer, ask
from segexport.subject.foreign.child import Foreign, ForeignModel, RefusedError
from segexport.subject.foreign.ends import HEADS, adds_up_to_one, before_transpose, head_at_end, take_out
from segexport.subject.foreign.folding import fold, known_values
from segexport.subject.foreign.reading import (
    MAX_VALUES,
    ImageInput,
    check_model,
    choose_output,
    damaged,
    image_input,
    read_model,
    size_for,
)
from segruntime.model_file.contract import Contract, read_contract
from segruntime.model_file.entries import looks_like_onnx

if TYPE_CHECKING:  # torch stays out until a head is made
    from segexport.subject.deploy import PersonProbability

_CLIPPED = 1e-7
_ORT_NOISE = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from \S+ failed:|Non-zero status code returned while running |"
    r"Exception during initialization: |Status Message: |\[ShapeInferenceError\] |"
    r"/onnxruntime_src/\S+:\d+ .*?\)(?: const)?(?: \[with .*?\])? "
)
"""Before what onnxruntime has to say; a message is cut after 120 characters."""
IMAGE = "image"
_MOST_CHANNELS = 1024
_MOST_LISTED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxSubject:
    """A deployable ONNX in memory: `image (1, 3, H, W)` float32 RGB 0..1 → `probability (1, 1, h, w)` float32.

    `size` is (height, width). `preprocessing` and `head` are None where the file was deployable as it came, with the
    contract `contract`.
    """

    path: Path
    sha256: str
    name: str
    model: bytes
    size: tuple[int, int]
    parameters: int
    out_channels: int
    preprocessing: Preprocessing | None
    color: str
    head: PersonProbability | None
    contract: Contract | None
    assumed_head: str | None
    """The head's kind, where neither the user nor the file said that it belongs there."""
    logits: str
    """The value that the head is computed from; "" where the file has none."""
    foreign: Foreign
    """Where it runs."""
    notes: tuple[str, ...] = field(default=())

    def write(self, path: Path) -> None:
        """The deployable ONNX, without a contract of its own where it is a foreign one."""
        path.write_bytes(self.model)

    def reference(self, pictures: Sequence[Picture], names: tuple[str, ...], say: Callable[[str], None]) -> Reference:
        """onnxruntime's masks for these pictures, see `ask_onnxruntime`."""
        return ask_onnxruntime(self, pictures, names, say)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Channels:
    out_channels: int
    person_channel: int | None
    end: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A file, where it runs, and what the user said about it; see `open_onnx_subject`."""

    path: Path
    foreign: Foreign
    preprocessing: Preprocessing | None
    color: str
    head: str
    person: int | None
    size: tuple[int, int] | None
    output: str | None


def is_onnx(path: Path) -> bool:
    """Whether this file is to be read here rather than as a checkpoint: by its suffix, or by its first bytes."""
    if path.suffix.lower() == ".onnx":
        return True
    try:
        with path.open("rb") as file:
            return looks_like_onnx(file.read(3))
    except OSError:
        return False


def open_onnx_subject(
    path: Path,
    *,
    preprocessing: Preprocessing | None,
    color: str = "rgb",
    head: str = "auto",
    person: int | None = None,
    size: tuple[int, int] | None = None,
    output: str | None = None,
) -> OnnxSubject:
    """Read an .onnx and make it deployable.

    Args:
        preprocessing: what training did to its pictures; None where the user did not say (only our own files may be given
            without: a foreign one is an error then).
        color: `rgb` or `bgr`, the order of the channels that the network was trained with.
        head: one of `presets.HEADS`; `auto` takes a Sigmoid or Softmax at the model's end for the head.
        person: the person's channel, where it cannot be known.
        size: (height, width) for a model whose sides may vary.
        output: name or index of the output that the mask is made of, where there are several.

    Raises:
        CheckpointError: the file cannot be read or converted, in one line.
        ValueError: an option does not fit the file, and what would.
        MissingExtraError: onnx or onnxruntime is not installed.
        SegRuntimeError: its contract is not valid.
    """
    model = read_model(path)
    contract = read_contract(path)
    asked = _Asked(
        path=path,
        foreign=Foreign(),
        preprocessing=preprocessing,
        color=color,
        head=head,
        person=person,
        size=size,
        output=output,
    )
    return _grafted(asked, model) if contract is None else _as_it_is(asked, model, contract)


def _as_it_is(asked: _Asked, model: Any, contract: Contract) -> OnnxSubject:
    path = asked.path
    given = {
        "--preprocess": asked.preprocessing is not None,
        "--color": asked.color != "rgb",
        "--head": asked.head != "auto",
        "--person": asked.person is not None,
        "--output-index": asked.output is not None,
    }
    wrong = [option for option, is_given in given.items() if is_given]
    if wrong:
        raise ValueError(f"{wrong[0]}: {path} is deployable as it is, its contract says so; leave {wrong[0]} out")
    _refuse_other_contracts(path, contract)
    _check(asked, model)
    spec = contract.input
    size_for(path, ImageInput(name=IMAGE, layout=spec.layout, height=spec.height, width=spec.width), asked.size)
    return OnnxSubject(
        path=path,
        sha256=file_sha256(path),
        name=contract.source.architecture if contract.source else path.stem,
        model=path.read_bytes(),
        size=(spec.height, spec.width),
        parameters=contract.source.parameters if contract.source else _parameters(model),
        out_channels=1,
        preprocessing=None,
        color="rgb",
        head=None,
        assumed_head=None,
        contract=contract,
        logits=_before_sigmoid(model, model.graph.output[0].name),
        foreign=asked.foreign,
        notes=("The file has a contract and is deployable as it is: nothing is added to it.",),
    )


def _refuse_other_contracts(path: Path, contract: Contract) -> None:
    """Only the form that `segexport` itself writes is taken unchanged."""
    spec, mask = contract.input, contract.output
    facts = {
        "layout": (spec.layout, "NCHW"),
        "dtype": (spec.dtype, "float32"),
        "color": (spec.color, "rgb"),
        "value_range": (tuple(spec.value_range), (0.0, 1.0)),
        "mean": (spec.mean, None),
        "resize": (spec.resize, "stretch"),
        "meaning": (mask.meaning, "probability"),
        "channels": (mask.channels, 1),
    }
    other = next(((name, found, wanted) for name, (found, wanted) in facts.items() if found != wanted), None)
    if other:
        raise CheckpointError(
            f"{path}: its contract says {other[0]} {other[1]}, expected {other[2]}, as segexport writes it. "
            "Give the .onnx without its contract, with --preprocess and --head"
        )


def _check(asked: _Asked, model: Any) -> None:
    """Raise CheckpointError for what cannot be converted or does not fit together."""
    check_model(asked.path, model)
    with asked.foreign.opened(asked.path, model.SerializeToString()) as there:
        try:
            there.check()
        except RefusedError as error:
            raise damaged(asked.path, shown(str(error))) from error


def _grafted(asked: _Asked, model: Any) -> OnnxSubject:
    from segexport.subject.deploy import choose_head
    from segexport.subject.foreign.grafting import (
        LOGITS,
        PROBABILITY,
        graft_head,
        graft_image,
        graft_logits,
        keep_only,
        set_outputs,
        without_clashes,
    )

    path, preprocessing = asked.path, asked.preprocessing
    if preprocessing is None:
        raise ValueError(
            f"{path}: says nothing about how its pictures were prepared; give --preprocess, or --mean and --std"
        )
    _check(asked, model)
    model = without_clashes(model)
    image = image_input(path, model)
    size = size_for(path, image, asked.size)
    output, chosen = choose_output(path, model, asked.output)
    if output is None:
        graft_image(model, image, size, preprocessing, asked.color)
        raise _several(asked, model, size)
    keep_only(model, output)
    parameters = _parameters(model)
    graft_image(model, image, size, preprocessing, asked.color)
    set_outputs(model, (output, None))
    scores = _settled(asked, model, output, size)
    keep_only(model, output)
    layout = _layout_of(path, scores.shape, image.layout, size)
    head, said = _own_head(model, output, asked.head, scores, layout)
    output, shape, layout = _channels_first(model, output, scores.shape, layout)
    channels, height, width = graft_logits(model, output, shape, layout)
    person_head = choose_head(
        head, _Channels(out_channels=channels, person_channel=PERSON_CHANNELS.get(channels)), asked.person
    )
    graft_head(model, person_head)
    keep_only(model, PROBABILITY)
    set_outputs(model, (PROBABILITY, (1, 1, height, width)))
    _check(asked, model)
    return OnnxSubject(
        path=path,
        sha256=file_sha256(path),
        name=path.stem,
        model=model.SerializeToString(),
        size=size,
        parameters=parameters,
        out_channels=channels,
        preprocessing=preprocessing,
        color=asked.color,
        head=person_head,
        assumed_head=person_head.head if asked.head == "auto" and head == "auto" else None,
        contract=None,
        logits=LOGITS,
        foreign=asked.foreign,
        notes=(*([chosen] if chosen else []), *said),
    )


def _several(asked: _Asked, model: Any, size: tuple[int, int]) -> CheckpointError:
    """Which outputs there are, with what they give for one picture of noise."""
    names = [value.name for value in model.graph.output]
    noise = np.random.default_rng(0).random((1, 3, *size), np.float32)
    with asked.foreign.opened(asked.path, model.SerializeToString()) as there:
        _refuse_giants(asked.path, there)
        values = _run(there, noise, sized=asked.size is not None)
    listed = "; ".join(
        f"{shown(name)}: shape {tuple(map(int, one.shape))}, {one.dtype}"
        + (f", {one.min():.3g} to {one.max():.3g}" if one.size else "")
        for name, one in zip(names[:_MOST_LISTED], values, strict=False)
    )
    return CheckpointError(
        f"{asked.path}: gives {len(names)} outputs: {listed}; which one the mask is made of cannot be known: "
        "give --output-index N or NAME"
    )


def _parameters(model: Any) -> int:
    """Floating values among the weights."""
    import onnx

    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    return sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer if tensor.data_type in kinds)


def _own_head(model: Any, output: str, head: str, scores: npt.NDArray[Any], layout: str) -> tuple[str, tuple[str, ...]]:
    """The head to put behind the model, and a note, where the model has one of its own; that one is taken out."""
    node = head_at_end(model, output) if head != "none" else None
    is_softmax = adds_up_to_one(scores, layout)
    if node is not None and (node.op_type == "Sigmoid" or is_softmax):
        kind = HEADS[node.op_type]
        take_out(node)
        return kind if head == "auto" else head, (
            f"The model ends in a {kind}, which is its head; it is not applied twice.",
        )
    if head == "auto" and node is not None:
        return "none", ("The model gives a part of a Softmax, which is taken for the probability as it is.",)
    if head == "auto" and is_softmax:
        return "none", ("The model's scores add up to one, so they are taken for probabilities as they are.",)
    return head, ()


def _channels_first(model: Any, output: str, shape: tuple[int, ...], layout: str) -> tuple[str, tuple[int, ...], str]:
    """The output before it was turned to channels last, where that is the last thing that happens to it."""
    before = before_transpose(model, output) if layout == "NHWC" and len(shape) == 4 else None
    return (output, shape, layout) if before is None else (before, (1, shape[3], *shape[1:3]), "NCHW")


def _before_sigmoid(model: Any, output: str) -> str:
    node = head_at_end(model, output)
    return node.input[0] if node is not None and node.op_type == "Sigmoid" else ""


def _refuse_giants(path: Path, model: ForeignModel) -> None:
    """Shapes as far as they can be told without running anything."""
    try:
        giant = model.giant(MAX_VALUES)
    except RefusedError as error:
        raise damaged(path, f"its shapes do not fit together ({shown(str(error))})") from error
    if giant is not None:
        raise CheckpointError(
            f"{path}: makes a tensor of shape {giant[1][:8]} ({shown(giant[0])}), expected at most "
            f"{MAX_VALUES:,} values. Give a smaller --size"
        )


def _run(model: ForeignModel, image: npt.NDArray[np.float32], *, sized: bool = False) -> list[npt.NDArray[Any]]:
    """`sized`: the user chose the size, so another one may do."""
    try:
        return model.run(image)
    except RefusedError as error:
        said = shown(_ORT_NOISE.sub("", str(error)))
        raise CheckpointError(
            f"{model.path}: onnxruntime refuses it ({said}). {'Try another --size, export' if sized else 'Export'} it again, "
            "or give the PyTorch checkpoint"
        ) from error


def _settled(asked: _Asked, model: Any, output: str, size: tuple[int, int]) -> npt.NDArray[Any]:
    """What comes out for one black picture: `(1, C, h, w)`, `(1, h, w, C)` or `(1, h, w)`.

    What is the same for every picture is a constant in `model` afterwards.
    """
    import onnx

    path, known = asked.path, known_values(model)
    probe = onnx.ModelProto.FromString(model.SerializeToString())
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in known)
    with asked.foreign.opened(path, probe.SerializeToString()) as there:
        _refuse_giants(path, there)
        values, *constants = _run(there, np.zeros((1, 3, *size), np.float32), sized=asked.size is not None)
    fold(model, dict(zip(known, constants, strict=True)))
    shape = tuple(int(extent) for extent in values.shape)
    if values.dtype != np.float32 or len(shape) not in (3, 4) or shape[0] != 1 or 0 in shape:
        raise CheckpointError(
            f"{path}: its output {shown(output)} has shape {shape}, {values.dtype}, expected float32 scores (1, C, h, w). "
            "Export the network so that it gives them"
        )
    return values


def _layout_of(path: Path, shape: tuple[int, ...], like: str, size: tuple[int, int]) -> str:
    """A mask has the form of its picture, of `size` (height, width); where that does not tell, the layout of the input.

    That channels are fewer than pixels is no sign: 150 classes at a quarter of 512 pixels are more.
    """
    if len(shape) == 3:
        return "NCHW"
    first, last = (_distortion(sides, size) for sides in (shape[2:4], shape[1:3]))
    layout = like if first == last else "NCHW" if first < last else "NHWC"
    channels = shape[1] if layout == "NCHW" else shape[3]
    if channels > _MOST_CHANNELS:
        raise CheckpointError(
            f"{path}: its output has shape {shape}, expected scores of at most {_MOST_CHANNELS} classes"
        )
    return layout


def _distortion(sides: tuple[int, ...], size: tuple[int, int]) -> float:
    """How far the form of `sides` (height, width) is from that of `size`: 0 where both are scaled alike."""
    return abs(math.log(sides[0] * size[1] / (sides[1] * size[0])))


def ask_onnxruntime(
    subject: OnnxSubject, pictures: Sequence[Picture], names: tuple[str, ...], say: Callable[[str], None]
) -> Reference:
    """onnxruntime's masks of the deployable ONNX, see `subject.ask.ask`."""

    def run(image: npt.NDArray[np.float32]) -> Answer:
        mask, *logits = _run(model, image)
        margin = _margin(subject, mask, logits[0] if logits else None)
        return Answer(mask=mask, logits=logits[0] if logits else margin, margin=margin)

    with subject.foreign.opened(subject.path, _with_logits(subject)) as model:
        return ask(run, pictures, names, subject.size, say, "onnxruntime")


def _with_logits(subject: OnnxSubject) -> bytes:
    """The subject's model with the logits as a second output."""
    import onnx

    if not subject.logits:
        return subject.model
    model = onnx.ModelProto.FromString(subject.model)
    model.graph.output.append(onnx.helper.make_tensor_value_info(subject.logits, onnx.TensorProto.FLOAT, None))
    return bytes(model.SerializeToString())


def _margin(
    subject: OnnxSubject, mask: npt.NDArray[Any], logits: npt.NDArray[Any] | None
) -> npt.NDArray[np.float64] | npt.NDArray[Any]:
    """How far the person is ahead, in logits; from the probability where the file keeps no logits."""
    if logits is None:
        likely = np.clip(mask.astype(np.float64), _CLIPPED, 1 - _CLIPPED)
        return np.asarray(np.log(likely / (1 - likely)))
    if subject.head is None:
        return logits
    import torch

    return np.asarray(subject.head.margin(torch.from_numpy(logits)).numpy())
