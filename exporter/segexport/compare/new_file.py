"""A file that a converter has just written, ready to run: its tensors say what goes in and out."""

from __future__ import annotations

from pathlib import Path

from segexport.errors import ConversionError
from segexport.tflite.two_channel import LABELS as TWO_CHANNELS
from segruntime.backends import BACKENDS, Backend, TensorInfo
from segruntime.model_file.contract import Contract, InputSpec, OutputSpec
from segruntime.model_file.entries import model_kind
from segruntime.segmenter import Segmenter, default_threads

_LAYOUTS = {"onnx": "NCHW", "tflite": "NHWC"}
_LABELS = {1: ("person",), len(TWO_CHANNELS): TWO_CHANNELS}


def open_new(path: Path, threads: int | None = None) -> Segmenter:
    """A file that a converter has just written, ready to run; its contract says what goes in and out, nothing more yet.

    `threads`: default as for `segruntime.load`.

    Raises:
        ConversionError: the file has other tensors than one RGB image in and one or two channels out.
        SegRuntimeError: the file does not load.
    """
    kind, count = model_kind(path), default_threads() if threads is None else threads
    backend = BACKENDS[kind](path, count)
    return Segmenter(backend, _describe(path, backend, _LAYOUTS[kind]), path, count)


def _describe(path: Path, backend: Backend, layout: str) -> Contract:
    image, mask = backend.inputs[0], backend.outputs[0]
    channels = _channels(mask, layout)
    if len(backend.outputs) != 1 or _channels(image, layout) != 3 or channels not in _LABELS:
        raise ConversionError(
            f"{path.name}: the converter made {image.shape} in and {[t.shape for t in backend.outputs]} out, "
            f"expected one {layout} image and one or two channels; report this network"
        )
    (height, width), (out_height, out_width) = _size(image, layout), _size(mask, layout)
    if min(height, width, out_height, out_width) < 1:
        raise ConversionError(
            f"{path.name}: the converter made {image.shape} in and {mask.shape} out, expected sizes that stand fast"
        )
    return Contract(
        input=InputSpec(
            width=width,
            height=height,
            layout=layout,
            dtype=image.dtype,
            color="rgb",
            value_range=(0.0, 1.0),
            scale=image.scale,
            zero_point=image.zero_point,
        ),
        output=OutputSpec(
            width=out_width,
            height=out_height,
            layout=layout,
            dtype=mask.dtype,
            meaning="probability",
            channels=channels,
            person_channel=channels - 1,
            labels=_LABELS[channels],
            scale=mask.scale,
            zero_point=mask.zero_point,
        ),
    )


def _channels(tensor: TensorInfo, layout: str) -> int:
    return tensor.shape[1 if layout == "NCHW" else 3] if len(tensor.shape) == 4 else -1


def _size(tensor: TensorInfo, layout: str) -> tuple[int, int]:
    height, width = tensor.shape[2:4] if layout == "NCHW" else tensor.shape[1:3]
    return height, width
