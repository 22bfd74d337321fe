"""An .onnx as input: a foreign one becomes deployable (`image` RGB 0..1 in, `probability` out), our own is used as it is.

`onnx` and onnxruntime are imported inside the functions. In a process that imports tensorflow, that has to come first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.errors import CheckpointError, shown
from segexport.networks.network import PERSON_CHANNELS
from segexport.options import Options
from segexport.output import file_sha256
from segexport.presets import COLORS, Preprocessing
from segexport.subject.foreign.child import Foreign, ForeignModel, RefusedError
from segexport.subject.foreign.ends import HEADS, adds_up_to_one, before_transpose, head_at_end, take_out
from segexport.subject.foreign.folding import fold, known_values
from segexport.subject.foreign.reading import MAX_VALUES, ForeignOnnx, ImageInput, damaged
from segexport.subject.foreign.subject import OnnxSubject
from segruntime.model_file.contract import Contract, Source, read_contract
from segruntime.model_file.entries import looks_like_onnx

IMAGE = "image"
_MOST_CHANNELS = 1024
_MOST_LISTED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Channels:
    out_channels: int
    person_channel: int | None
    end: str | None = None


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
    options: Options, preprocessing: Preprocessing | None, warnings: tuple[str, ...] = ()
) -> OnnxSubject:
    """Read the .onnx of the options and make it deployable, as they say: color, head, person, size, output_index.

    Args:
        preprocessing: what training did to its pictures; None where the user did not say (only our own files may be given
            without: a foreign one is an error then).
        warnings: what to say of it.

    Raises:
        CheckpointError: the file cannot be read or converted, in one line.
        ValueError: an option does not fit the file, and what would.
        MissingExtraError: onnx or onnxruntime is not installed.
        SegRuntimeError: its contract is not valid.
    """
    onnx = ForeignOnnx.read(options.checkpoint)
    contract = read_contract(options.checkpoint)
    opening = _Opening(options, preprocessing, warnings, onnx)
    return opening.grafted() if contract is None else opening.as_it_is(contract)


class _Opening:
    """A file on its way to a subject: `onnx` is what becomes of it."""

    def __init__(
        self, options: Options, preprocessing: Preprocessing | None, warnings: tuple[str, ...], onnx: ForeignOnnx
    ) -> None:
        self._path, self._options, self._warnings = options.checkpoint, options, warnings
        self._preprocessing, self._color = preprocessing, options.color or COLORS[0]
        self._onnx, self._foreign = onnx, Foreign()

    def as_it_is(self, contract: Contract) -> OnnxSubject:
        """One of our own files."""
        path, model = self._path, self._onnx.model
        self._refuse_settled()
        _refuse_other_contracts(path, contract)
        self._check()
        spec = contract.input
        image = ImageInput(name=IMAGE, layout=spec.layout, height=spec.height, width=spec.width)
        image.size_for(path, self._options.size)
        return OnnxSubject(
            path=path,
            source=contract.source or self._source(self._onnx.parameters),
            variant=f"the graph of {contract.source.architecture if contract.source else path.stem}",
            model=path.read_bytes(),
            size=(spec.height, spec.width),
            head=None,
            assumed_head=None,
            logits=_before_sigmoid(model, model.graph.output[0].name),
            foreign=self._foreign,
            notes=("The file has a contract and is deployable as it is: nothing is added to it.",),
            warnings=self._warnings,
        )

    def _refuse_settled(self) -> None:
        """What the contract says already."""
        options = self._options
        given = {
            "--preprocess": self._preprocessing is not None,
            "--color": self._color != "rgb",
            "--head": options.head != "auto",
            "--person": options.person is not None,
            "--output-index": options.output_index is not None,
        }
        wrong = next((option for option, is_given in given.items() if is_given), None)
        if wrong:
            raise ValueError(f"{wrong}: {self._path} is deployable as it is, its contract says so; leave {wrong} out")

    def grafted(self) -> OnnxSubject:
        """A foreign file, with the preprocessing in front and the head behind."""
        from segexport.subject.deploy import choose_head
        from segexport.subject.foreign.grafting import LOGITS, PROBABILITY, Graft, without_clashes

        path, options, preprocessing = self._path, self._options, self._preprocessing
        if preprocessing is None:
            raise ValueError(
                f"{path}: says nothing about how its pictures were prepared; give --preprocess, or --mean and --std"
            )
        self._check()
        onnx = self._onnx = ForeignOnnx(path, without_clashes(self._onnx.model))
        graft, image = Graft(onnx.model), onnx.image()
        size = image.size_for(path, options.size)
        output, chosen = onnx.output(options.output_index)
        if output is None:
            graft.image(image, size, preprocessing, self._color)
            raise self._several(size)
        graft.keep_only(output)
        parameters = onnx.parameters
        graft.image(image, size, preprocessing, self._color)
        graft.set_output(output, None)
        scores = self._settled(output, size)
        graft.keep_only(output)
        layout = _layout_of(path, scores.shape, image.layout, size)
        kind, said = _own_head(onnx.model, output, options.head, scores, layout)
        channels, height, width = graft.logits(*_channels_first(onnx.model, output, scores.shape, layout))
        wanted = _Channels(out_channels=channels, person_channel=PERSON_CHANNELS.get(channels))
        head = choose_head(kind, wanted, options.person)
        graft.head(head)
        graft.keep_only(PROBABILITY)
        graft.set_output(PROBABILITY, (1, 1, height, width))
        self._check()
        return OnnxSubject(
            path=path,
            source=self._source(parameters),
            variant=f"the graph of {path.stem}",
            model=onnx.model.SerializeToString(),
            size=size,
            head=head,
            assumed_head=head.head if options.head == "auto" and kind == "auto" else None,
            logits=LOGITS,
            foreign=self._foreign,
            notes=(*([chosen] if chosen else []), *said),
            warnings=self._warnings,
        )

    def _source(self, parameters: int) -> Source:
        """What can be seen."""
        prepared = self._preprocessing
        return Source(
            checkpoint=self._path.name,
            sha256=file_sha256(self._path),
            architecture="onnx",
            parameters=parameters,
            preprocessing="inside the file" if prepared is None else prepared.name,
            mean=None if prepared is None else prepared.mean,
            std=None if prepared is None else prepared.std,
            color=self._color,
        )

    def _check(self) -> None:
        """Raise CheckpointError for what cannot be converted or does not fit together."""
        self._onnx.check()
        with self._foreign.opened(self._path, self._onnx.model.SerializeToString()) as there:
            try:
                there.check()
            except RefusedError as error:
                raise damaged(self._path, shown(str(error))) from error

    def _run(self, model: Any, image: npt.NDArray[np.float32]) -> list[npt.NDArray[Any]]:
        """All outputs of `model`; where the user chose the size, another one may do."""
        with self._foreign.opened(self._path, model.SerializeToString()) as there:
            _refuse_giants(there)
            return there.run(image, sized=self._options.size is not None)

    def _several(self, size: tuple[int, int]) -> CheckpointError:
        """Which outputs there are, with what they give for one picture of noise."""
        names = [value.name for value in self._onnx.model.graph.output]
        values = self._run(self._onnx.model, np.random.default_rng(0).random((1, 3, *size), np.float32))
        listed = "; ".join(
            f"{shown(name)}: shape {tuple(map(int, one.shape))}, {one.dtype}"
            + (f", {one.min():.3g} to {one.max():.3g}" if one.size else "")
            for name, one in zip(names[:_MOST_LISTED], values, strict=False)
        )
        return CheckpointError(
            f"{self._path}: gives {len(names)} outputs: {listed}; which one the mask is made of cannot be known: "
            "give --output-index N or NAME"
        )

    def _settled(self, output: str, size: tuple[int, int]) -> npt.NDArray[Any]:
        """What comes out for one black picture: `(1, C, h, w)`, `(1, h, w, C)` or `(1, h, w)`.

        What is the same for every picture is a constant in the model afterwards.
        """
        import onnx

        known = known_values(self._onnx.model)
        probe = onnx.ModelProto.FromString(self._onnx.model.SerializeToString())
        probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in known)
        values, *constants = self._run(probe, np.zeros((1, 3, *size), np.float32))
        fold(self._onnx.model, dict(zip(known, constants, strict=True)))
        shape = tuple(int(extent) for extent in values.shape)
        if values.dtype != np.float32 or len(shape) not in (3, 4) or shape[0] != 1 or 0 in shape:
            raise CheckpointError(
                f"{self._path}: its output {shown(output)} has shape {shape}, {values.dtype}, "
                "expected float32 scores (1, C, h, w). Export the network so that it gives them"
            )
        return values


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


def _own_head(model: Any, output: str, head: str, scores: npt.NDArray[Any], layout: str) -> tuple[str, tuple[str, ...]]:
    """The head to put behind the model, and a note, where the model has one of its own; that one is taken out."""
    node = head_at_end(model, output) if head != "none" else None
    is_softmax = adds_up_to_one(scores, layout)
    if node is not None and (node.op_type == "Sigmoid" or is_softmax):
        kind = HEADS[node.op_type]
        take_out(node)
        said = f"The model ends in a {kind}, which is its head; it is not applied twice."
        return kind if head == "auto" else head, (said,)
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


def _refuse_giants(model: ForeignModel) -> None:
    """Shapes as far as they can be told without running anything."""
    try:
        giant = model.giant(MAX_VALUES)
    except RefusedError as error:
        raise damaged(model.path, f"its shapes do not fit together ({shown(str(error))})") from error
    if giant is not None:
        raise CheckpointError(
            f"{model.path}: makes a tensor of shape {giant[1][:8]} ({shown(giant[0])}), expected at most "
            f"{MAX_VALUES:,} values. Give a smaller --size"
        )


def _layout_of(path: Path, shape: Sequence[int], like: str, size: tuple[int, int]) -> str:
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


def _distortion(sides: Sequence[int], size: tuple[int, int]) -> float:
    """How far the form of `sides` (height, width) is from that of `size`: 0 where both are scaled alike."""
    return abs(math.log(sides[0] * size[1] / (sides[1] * size[0])))
