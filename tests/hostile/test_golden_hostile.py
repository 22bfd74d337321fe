"""Golden pictures made to do harm: each is refused in one line that names the file, before a decoder or an array sees it."""

from __future__ import annotations

import base64
import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import messages
from tests.each_case import each_case
from tests.processor_time import at_most
from tests.refusals import refusal

import segruntime
from segruntime.errors import ModelFileError
from segruntime.model_file.entries import with_text
from segruntime.model_file.golden import GoldenPicture, golden_text, read_golden
from segruntime.model_file.png import encode_png
from segruntime.segmenter import BUNDLED

FRAME = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
MASK = np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5)
GOOD = golden_text([GoldenPicture(name="a", frame=FRAME, reference=MASK, made=MASK)], "0" * 64)
MODEL = BUNDLED["tflite"].read_bytes()


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(with_text(MODEL, "segedge.golden", text))
    return path


def refused(tmp_path: Path, text: str) -> str:
    path = written(tmp_path, text)
    tracemalloc.start()
    starts = f"{path}: the golden pictures inside cannot be read ("
    with at_most(2):
        said = refusal(ModelFileError, read_golden, path, starts=starts, most=599)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000
    assert said.endswith("); copy the file again or export it again")
    return said


def body(change: Callable[[dict[str, Any]], Any]) -> str:
    data = json.loads(GOOD)
    change(data)
    return json.dumps(data)


def picture(**fields: Any) -> str:
    return body(lambda data: data["pictures"][0].update(fields))


def packed(data: bytes) -> str:
    return base64.b64encode(data).decode()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int = 5,
    height: int = 4,
    *,
    kind: tuple[int, ...] = (8, 0, 0, 0, 0),
    rows: bytes | None = None,
    extra: bytes = b"",
    stream: bytes | None = None,
) -> bytes:
    raw = bytes((1 + width) * height) if rows is None else rows
    header = chunk(b"IHDR", struct.pack(">II5B", width, height, *kind))
    pixels = chunk(b"IDAT", zlib.compress(raw) if stream is None else stream)
    return b"\x89PNG\r\n\x1a\n" + header + extra + pixels + chunk(b"IEND", b"")


def test_what_the_others_are_variations_of_is_read(tmp_path: Path) -> None:
    found = read_golden(written(tmp_path, picture(made=packed(png()))))
    assert found is not None
    np.testing.assert_array_equal(found.pictures[0].frame, FRAME)
    assert not found.pictures[0].made.any()


@each_case(
    ("text", "says"),
    {
        "empty": ("", "Expecting value"),
        "depth": ("[" * 100_000, "nested deeper than 64"),
        "a list": ("[]", "the whole is of type list, expected an object"),
        "NaN": ("NaN", f"NaN {messages.NO_NUMBER_HERE}"),
        "twice": ('{"format": 1, "format": 2}', "stands twice"),
        "too long": (GOOD + " " * 150_000, "at most 149500 expected"),
        "cut off": (GOOD[:-1], "Expecting"),
        "newer": (body(lambda d: d.update(version=2)), "version is 2, expected 1"),
        "version true": (body(lambda d: d.update(version=True)), "version is True, expected 1"),
        "format": (body(lambda d: d.update(format="x\x1b[31m" * 50)), "format is 'x"),
        "unknown field": (body(lambda d: d.update(more=1)), "unknown field more, known: format"),
        "missing field": (body(lambda d: d.pop("version")), "version is missing"),
        "digest": (body(lambda d: d.update(model_sha256="A" * 64)), "64 hexadecimal digits"),
        "digest a number": (body(lambda d: d.update(model_sha256=5)), "64 hexadecimal digits"),
        "none": (body(lambda d: d.update(pictures=[])), "a list of 1 to 4"),
        "an object": (body(lambda d: d.update(pictures={})), "a list of 1 to 4"),
        "thousands": (body(lambda d: d.update(pictures=[{}] * 30_000)), "a list of 1 to 4"),
        "a number": (body(lambda d: d.update(pictures=[5])), "pictures[0] is of type int, expected an object"),
        "more in a picture": (picture(extra=1), "unknown field pictures[0].extra, known: frame"),
        "name a number": (picture(name=5), "name is 5"),
        "terminal codes": (picture(name="\x1b]0;gone\x07"), "printable text"),
        "right to left": (picture(name="\u202eexe"), "printable text"),
        "long name": (picture(name="a" * 101), "at most 100"),
        "no frame": (picture(frame=None), "frame is None, expected a PNG"),
        "frame a list": (picture(frame=["a"]), "expected a PNG in base64"),
        "not ASCII": (picture(frame="€"), "frame is no picture"),
        "not base64": (picture(frame="a$b="), "frame is no picture"),
        "base64 cut off": (picture(frame="abcde"), "frame is no picture"),
        "nothing": (picture(frame=""), "it is no PNG"),
        "a JPEG": (picture(frame=packed(b"\xff\xd8\xff\xe0" * 10)), "it is no PNG"),
    },
)
def test_a_broken_entry_is_refused(tmp_path: Path, text: str, says: str) -> None:
    assert says in refused(tmp_path, text)


