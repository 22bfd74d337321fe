"""What one model file makes of a frame, step by step, as arrays in files and their description for `index.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segexport.errors import InaccurateError
from segexport.vectors.frames import VectorFrame
from segruntime import Contract, Refiner, Segmenter
from segruntime.model_file.png import encode_png
from segruntime.model_file.self_test import FLOAT_PRECISIONS
from segruntime.preprocess import fit_region

Array = npt.NDArray[Any]
Entry = dict[str, Any]

ABOUT = {
    "frame": ("HWC", "the frame, red first; the PNG holds the same pixels"),
    "input": ("", "the network's input tensor: the frame resized, in the contract's colours, through the byte table"),
    "output": ("", "the network's output tensor as the interpreter gives it, before dequantization"),
    "probability": ("HW", "the person's probability at the network's size, 0 to 1"),
    "alpha": ("HW", "the soft mask at the frame's size, 0 to 1: probability without a letterbox's border, scaled up"),
    "luma": ("HW", "the frame in gray, BT.601, full range"),
    "coarse": ("HW", "probability without a letterbox's border: what the refiner is given"),
    "fast": ("HW", "the refiner's alpha, preset fast, of the stored coarse and luma, this frame after those before it"),
    "balanced": ("HW", "the same, preset balanced"),
}
"""Step → layout (empty: the contract's) and what it is, in the order of the chain."""

_REFINED = ("fast", "balanced")


def write_frame(segmenter: Segmenter, frame: VectorFrame, folder: Path) -> Entry:
    """The five arrays of one frame, written into `folder`.

    Raises:
        InaccurateError: the network gives NaN or infinity.
    """
    height, width = frame.pixels.shape[:2]
    tensor = segmenter.preprocess(frame.pixels).copy()
    output = np.array(segmenter.invoke(tensor))
    _require_finite(segmenter, frame, output)
    arrays = {
        "frame": frame.pixels[:, :, ::-1],
        "input": tensor,
        "output": output,
        "probability": segmenter.probability(output),
        "alpha": segmenter.postprocess(output, (height, width)),
    }
    region = dict(
        zip(("left", "top", "width", "height"), fit_region(segmenter.contract.input, height, width), strict=True)
    )
    return {**_sizes(frame), "region_in_input": region, "arrays": _write_all(arrays, segmenter, frame, folder)}


def write_stream(segmenter: Segmenter, frames: Sequence[VectorFrame], folder: Path) -> list[Entry]:
    """Frames of one stream through the refiner; each entry depends on those before it."""
    refiners = {name: Refiner(name) for name in _REFINED}
    entries = []
    for frame in frames:
        luma = np.asarray(cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2GRAY), np.uint8)
        mask = segmenter.network_mask(frame.pixels)
        _require_finite(segmenter, frame, mask)
        coarse = segmenter.without_border(mask, frame.pixels.shape[:2])
        arrays: dict[str, Array] = {"frame": frame.pixels[:, :, ::-1], "luma": luma, "coarse": coarse}
        arrays |= {name: refine(coarse, luma) for name, refine in refiners.items()}
        entries.append({**_sizes(frame), "arrays": _write_all(arrays, segmenter, frame, folder)})
    return entries


def tolerances(contract: Contract, outputs: tuple[float, float]) -> dict[str, dict[str, float]]:
    """What a port may differ by, each step; `outputs` are the least and the largest value of the stored output tensors.

    `largest` and `mean` are of the absolute difference, `mask_iou` of the masks at the contract's threshold, `share` is the
    part of the pixels that `largest` must hold for.
    """
    integers = {"largest": 0.0} if contract.input.dtype != "float32" else {"largest": 1e-6}
    if is_float(contract):
        output = {"largest": 1e-3 * max(1.0, *map(abs, outputs))}
        mask = {"largest": 1e-3}
    else:
        output = {"mean": 0.01 * max(1.0, outputs[1] - outputs[0])}
        mask = {"mean": 0.01, "mask_iou": 0.99}
    refined = {"largest": 2.0, "share": 0.999}
    steps = {"input": integers, "output": output, "probability": mask, "alpha": mask}
    return steps | {"luma": {"largest": 1.0}, "coarse": mask, "fast": {"largest": 1.0}, "balanced": refined}


def is_float(contract: Contract) -> bool:
    """Whether other kernels change its output by rounding only."""
    if contract.conversion is not None:
        return contract.conversion.precision in FLOAT_PRECISIONS
    return contract.input.dtype == "float32" and contract.output.dtype == "float32"


def _sizes(frame: VectorFrame) -> Entry:
    height, width = frame.pixels.shape[:2]
    return {"name": frame.name, "width": width, "height": height}


def _write_all(arrays: dict[str, Array], segmenter: Segmenter, frame: VectorFrame, folder: Path) -> dict[str, Entry]:
    layouts = {"input": segmenter.contract.input.layout, "output": segmenter.contract.output.layout}
    entries = {}
    for step, array in arrays.items():
        entry = _write(array, folder, f"{frame.name}.{step}")
        entries[step] = {"what": ABOUT[step][1], "layout": layouts.get(step) or ABOUT[step][0], **entry}
    png = folder / f"{frame.name}.png"
    png.write_bytes(encode_png(frame.pixels))
    entries["frame"]["png"] = f"{folder.name}/{png.name}"
    return entries


def _write(array: Array, folder: Path, name: str) -> Entry:
    """`NAME.bin`, little-endian in C order, and `NAME.npy`; frames have their PNG instead of the latter."""
    packed = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    (folder / f"{name}.bin").write_bytes(packed.tobytes())
    entry: Entry = {"file": f"{folder.name}/{name}.bin"}
    if not name.endswith(".frame"):
        np.save(folder / f"{name}.npy", packed)
        entry["npy"] = f"{folder.name}/{name}.npy"
    least, most = packed.min().item(), packed.max().item()
    return {**entry, "dtype": array.dtype.name, "shape": list(array.shape), "least": least, "most": most}


def _require_finite(segmenter: Segmenter, frame: VectorFrame, array: Array) -> None:
    if not np.isfinite(array).all():
        raise InaccurateError(
            f"{segmenter.path}: its output for {frame.name} holds NaN or infinity, expected finite numbers; "
            "no port can be held to it, so export the network again"
        )
