"""What a .tflite says of itself in TFLite's own words, so that MediaPipe Tasks takes it as it is.

One flatbuffer, `ModelMetadata` of TFLite's `metadata_schema.fbs` (identifier "M001"), with the segmenter's options inside
(`image_segmenter_metadata_schema.fbs`, identifier "V001"). Field numbers below are those of the schemas. It follows the
contract: RGB bytes in, a probability out that needs no activation, and the channels' names in `labels.txt`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segruntime import Contract
from segruntime.model_file.contract import InputSpec, OutputSpec

ENTRY = "TFLITE_METADATA"
"""Where it stands among the model's metadata."""
LABELS_FILE = "labels.txt"
MIN_PARSER_VERSION = "1.5.0"
"""Of the schema's parts that are used here `CustomMetadata` is the newest, and came with 1.5.0."""

_SEGMENTER_OPTIONS = "SEGMENTER_METADATA"  # the name under which MediaPipe's ImageSegmenter looks
_RGB, _GRAYSCALE = 1, 2  # ColorSpaceType, which has no BGR
_IMAGE_PROPERTIES = 2  # in the union ContentProperties
_NORMALIZATION = 1  # in the union ProcessUnitOptions
_TENSOR_AXIS_LABELS = 2  # AssociatedFileType
_CUSTOM_ALIGNMENT = 16  # force_align of CustomMetadata.data
_BYTE = 255.0


def labels_text(spec: OutputSpec) -> str:
    """One label a line, in the order of the channels."""
    return "".join(f"{label}\n" for label in spec.labels)


def image_normalization(spec: InputSpec) -> tuple[float, float]:
    """(mean, std) that make a camera's byte 0–255 the tensor's value: `(byte - mean) / std`.

    A uint8 tensor is the byte. Any other holds 0–1, a quantized one by way of its own scale and zero point.
    """
    return (0.0, 1.0) if spec.dtype == "uint8" else (0.0, _BYTE)


def model_metadata(contract: Contract, name: str, description: str, version: str) -> bytes:
    """The flatbuffer for a model with this contract.

    `version` is the model's, any text. Colours are RGB, the only order of the schema; our graphs take no other.
    """
    writer = _Writer()
    graph = writer.table(
        {
            2: writer.tables([_image(writer, contract.input)]),
            3: writer.tables([_mask(writer, contract.output)]),
            9: writer.tables([_segmenter_options(writer)]),
        }
    )
    texts = {0: name, 1: description, 2: version, 7: MIN_PARSER_VERSION}
    return writer.finish(
        {**{slot: writer.text(text) for slot, text in texts.items()}, 3: writer.tables([graph])}, "M001"
    )


def _image(writer: _Writer, spec: InputSpec) -> int:
    mean, std = image_normalization(spec)
    options = writer.table({0: writer.floats([mean]), 1: writer.floats([std])})
    unit = writer.table({1: options}, numbers={0: _NORMALIZATION})
    fields = {
        0: writer.text("image"),
        1: writer.text(f"The picture, {spec.height} x {spec.width}, RGB."),
        3: _content(writer, _RGB, (spec.width, spec.height)),
        4: writer.tables([unit]),
        5: _stats(writer, _BYTE if spec.dtype == "uint8" else 1.0),
    }
    return writer.table(fields)


def _mask(writer: _Writer, spec: OutputSpec) -> int:
    file = writer.table(
        {0: writer.text(LABELS_FILE), 1: writer.text("The channels' names.")}, numbers={2: _TENSOR_AXIS_LABELS}
    )
    fields = {
        0: writer.text("probability"),
        1: writer.text(f"Probability, 0 to 1, of: {', '.join(spec.labels)}."),
        3: _content(writer, _GRAYSCALE, (spec.width, spec.height)),
        5: _stats(writer, 1.0),
        6: writer.tables([file]),
    }
    return writer.table(fields)


def _content(writer: _Writer, colors: int, size: tuple[int, int]) -> int:
    """An image of this colour space, `size` (width, height)."""
    extent = writer.table({}, sizes=dict(enumerate(size)))
    properties = writer.table({1: extent}, numbers={0: colors})
    return writer.table({1: properties}, numbers={0: _IMAGE_PROPERTIES})


def _stats(writer: _Writer, most: float) -> int:
    return writer.table({0: writer.floats([most]), 1: writer.floats([0.0])})


def _segmenter_options(writer: _Writer) -> int:
    """Activation NONE, the default that a flatbuffer leaves out: the graph ends in a probability."""
    inner = _Writer()
    options = inner.finish({1: inner.text("1.0.0")}, "V001")
    return writer.table({0: writer.text(_SEGMENTER_OPTIONS), 1: writer.octets(options)})


class _Writer:
    """Flatbuffers from the inside out: what a table refers to is written before it."""

    def __init__(self) -> None:
        import flatbuffers

        self._builder: Any = flatbuffers.Builder(1024)

    def text(self, text: str) -> int:
        return int(self._builder.CreateString(text))

    def floats(self, values: Sequence[float]) -> int:
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependFloat32(value)
        return int(self._builder.EndVector())

    def octets(self, data: bytes) -> int:
        self._builder.StartVector(1, len(data), _CUSTOM_ALIGNMENT)
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
