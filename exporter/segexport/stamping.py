"""The contract of a new file: its tensors as the interpreter reports them, its source, its conversion, its parity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from segexport.compare import Comparison
from segexport.errors import ConversionError
from segexport.precisions import Bound
from segexport.recipe import Recipe
from segruntime.backends import BACKENDS, Backend, TensorInfo
from segruntime.contract import Contract, Conversion, InputSpec, OutputSpec, Parity, Source, stamp
from segruntime.embedded_text import model_kind
from segruntime.segmenter import Segmenter, default_threads

TOOLS = (
    "segedge",
    "torch",
    "onnxscript",
    "onnx2tf",
    "tensorflow",
    "ai-edge-quantizer",
    "ai-edge-litert",
    "onnxruntime",
)
_LAYOUTS = {"onnx": "NCHW", "tflite": "NHWC"}


def tool_versions() -> dict[str, str]:
    """The versions of everything that had a hand in it."""
    found = {}
    for name in TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def open_new(path: Path) -> Segmenter:
    """A file that a converter has just written, ready to run; its contract says what goes in and out, nothing more yet.

    Raises:
        ConversionError: the file has other tensors than one RGB image in and one channel out.
        SegRuntimeError: the file does not load.
    """
    kind, threads = model_kind(path), default_threads()
    backend = BACKENDS[kind](path, threads)
    return Segmenter(backend, _describe(path, backend, _LAYOUTS[kind]), path, threads)


def _describe(path: Path, backend: Backend, layout: str) -> Contract:
    image, mask = backend.inputs[0], backend.outputs[0]
    if len(backend.outputs) != 1 or _channels(image, layout) != 3 or _channels(mask, layout) != 1:
        raise ConversionError(
            f"{path.name}: the converter made {image.shape} in and {[t.shape for t in backend.outputs]} out, "
            f"expected one {layout} image and one channel; report this network"
        )
    (height, width), (out_height, out_width) = _size(image, layout), _size(mask, layout)
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
            channels=1,
            person_channel=0,
            labels=("person",),
            scale=mask.scale,
            zero_point=mask.zero_point,
        ),
    )


def stamp_file(
    path: Path,
    contract: Contract,
    *,
    source: Source,
    precision: str,
    calibration: tuple[int, str | None],
    float_layers: Sequence[str],
    recipe: Recipe | None,
    comparison: Comparison,
    picture_source: str,
    bound: Bound,
    within_bound: bool,
) -> None:
    """Write the whole contract into the file."""
    measured = comparison.agreement
    full = replace(
        contract,
        source=source,
        conversion=Conversion(
            precision=precision,
            calibration_count=calibration[0],
            calibration_sha256=calibration[1],
            tools=tool_versions(),
            float_layers=tuple(float_layers),
            recipe=None if recipe is None else recipe.to_json(),
        ),
        parity=Parity(
            pictures=comparison.pictures,
            picture_source=picture_source,
            **measured.to_json(),
            bound=str(bound),
            within_bound=within_bound,
        ),
    )
    path.write_bytes(stamp(path.read_bytes(), full))


def _channels(tensor: TensorInfo, layout: str) -> int:
    return tensor.shape[1 if layout == "NCHW" else 3] if len(tensor.shape) == 4 else -1


def _size(tensor: TensorInfo, layout: str) -> tuple[int, int]:
    height, width = tensor.shape[2:4] if layout == "NCHW" else tensor.shape[1:3]
    return height, width
