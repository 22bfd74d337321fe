"""Golden pictures: a few small frames inside the model file, with the masks that they gave where the file was made.

With them any device can say, without PyTorch, whether this file gives the same mask there (`model_file.self_test`). One text
entry, as the contract is one: strict JSON with PNGs in base64, at most 150 kB in the file (`docs/contract.md`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import PICTURE, Alpha, check_same_size, checked
from segruntime.errors import FrameError, GoldenError, ModelFileError
from segruntime.model_file.entries import model_sha256, read_text, with_text
from segruntime.model_file.png import decode_png, encode_png
from segruntime.preprocess import Frame
from segruntime.strict_json import Fields, parse_json, shown

NAME = "segedge.golden"
VERSION = 1
MOST_PICTURES = 4
MOST_FRAME_SIDE = 512
MOST_MASK_SIDE = 128  # a mask of 256 takes three times the bytes, at the cost of what the frame may show
MOST_BYTES = 149_500  # of the text; with the headers of a zip around it the entry stays below 150,000 bytes
_MOST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GoldenPicture:
    """A small frame and two masks of it, both as `as_stored` gives them.

    `frame`: `(h, w, 3) uint8, BGR`, any size up to 512. `reference`: PyTorch's mask, `(mh, mw) float32, 0–1`, at the network's
    output size (long side at most 128). `made`: the mask that this very file gave on the machine where it was made, likewise.
    """

    name: str
    frame: Frame
    reference: Alpha
    made: Alpha


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Golden:
    """All that is stored: the pictures, and the SHA-256 of the model that gave their masks (`entries.model_sha256`)."""

    pictures: tuple[GoldenPicture, ...]
    model_sha256: str


def as_stored(mask: Alpha) -> Alpha:
    """A mask `(h, w) float32, 0–1` as it is stored and compared: `(mh, mw) float32`, multiples of 1/255.

    Where the long side is over 128 the mask is averaged down to 128 (INTER_AREA); then it is rounded to 8 bits, so a stored
    mask is exact to 1/510. What is no number stays no number.
    """
    height, width = mask.shape
    scale = MOST_MASK_SIDE / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray(np.rint(np.clip(mask, 0, 1) * 255) / np.float32(255), np.float32)


def golden_text(pictures: Sequence[GoldenPicture], model_sha256: str) -> str:
    """The entry as it lies in the file, ASCII.

    Raises:
        FrameError: a frame or mask has another shape or dtype, or a name that cannot be read back.
    """
    rows = [
        {"name": _checked_name(one.name), "frame": _packed(_checked_frame(one)), **_packed_masks(one)}
        for one in pictures
    ]
    return json.dumps({"format": NAME, "version": VERSION, "model_sha256": model_sha256, "pictures": rows})


def with_golden(model: bytes, pictures: Sequence[GoldenPicture]) -> bytes:
    """The bytes of an ONNX or TFLite model with 1 to 4 golden pictures inside; older ones are replaced.

    Raises:
        GoldenError: too many, or together larger than 150 kB.
        FrameError: see `golden_text`.
        ModelFileError: the model is broken or of neither kind.
    """
    text = golden_text(pictures, model_sha256(model))
    if not 1 <= len(pictures) <= MOST_PICTURES or len(text) > MOST_BYTES:
        raise GoldenError(
            f"golden pictures: got {len(pictures)} of {len(text)} bytes, expected 1 to {MOST_PICTURES} "
            f"of at most {MOST_BYTES} bytes together; give fewer or smaller ones"
        )
    return with_text(model, NAME, text)


def read_golden(path: str | Path) -> Golden | None:
    """The golden pictures of a model file; None where it holds none.

    Raises:
        ModelFileError: the file is missing or broken, or its golden pictures are.
    """
    path = Path(path)
    text = read_text(path, NAME)
    if text is None:
        return None
    try:
        return _golden(text)
    except ValueError as error:
        raise ModelFileError(
            f"{path}: the golden pictures inside cannot be read ({error}); copy the file again or export it again"
        ) from error


def _golden(text: str) -> Golden:
    if len(text) > MOST_BYTES:
        raise ValueError(f"{len(text)} characters, at most {MOST_BYTES} expected")
    f = Fields(parse_json(text))
    f.header(NAME, VERSION)
    sha256 = f.digest("model_sha256")
    golden = Golden(
        pictures=tuple(_picture(part) for part in f.parts("pictures", 1, MOST_PICTURES)), model_sha256=sha256
    )
    f.finish()
    return golden


def _picture(f: Fields) -> GoldenPicture:
    name = f.string("name")
    if not _is_name(name):
        f.fail("name", f"printable text of at most {_MOST_NAME} characters")
    reference, made = _mask(f, "reference"), _mask(f, "made")
    if reference.shape != made.shape:
        raise ValueError(f"the masks of {name!r} are {reference.shape} and {made.shape}, expected one size")
    return GoldenPicture(name=name, frame=_pixels(f, "frame", 3, MOST_FRAME_SIDE), reference=reference, made=made)


def _is_name(name: str) -> bool:
    return len(name) <= _MOST_NAME and name.isprintable()


def _mask(f: Fields, key: str) -> Alpha:
    return np.asarray(_pixels(f, key, 1, MOST_MASK_SIDE) / np.float32(255), np.float32)


def _pixels(f: Fields, key: str, channels: int, most_side: int) -> Frame:
    value = f.raw(key)
    if not isinstance(value, str):
        f.fail(key, "a PNG in base64")
    try:
        return decode_png(base64.b64decode(value, validate=True), channels, most_side)
    except ValueError as error:
        raise ValueError(f"{key} is no picture: {error}") from error


def _packed(pixels: npt.NDArray[np.uint8]) -> str:
    return base64.b64encode(encode_png(pixels)).decode("ascii")


def _packed_masks(one: GoldenPicture) -> dict[str, str]:
    masks = {"reference": one.reference, "made": one.made}
    for key, mask in masks.items():
        checked(f"golden picture {one.name!r}: {key}", mask, "(h, w) float32", dtypes=(np.float32,))
        if not np.isfinite(mask).all():
            raise FrameError(f"golden picture {one.name!r}: {key} holds NaN or infinity, expected a mask of numbers")
    check_same_size(f"golden picture {one.name!r}", one.reference, one.made, "masks (h, w)")
    return {key: _packed(np.asarray(np.rint(as_stored(mask) * 255), np.uint8)) for key, mask in masks.items()}


def _checked_name(name: str) -> str:
    if not _is_name(name):
        raise FrameError(
            f"golden picture: the name is {shown(name)}, expected printable text of at most {_MOST_NAME} characters"
        )
    return name


def _checked_frame(one: GoldenPicture) -> Frame:
    frame = checked(f"golden picture {one.name!r}: frame", one.frame, "(h, w, 3) uint8, BGR", (PICTURE,))
    if max(frame.shape) > MOST_FRAME_SIDE:
        raise FrameError(
            f"golden picture {one.name!r}: frame: got {frame.shape}, expected at most {MOST_FRAME_SIDE} on a side"
        )
    return frame
