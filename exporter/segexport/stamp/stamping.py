"""What a new file says of itself: the contract (tensors as the interpreter reports them, source, conversion, parity), and
for a .tflite TFLite's own metadata next to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from segexport.compare import Comparison
from segexport.precisions import Bound
from segexport.quantize.recipe import Recipe
from segexport.tflite.metadata import ENTRY, LABELS_FILE, labels_text, model_metadata
from segexport.tflite.metadata_place import place_metadata
from segruntime.model_file.contract import Contract, Conversion, Parity, Source, stamp
from segruntime.model_file.entries import model_kind, with_attachment, without_archive

if TYPE_CHECKING:  # the child that runs files starts no converters
    from segexport.convert.choose import ChosenConverter

TOOLS = (
    "segedge",
    "torch",
    "onnxscript",
    "onnx",
    "litert-quantizer",
    "ai-edge-litert",
    "onnxruntime",
)
_DIGITS = 12  # of the checkpoint's SHA-256: enough to tell one from another


def tool_versions() -> dict[str, str]:
    """The versions of everything that had a hand in it."""
    found = {}
    for name in TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def stamp_file(
    path: Path,
    contract: Contract,
    *,
    source: Source,
    precision: str,
    calibration: tuple[int, str | None],
    float_layers: Sequence[str],
    chosen: ChosenConverter | None,
    recipe: Recipe | None,
    comparison: Comparison,
    picture_source: str,
    bound: Bound,
    within_bound: bool,
) -> None:
    """Write TFLite's metadata and the whole contract into the file; `chosen`: who made the float32 file behind it."""
    measured = comparison.agreement
    full = replace(
        contract,
        source=source,
        conversion=Conversion(
            precision=precision,
            calibration_count=calibration[0],
            calibration_sha256=calibration[1],
            tools=tool_versions() | ({} if chosen is None else dict(chosen.versions)),
            float_layers=tuple(float_layers),
            converter=None if chosen is None else chosen.converter,
            refused=None if chosen is None or not chosen.refused else dict(chosen.refused),
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
    model = path.read_bytes()
    if model_kind(path) == "tflite":  # before all that rests on the model's digest
        model = with_metadata(model, path.stem, full)
    path.write_bytes(stamp(model, full))


def with_metadata(model: bytes, name: str, contract: Contract) -> bytes:
    """A .tflite → with TFLite's metadata inside and `labels.txt` behind, and nothing else there.

    Raises:
        ConversionError: it cannot hold them.
    """
    source, conversion = contract.source, contract.conversion
    described = f"Person segmentation ({source.architecture})" if source else "Person segmentation"
    made = f", {conversion.precision}, exported by segedge." if conversion else ", exported by segedge."
    version = source.sha256[:_DIGITS] if source else ""
    metadata = model_metadata(contract, name, described + made, version)
    placed = place_metadata(without_archive(model), ENTRY, metadata)
    return with_attachment(placed, LABELS_FILE, labels_text(contract.output))
