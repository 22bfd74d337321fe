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
from tests.processor_time import at_most

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
    with at_most(2), pytest.raises(ModelFileError) as caught:
        read_golden(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    message = str(caught.value)
    assert peak < 20_000_000
    assert message.startswith(f"{path}: the golden pictures inside cannot be read (")
    assert message.endswith("); copy the file again or export it again")
    assert message.isprintable()
    assert len(message) < 600
    return message


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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "Expecting value", id="empty"),
        pytest.param("[" * 100_000, "nested deeper than 64", id="depth"),
        pytest.param("[]", "the whole is of type list, expected an object", id="a list"),
        pytest.param("NaN", "NaN is not a number here", id="NaN"),
        pytest.param('{"format": 1, "format": 2}', "stands twice", id="twice"),
        pytest.param(GOOD + " " * 150_000, "at most 149500 expected", id="too long"),
        pytest.param(GOOD[:-1], "Expecting", id="cut off"),
        pytest.param(body(lambda d: d.update(version=2)), "version is 2, expected 1", id="newer"),
        pytest.param(body(lambda d: d.update(version=True)), "version is True, expected 1", id="version true"),
        pytest.param(body(lambda d: d.update(format="x\x1b[31m" * 50)), "format is 'x", id="format"),
        pytest.param(body(lambda d: d.update(more=1)), "unknown field more, known: format", id="unknown field"),
        pytest.param(body(lambda d: d.pop("version")), "version is missing", id="missing field"),
        pytest.param(body(lambda d: d.update(model_sha256="A" * 64)), "64 hexadecimal digits", id="digest"),
        pytest.param(body(lambda d: d.update(model_sha256=5)), "64 hexadecimal digits", id="digest a number"),
        pytest.param(body(lambda d: d.update(pictures=[])), "a list of 1 to 4", id="none"),
        pytest.param(body(lambda d: d.update(pictures={})), "a list of 1 to 4", id="an object"),
        pytest.param(body(lambda d: d.update(pictures=[{}] * 30_000)), "a list of 1 to 4", id="thousands"),
        pytest.param(
            body(lambda d: d.update(pictures=[5])), "pictures[0] is of type int, expected an object", id="a number"
        ),
        pytest.param(picture(extra=1), "unknown field pictures[0].extra, known: frame", id="more in a picture"),
        pytest.param(picture(name=5), "name is 5", id="name a number"),
        pytest.param(picture(name="\x1b]0;gone\x07"), "printable text", id="terminal codes"),
        pytest.param(picture(name="\u202eexe"), "printable text", id="right to left"),
        pytest.param(picture(name="a" * 101), "at most 100", id="long name"),
        pytest.param(picture(frame=None), "frame is None, expected a PNG", id="no frame"),
        pytest.param(picture(frame=["a"]), "expected a PNG in base64", id="frame a list"),
        pytest.param(picture(frame="€"), "frame is no picture", id="not ASCII"),
        pytest.param(picture(frame="a$b="), "frame is no picture", id="not base64"),
        pytest.param(picture(frame="abcde"), "frame is no picture", id="base64 cut off"),
        pytest.param(picture(frame=""), "it is no PNG", id="nothing"),
        pytest.param(picture(frame=packed(b"\xff\xd8\xff\xe0" * 10)), "it is no PNG", id="a JPEG"),
    ],
)
def test_a_broken_entry_is_refused(tmp_path: Path, text: str, says: str) -> None:
    assert says in refused(tmp_path, text)


BOMB = zlib.compress(bytes(50_000_000), 9)
GRAY = "expected 8 bits and 1 channels"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(png(2**31 - 1, 2**31 - 1, rows=b""), "declares 2147483647x2147483647 pixels", id="huge"),
        pytest.param(png(129, 1), "expected 1 to 128 on a side", id="a little too wide"),
        pytest.param(png(0, 4, rows=b""), "declares 0x4 pixels", id="no width"),
        pytest.param(png(5, 0, rows=b""), "declares 5x0 pixels", id="no height"),
        pytest.param(png(stream=BOMB), "more or fewer pixels", id="inflates to 50 MB"),
        pytest.param(png(rows=bytes(23)), "more or fewer pixels", id="a byte short"),
        pytest.param(png(rows=bytes(25)), "more or fewer pixels", id="a byte more"),
        pytest.param(png(stream=zlib.compress(bytes(24)) + b"x"), "more or fewer pixels", id="more behind the stream"),
        pytest.param(png(stream=zlib.compress(bytes(24))[:-4]), "more or fewer pixels", id="stream without its end"),
        pytest.param(png(stream=b"\xff" * 30), "pixels are damaged", id="no stream"),
        pytest.param(png(stream=b""), "more or fewer pixels", id="empty stream"),
        pytest.param(png(rows=b"\x05" + bytes(23)), "unknown filter", id="unknown filter"),
        pytest.param(png(kind=(8, 2, 0, 0, 0)), GRAY, id="colour for gray"),
        pytest.param(png(kind=(16, 0, 0, 0, 0)), GRAY, id="16 bits"),
        pytest.param(png(kind=(1, 0, 0, 0, 0)), GRAY, id="1 bit"),
        pytest.param(png(kind=(8, 3, 0, 0, 0)), GRAY, id="palette"),
        pytest.param(png(kind=(8, 0, 0, 0, 1)), GRAY, id="interlaced"),
        pytest.param(png(kind=(8, 0, 1, 0, 0)), GRAY, id="unknown packing"),
        pytest.param(png(extra=chunk(b"acTL", bytes(8))), "other parts than header, pixels and end", id="animation"),
        pytest.param(png(extra=chunk(b"zTXt", b"a\0\0" + BOMB[:99])), "other parts", id="packed text"),
        pytest.param(png(extra=chunk(b"gAMA", b"\0\0\0\1")), "other parts", id="gamma"),
        pytest.param(png(extra=chunk(b"IHDR", bytes(13))), "other parts", id="two headers"),
        pytest.param(png()[:8], "other parts", id="signature alone"),
        pytest.param(png()[:-12], "other parts", id="no end"),
        pytest.param(png()[:-1], "cut off or damaged", id="cut off"),
        pytest.param(png() + b"more", "cut off or damaged", id="more behind it"),
        pytest.param(png().replace(b"IDAT", b"IDAU"), "cut off or damaged at byte 33", id="checksum"),
        pytest.param(b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR" + bytes(40), "cut off or damaged", id="length of 4 GB"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"") + chunk(b"IEND", b""), "", id="empty header"),
    ],
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
