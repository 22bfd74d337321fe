"""The native core from Python, through ctypes: a proof of its interface, and what the tests drive it with."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
FORMATS = ("bgr", "rgb", "rgba", "bgra", "nv12", "nv21", "i420")
FLAGS = {"full": 0x100, "bt709": 0x200}
PRESETS = ("fast", "balanced")
STEPS = ("input", "output", "probability", "coarse")
STATUSES = ("ok", "argument", "file", "contract", "library", "memory")


class Frame(ctypes.Structure):
    """`segedge_frame`."""

    _fields_ = (
        ("format", ctypes.c_uint32),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("planes", ctypes.c_void_p * 3),
        ("strides", ctypes.c_size_t * 3),
    )


class Options(ctypes.Structure):
    """`segedge_options`."""

    _fields_ = (
        ("size", ctypes.c_size_t),
        ("threads", ctypes.c_uint32),
        ("feather", ctypes.c_uint32),
        ("litert", ctypes.c_char_p),
        ("contract", ctypes.c_char_p),
    )


class Info(ctypes.Structure):
    """`segedge_info`."""

    _fields_ = (
        ("size", ctypes.c_size_t),
        *(
            (name, ctypes.c_uint32)
            for name in ("input_width", "input_height", "output_width", "output_height", "threads")
        ),
        ("threshold", ctypes.c_double),
        ("contract", ctypes.c_char_p),
    )


class Result(ctypes.Structure):
    """`segedge_result`."""

    _fields_ = (
        ("size", ctypes.c_size_t),
        ("same", ctypes.c_int32),
        ("altered", ctypes.c_int32),
        ("pictures", ctypes.c_uint32),
        *((name, ctypes.c_double) for name in ("least_iou", "least_iou_pytorch", "mean_difference")),
    )


class NativeError(Exception):
    """What the core said; `status` is one of `STATUSES`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = STATUSES[status]


@dataclass(frozen=True, slots=True)
class Opening:
    """How to open a model: the core's library, LiteRT's, threads, a contract for a foreign model, pixels of feather."""

    core: Path
    litert: Path | None = None
    threads: int = 0
    contract: str | None = None
    feather: int = 0


def frame_of(image: Bytes | Sequence[Bytes], kind: str) -> Frame:
    """A packed picture `(H, W, 3 | 4) uint8`, or the planes of a YUV frame, luma first; rows may be apart.

    `kind`: one of `FORMATS`, for YUV with flags: "nv12 full bt709". It points into the arrays, which must outlive it.
    """
    planes = [image] if isinstance(image, np.ndarray) else list(image)
    height, width = planes[0].shape[:2]
    pointers, strides = (ctypes.c_void_p * 3)(), (ctypes.c_size_t * 3)()
    for k, plane in enumerate(planes):
        pointers[k], strides[k] = plane.ctypes.data, plane.strides[0]
    name, *flags = kind.split()
    return Frame(FORMATS.index(name) + sum(FLAGS[flag] for flag in flags), width, height, pointers, strides)


