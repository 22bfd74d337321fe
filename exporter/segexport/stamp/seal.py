"""What a new file says of itself, written into it at once: contract, golden pictures, and in a .tflite TFLite's metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from segexport.convert.choose import ChosenConverter
from segexport.tflite.metadata import ENTRY, LABELS_FILE, labels_text, model_metadata
from segexport.tflite.metadata_place import place_metadata
from segruntime.model_file.contract import Contract, stamp
from segruntime.model_file.entries import model_kind, with_attachment, without_archive
from segruntime.model_file.golden import GoldenPicture, with_golden

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


def tool_versions(chosen: ChosenConverter | None) -> dict[str, str]:
    """The versions of everything that had a hand in it; `chosen`: who made the float32 file behind it."""
    found = {}
    for name in TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found if chosen is None else found | dict(chosen.versions)


def seal(path: Path, contract: Contract, golden: Sequence[GoldenPicture]) -> tuple[int, str]:
    """Write all that goes into the file: it is read once and written once.

    Args:
        contract: whole, with source, conversion and parity.
        golden: with the masks that this file gave, as `golden_pictures` gives them; may be empty.

    Returns:
        The file's size in bytes and its SHA-256.
    """
    model = path.read_bytes()
    if model_kind(path) == "tflite":  # before all that rests on the model's digest
        model = with_metadata(model, path.stem, contract)
    model = stamp(model, contract)
    if golden:
        model = with_golden(model, golden)
    path.write_bytes(model)
    return len(model), hashlib.sha256(model).hexdigest()


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