BOMB = zlib.compress(bytes(50_000_000), 9)
GRAY = "expected 8 bits and 1 channels"


@each_case(
    ("data", "says"),
    {
        "huge": (png(2**31 - 1, 2**31 - 1, rows=b""), "declares 2147483647x2147483647 pixels"),
        "a little too wide": (png(129, 1), "expected 1 to 128 on a side"),
        "no width": (png(0, 4, rows=b""), "declares 0x4 pixels"),
        "no height": (png(5, 0, rows=b""), "declares 5x0 pixels"),
        "inflates to 50 MB": (png(stream=BOMB), "more or fewer pixels"),
        "a byte short": (png(rows=bytes(23)), "more or fewer pixels"),
        "a byte more": (png(rows=bytes(25)), "more or fewer pixels"),
        "more behind the stream": (png(stream=zlib.compress(bytes(24)) + b"x"), "more or fewer pixels"),
        "stream without its end": (png(stream=zlib.compress(bytes(24))[:-4]), "more or fewer pixels"),
        "no stream": (png(stream=b"\xff" * 30), "pixels are damaged"),
        "empty stream": (png(stream=b""), "more or fewer pixels"),
        "unknown filter": (png(rows=b"\x05" + bytes(23)), "unknown filter"),
        "colour for gray": (png(kind=(8, 2, 0, 0, 0)), GRAY),
        "16 bits": (png(kind=(16, 0, 0, 0, 0)), GRAY),
        "1 bit": (png(kind=(1, 0, 0, 0, 0)), GRAY),
        "palette": (png(kind=(8, 3, 0, 0, 0)), GRAY),
        "interlaced": (png(kind=(8, 0, 0, 0, 1)), GRAY),
        "unknown packing": (png(kind=(8, 0, 1, 0, 0)), GRAY),
        "animation": (png(extra=chunk(b"acTL", bytes(8))), "other parts than header, pixels and end"),
        "packed text": (png(extra=chunk(b"zTXt", b"a\0\0" + BOMB[:99])), "other parts"),
        "gamma": (png(extra=chunk(b"gAMA", b"\0\0\0\1")), "other parts"),
        "two headers": (png(extra=chunk(b"IHDR", bytes(13))), "other parts"),
        "signature alone": (png()[:8], "other parts"),
        "no end": (png()[:-12], "other parts"),
        "cut off": (png()[:-1], "cut off or damaged"),
        "more behind it": (png() + b"more", "cut off or damaged"),
        "checksum": (png().replace(b"IDAT", b"IDAU"), "cut off or damaged at byte 33"),
        "length of 4 GB": (b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR" + bytes(40), "cut off or damaged"),
        "empty header": (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"") + chunk(b"IEND", b""), ""),
    },
)
def test_a_png_made_to_do_harm_is_refused_before_it_is_decoded(tmp_path: Path, data: bytes, says: str) -> None:
    message = refused(tmp_path, picture(made=packed(data)))
    assert "made is no picture" in message
    assert says in message


def test_a_frame_and_a_mask_are_not_taken_for_each_other(tmp_path: Path) -> None:
    assert "expected 8 bits and 3 channels" in refused(tmp_path, picture(frame=packed(png())))
    assert GRAY in refused(tmp_path, picture(made=packed(encode_png(FRAME))))


def test_masks_of_two_sizes_are_refused(tmp_path: Path) -> None:
    assert "the masks of 'a' are (4, 5) and (5, 4), expected one size" in refused(
        tmp_path, picture(made=packed(png(4, 5)))
    )


def test_random_bytes_in_a_png_are_refused_or_read_and_nothing_else(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    good = encode_png(FRAME)
    for _ in range(100):
        data = bytearray(good)
        data[random.integers(8, len(data))] ^= int(random.integers(1, 256))
        refused(tmp_path, picture(frame=packed(bytes(data))))


def test_every_cut_of_the_entry_is_refused(tmp_path: Path) -> None:
    for cut in range(0, len(GOOD), 37):
        refused(tmp_path, GOOD[:cut])


def test_a_damaged_entry_stops_the_self_test_and_not_the_network(tmp_path: Path) -> None:
    segmenter = segruntime.load(written(tmp_path, picture(made=packed(png(stream=BOMB)))))
    assert segmenter.alpha(FRAME).shape == (12, 16)
    with pytest.raises(ModelFileError, match="golden pictures inside cannot be read"):
        segmenter.self_test()
