"""The fuzzer's first inputs, one file each into FOLDER: small models, contracts, golden pictures, PNGs and deflate streams.

PYTHONPATH=. python tests/native/fuzz/seeds.py FOLDER
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils
from tests.native.reshaped import write_reshaped

from segruntime.model_file.entries import read_text, with_text
from segruntime.model_file.golden import GoldenPicture, golden_text, with_golden
from segruntime.model_file.png import encode_png

MODELS = Path(__file__).parents[3] / "runtime" / "segruntime" / "models"


def small_contract(dtype: str, meaning: str) -> dict[str, Any]:
    """Of a file that `write_reshaped` makes: 4x2 pixels, an output of as many values."""
    classes = meaning == "classes"
    quantized = {} if dtype == "float32" else {"scale": 0.013, "zero_point": 5}
    same: dict[str, Any] = {"layout": "NHWC", "dtype": dtype, "height": 2}
    given = {"width": 4, "color": "rgb", "value_range": [0.0, 1.0], "resize": "stretch", "interpolation": "bilinear"}
    made: dict[str, Any] = {
        "width": 12 if classes else 4,
        "meaning": meaning,
        "channels": 3,
        "person_channel": 1,
        "labels": [],
    }
    return {
        "format": "segedge.contract",
        "version": 1,
        "input": {**same, **given, **quantized},
        "output": {**same, **made, **({} if classes else quantized)},
        "threshold": 0.5,
    }


def small_golden(count: int) -> list[GoldenPicture]:
    generator = np.random.default_rng(1)
    frame = generator.integers(0, 256, (3, 5, 3)).astype(np.uint8)
    mask = np.round(generator.random((2, 4)) * 255).astype(np.float32) / np.float32(255)
    return [GoldenPicture(name=f"n{k}", frame=frame, reference=mask, made=mask) for k in range(count)]


def first_operators(path: Path, count: int) -> bytes:
    """A bundled model cut behind its first operators, each buffer to 8 bytes."""
    model = flatbuffer_utils.read_model(str(path))
    graph = model.subgraphs[0]
    graph.operators = graph.operators[:count]
    graph.outputs = graph.operators[-1].outputs
    used = sorted({int(t) for one in graph.operators for t in (*one.inputs, *one.outputs) if t >= 0})
    places = {old: new for new, old in enumerate(used)}
    graph.tensors = [graph.tensors[old] for old in used]
    for one in graph.operators:
        one.inputs = [places.get(int(t), -1) for t in one.inputs]
        one.outputs = [places[int(t)] for t in one.outputs]
    graph.inputs, graph.outputs = [0], [places[int(t)] for t in graph.outputs]
    buffers = [model.buffers[0]]
    for tensor in graph.tensors:
        held = model.buffers[tensor.buffer]
        if held.data is not None:
            held.data = held.data[:8]
        buffers.append(held)
        tensor.buffer = len(buffers) - 1
        if tensor.quantization is not None and tensor.quantization.scale is not None:
            tensor.quantization.scale = tensor.quantization.scale[:1]
            tensor.quantization.zeroPoint = tensor.quantization.zeroPoint[:1]
    model.buffers, model.metadata, model.signatureDefs = buffers, None, None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def endless(count: int) -> bytes:
    """A model of `count` subgraphs of `count` tensors, which are one and the same: small, and walked for hours."""

    def table(fields: list[int], offsets: list[int]) -> bytes:
        """Its vtable and itself: where each field lies, and where from there each leads."""
        vtable = struct.pack(f"<{2 + len(fields)}H", 4 + 2 * len(fields), 4 + 4 * len(offsets), *fields)
        vtable += bytes(-len(vtable) % 4)
        return vtable + struct.pack(f"<i{len(offsets)}I", len(vtable), *offsets)

    def same(last: int) -> bytes:
        """A vector whose elements all lead to what lies `last` bytes behind its end."""
        return struct.pack(f"<{1 + count}I", count, *(4 * (count - k) + last for k in range(count)))

    buffers = struct.pack("<II", 1, 8) + table([], [])
    head = struct.pack("<I4s", 24, b"TFL3") + table([0, 0, 4, 0, 8], [8 + len(buffers), 4])
    return head + buffers + same(8) + table([4], [4]) + same(4) + table([], [])


def small_model(folder: Path, dtype: str = "int8", meaning: str = "probability") -> bytes:
    """A whole file that runs: one RESHAPE, its contract, two golden pictures."""
    contract = small_contract(dtype, meaning)
    path = write_reshaped(contract, folder / "model.tflite")
    return with_text(with_golden(path.read_bytes(), small_golden(2)), "segedge.contract", json.dumps(contract))


def seeds(folder: Path) -> Iterator[bytes]:
    for dtype, meaning in (("int8", "probability"), ("float32", "logits"), ("uint8", "classes")):
        yield small_model(folder, dtype, meaning)
    contract = read_text(MODELS / "mobile_unet_int8.tflite", "segedge.contract") or ""
    packed = folder / "packed.tflite"
    packed.write_bytes(first_operators(MODELS / "mobile_unet_int8.tflite", 3))
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("segedge.contract.json", contract)
    yield packed.read_bytes()
    yield first_operators(MODELS / "mobile_unet_float16.tflite", 4)
    yield endless(20000)
    yield contract.encode()
    yield json.dumps(small_contract("uint8", "classes")).encode()
    yield json.dumps({**small_contract("int8", "probability"), "source": None}, indent=1).encode()
    yield golden_text(small_golden(1), "0" * 64).encode()
    for channels in ((), (3,)):
        pixels = np.random.default_rng(2).integers(0, 4, (6, 7, *channels)).astype(np.uint8)
        yield encode_png(pixels)
        yield encode_png(np.zeros((128, 128, *channels), np.uint8))
    for level, strategy in ((0, 0), (9, zlib.Z_FIXED), (9, zlib.Z_DEFAULT_STRATEGY), (9, zlib.Z_HUFFMAN_ONLY)):
        packer = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
        yield packer.compress(contract.encode()[:600]) + packer.flush()


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds(Path(folder))):
            (out / f"seed-{number:02}").write_bytes(seed)


if __name__ == "__main__":
    main()