class Native:
    """A session of the core.

    Raises:
        NativeError: by every method.
    """

    def __init__(self, model: Path | bytes, opening: Opening) -> None:
        self.core = load(opening.core)
        self.session = ctypes.c_void_p()
        options = Options(
            ctypes.sizeof(Options),
            opening.threads,
            opening.feather,
            str(opening.litert).encode() if opening.litert else None,
            opening.contract.encode() if opening.contract is not None else None,
        )
        if isinstance(model, bytes):
            status = self.core.segedge_open_buffer(model, len(model), options, ctypes.byref(self.session))
        else:
            status = self.core.segedge_open_file(str(model).encode(), options, ctypes.byref(self.session))
        try:
            self.check(status)
        except NativeError:
            self.close()
            raise

    def check(self, status: int) -> None:
        """Nothing, if the status is 0."""
        if status:
            raise NativeError(status, self.core.segedge_error(self.session).decode())

    def describe(self) -> Info:
        info = Info(ctypes.sizeof(Info))
        self.check(self.core.segedge_describe(self.session, ctypes.byref(info)))
        return info

    def mask(self, image: Bytes | Sequence[Bytes], kind: str = "bgr") -> npt.NDArray[np.float32]:
        """A frame as `frame_of` takes it → `(H, W) float32, 0–1`."""
        frame = frame_of(image, kind)
        out = np.empty((frame.height, frame.width), np.float32)
        self.check(self.core.segedge_mask(self.session, frame, out.ctypes.data, out.strides[0]))
        return out

    def alpha(self, image: Bytes | Sequence[Bytes], kind: str = "bgr", preset: str = "balanced") -> Bytes:
        """A frame as `frame_of` takes it → refined alpha, `(H, W) uint8, 0–255`."""
        frame = frame_of(image, kind)
        out = np.empty((frame.height, frame.width), np.uint8)
        number = PRESETS.index(preset)
        self.check(self.core.segedge_alpha(self.session, frame, number, out.ctypes.data, out.strides[0]))
        return out

    def reset(self) -> None:
        self.check(self.core.segedge_reset(self.session))

    def composite(
        self,
        image: Bytes | Sequence[Bytes],
        alpha: Bytes,
        background: Bytes | tuple[int, int, int],
        kinds: tuple[str, str] = ("bgr", "bgr"),
        out: Bytes | None = None,
    ) -> Bytes:
        """A frame over a BGR picture of any size, or over a colour (blue, green, red); `kinds`: of the frame and of `out`."""
        channels = 4 if "a" in kinds[1] else 3
        out = np.empty((*alpha.shape, channels), np.uint8) if out is None else out
        picture, colour = None, None
        if isinstance(background, np.ndarray):
            picture = ctypes.byref(frame_of(background, "bgr"))
        else:
            colour = bytes(background[::-1])
        frame = frame_of(image, kinds[0])
        weights, to = (alpha.ctypes.data, alpha.strides[0]), (out.ctypes.data, out.strides[0])
        self.check(
            self.core.segedge_composite(self.session, frame, *weights, picture, colour, FORMATS.index(kinds[1]), *to)
        )
        return out

    def self_test(self) -> Result:
        result = Result(ctypes.sizeof(Result))
        self.check(self.core.segedge_self_test(self.session, ctypes.byref(result)))
        return result

    def step(self, name: str) -> bytes:
        """What the last frame was made of, as bytes: one of `STEPS`."""
        data, count = ctypes.c_void_p(), ctypes.c_size_t()
        status = self.core.segedge_inspect(self.session, STEPS.index(name), ctypes.byref(data), ctypes.byref(count))
        self.check(status)
        return ctypes.string_at(data, count.value)

    def close(self) -> None:
        """Twice does nothing."""
        self.core.segedge_close(ctypes.byref(self.session))


def load(path: Path) -> Any:
    """The core's library with the types of its functions."""
    core = ctypes.CDLL(str(path))
    pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32
    frame, session = ctypes.POINTER(Frame), ctypes.POINTER(ctypes.c_void_p)
    core.segedge_open_file.argtypes = [ctypes.c_char_p, ctypes.POINTER(Options), session]
    core.segedge_open_buffer.argtypes = [ctypes.c_char_p, size, ctypes.POINTER(Options), session]
    core.segedge_describe.argtypes = [pointer, ctypes.POINTER(Info)]
    core.segedge_mask.argtypes = [pointer, frame, pointer, size]
    core.segedge_alpha.argtypes = [pointer, frame, number, pointer, size]
    core.segedge_reset.argtypes = [pointer]
    core.segedge_composite.argtypes = [pointer, frame, pointer, size, frame, ctypes.c_char_p, number, pointer, size]
    core.segedge_self_test.argtypes = [pointer, ctypes.POINTER(Result)]
    core.segedge_inspect.argtypes = [pointer, number, ctypes.POINTER(pointer), ctypes.POINTER(size)]
    core.segedge_error.argtypes, core.segedge_error.restype = [pointer], ctypes.c_char_p
    core.segedge_version.argtypes, core.segedge_version.restype = [], ctypes.c_char_p
    core.segedge_close.argtypes, core.segedge_close.restype = [session], None
    return core
