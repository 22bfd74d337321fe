"""What a .tflite says of itself in TFLite's own words, so that MediaPipe Tasks takes it as it is.

One flatbuffer, `ModelMetadata` of TFLite's `metadata_schema.fbs` (identifier "M001"), with the segmenter's options inside
(`image_segmenter_metadata_schema.fbs`, identifier "V001"). LiteRT ships no code for these schemas, so that tables are written
by their field numbers. It follows the contract: RGB bytes in, a probability out that needs no activation, and the channels'
names in `labels.txt`.
"""

from __future__ import annotations

from segexport.tflite.flatbuffer import TableWriter
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
    writer = TableWriter()
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


def _image(writer: TableWriter, spec: InputSpec) -> int:
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


def _mask(writer: TableWriter, spec: OutputSpec) -> int:
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


def _content(writer: TableWriter, colors: int, size: tuple[int, int]) -> int:
    """An image of this colour space, `size` (width, height)."""
    extent = writer.table({}, sizes=dict(enumerate(size)))
    properties = writer.table({1: extent}, numbers={0: colors})
    return writer.table({1: properties}, numbers={0: _IMAGE_PROPERTIES})


def _stats(writer: TableWriter, most: float) -> int:
    return writer.table({0: writer.floats([most]), 1: writer.floats([0.0])})


def _segmenter_options(writer: TableWriter) -> int:
    """Activation NONE, the default that a flatbuffer leaves out: the graph ends in a probability."""
    inner = TableWriter()
    options = inner.finish({1: inner.text("1.0.0")}, "V001")
    return writer.table({0: writer.text(_SEGMENTER_OPTIONS), 1: writer.octets(options, _CUSTOM_ALIGNMENT)})
