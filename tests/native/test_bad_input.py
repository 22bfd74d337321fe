"""What the core is not given rightly is refused in one line, and nothing is read or written beyond it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from segedge import Frame, Info, Native, NativeError, Opening, Options, frame_of, load
from tests.each_case import each_case
from tests.native.conftest import MODELS
from tests.refusals import refusal

INT8 = MODELS / "mobile_unet_int8.tflite"


def picture(width: int = 8, height: int = 4) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def said(native: Native, status: int) -> tuple[str, str]:
    """Status and text of a call that is refused."""
    message = refusal(NativeError, native.check, status)
    try:
        native.check(status)
    except NativeError as error:
        return error.status, message
    raise AssertionError


def changed(**fields: Any) -> Callable[[Frame], Frame]:
    def change(frame: Frame) -> Frame:
        for name, value in fields.items():
            setattr(frame, name, value)
        return frame

    return change


def with_plane(value: int | None) -> Callable[[Frame], Frame]:
    def change(frame: Frame) -> Frame:
        frame.planes[0] = value
        return frame

    return change


def with_stride(value: int) -> Callable[[Frame], Frame]:
    def change(frame: Frame) -> Frame:
        frame.strides[0] = value
        return frame

    return change


@each_case(
    ("change", "says"),
    {
        "width 0": (changed(width=0), "frame: got 0x4, expected 1 to 32768 pixels on a side"),
        "height 0": (changed(height=0), "frame: got 8x0"),
        "width 2^31": (changed(width=2**31), "frame: got 2147483648x4"),
        "height 2^31": (changed(height=2**31), "frame: got 8x2147483648"),
        "one too wide": (changed(width=32769), "frame: got 32769x4"),
        "all bits": (changed(width=2**32 - 1), "frame: got 4294967295x4"),
        "format": (changed(format=7), "frame: got format 7"),
        "an unknown flag": (changed(format=0x404), "frame: got format 1028"),
        "range without YUV": (changed(format=0x100), "frame: got format 256, expected 0 to 6, and the flags"),
        "no plane": (with_plane(None), "frame: plane 0 is NULL"),
        "no second plane": (changed(format=4), "frame: plane 1 is NULL"),
        "stride 0": (with_stride(0), "plane 0: got a stride of 0 bytes, expected at least the 24 of a row"),
        "stride one too small": (with_stride(23), "plane 0: got a stride of 23 bytes"),
        "stride that wraps": (with_stride(2**64 - 1), "plane 0: got a stride of 18446744073709551615 bytes"),
        "stride that wraps by rows": (with_stride(2**62), "plane 0: got a stride"),
    },
)
def test_a_frame_that_cannot_be_is_refused(change: Callable[[Frame], Frame], says: str, int8: Native) -> None:
    image = picture()
    out = np.full((4, 8), 7, np.uint8)
    frame = change(frame_of(image, "bgr"))
    status, message = said(int8, int8.core.segedge_alpha(int8.session, frame, 0, out.ctypes.data, 8))
    assert status == "argument"
    assert says in message
    assert (out == 7).all()


@each_case(
    ("pointer", "stride", "says"),
    {
        "NULL": (None, 8, "alpha: got NULL"),
        "stride too small": ("out", 7, "alpha: got a stride of 7 bytes, expected at least the 8 of a row"),
        "stride 0": ("out", 0, "alpha: got a stride of 0 bytes"),
        "stride that wraps": ("out", 2**63, "alpha: got a stride"),
        "the frame itself": ("frame", 8, "alpha: overlaps a picture that is read"),
        "the frame's last byte": ("last", 8, "alpha: overlaps a picture that is read"),
    },
)
def test_memory_that_cannot_be_written_to_is_refused(pointer: str | None, stride: int, says: str, int8: Native) -> None:
    image, out = picture(), np.zeros((4, 8), np.uint8)
    places = {
        None: None,
        "out": out.ctypes.data,
        "frame": image.ctypes.data,
        "last": image.ctypes.data + image.size - 1,
    }
    status, message = said(
        int8, int8.core.segedge_alpha(int8.session, frame_of(image, "bgr"), 0, places[pointer], stride)
    )
    assert (status, says in message) == ("argument", True), message


def test_a_mask_whose_rows_are_not_aligned_is_refused(int8: Native) -> None:
    out = np.zeros((4, 9), np.float32)
    frame = frame_of(picture(), "bgr")
    for pointer, stride in ((out.ctypes.data + 1, 36), (out.ctypes.data, 33)):
        _, message = said(int8, int8.core.segedge_mask(int8.session, frame, pointer, stride))
        assert "align them to 4 bytes" in message


def test_a_composite_refuses_what_overlaps_and_what_is_missing(int8: Native) -> None:
    memory, alpha = np.zeros(400, np.uint8), np.zeros((4, 8), np.uint8)
    image = memory[:96].reshape(4, 8, 3)
    frame, weights = frame_of(image, "bgr"), (alpha.ctypes.data, 8)
    call, black = int8.core.segedge_composite, bytes(3)
    here = image.ctypes.data
    for arguments, says in (
        ((None, black, 0, here + 3, 24), "out: overlaps a picture"),
        ((None, black, 1, here, 24), "out: overlaps a picture"),
        ((None, black, 0, alpha.ctypes.data, 24), "out: overlaps alpha"),
        ((None, None, 0, here, 24), "background and colour are both NULL"),
        ((None, black, 4, here + 200, 24), "out: got format 4"),
        ((None, black, 0, None, 24), "out: got NULL"),
        ((None, black, 0, here + 200, 23), "out: got a stride of 23 bytes"),
        ((frame, black, 0, here, 24), "out: overlaps a picture"),
    ):
        status, message = said(int8, call(int8.session, frame, *weights, *arguments))
        assert (status, says in message) == ("argument", True), message


def test_null_is_refused_everywhere(core: Path, int8: Native) -> None:
    library = load(core)
    frame = frame_of(picture(), "bgr")
    assert library.segedge_open_file(b"x", None, None) == 1
    assert library.segedge_open_buffer(b"x", 1, None, None) == 1
    for call, arguments in (
        (library.segedge_describe, (None,)),
        (library.segedge_mask, (None, 0, 0)),
        (library.segedge_alpha, (None, 0, None, 0)),
        (library.segedge_self_test, (None,)),
        (library.segedge_inspect, (0, None, None)),
    ):
        assert call(None, *arguments) == 1
        assert said(int8, call(int8.session, *arguments))[0] == "argument"
    assert library.segedge_reset(None) == 1
    assert library.segedge_alpha(int8.session, frame, 0, None, 8) == 1
    assert b"NULL" in library.segedge_error(None)
    library.segedge_close(None)


def test_a_session_is_closed_once_however_often_that_is_asked_for(int8: Native) -> None:
    assert int8.session.value
    int8.close()
    assert not int8.session.value
    int8.close()
    assert int8.core.segedge_reset(int8.session) == 1


def test_a_session_that_failed_to_open_says_why_and_refuses_to_work(core: Path, litert: Path) -> None:
    library, session = load(core), ctypes.c_void_p()
    options = Options(ctypes.sizeof(Options), 1, 0, str(litert).encode(), None)
    assert library.segedge_open_file(b"/nowhere.tflite", options, ctypes.byref(session)) == 2
    assert b"/nowhere.tflite: cannot be opened" in library.segedge_error(session)
    assert library.segedge_reset(session) == 1
    assert b"was not opened" in library.segedge_error(session)
    library.segedge_close(ctypes.byref(session))


def test_structs_of_another_version_are_refused(core: Path, int8: Native) -> None:
    session = ctypes.c_void_p()
    options = Options(4, 1, 0, None, None)
    assert int8.core.segedge_open_file(str(INT8).encode(), options, ctypes.byref(session)) == 1
    assert b"options: got a size of 4, expected size to be 32" in int8.core.segedge_error(session)
    int8.core.segedge_close(ctypes.byref(session))
    assert "info: got a size of 1" in said(int8, int8.core.segedge_describe(int8.session, Info(1)))[1]


def test_numbers_that_name_nothing_are_refused(int8: Native) -> None:
    out, frame = np.zeros((4, 8), np.uint8), frame_of(picture(), "bgr")
    for preset in (2, 2**32 - 1):
        _, message = said(int8, int8.core.segedge_alpha(int8.session, frame, preset, out.ctypes.data, 8))
        assert f"preset: got {preset}" in message
    data, count = ctypes.c_void_p(), ctypes.c_size_t()
    call = int8.core.segedge_inspect
    assert "no frame has run yet" in said(int8, call(int8.session, 0, ctypes.byref(data), ctypes.byref(count)))[1]
    assert "step: got 9" in said(int8, call(int8.session, 9, ctypes.byref(data), ctypes.byref(count)))[1]


def test_too_many_threads_and_pixels_of_feather_are_refused(core: Path, litert: Path) -> None:
    message = refusal(NativeError, Native, INT8, Opening(core, litert, 257))
    assert message.startswith("threads: got 257, expected 1 to 256")
    message = refusal(NativeError, Native, INT8, Opening(core, litert, 1, feather=65))
    assert message == "feather: got 65, expected 0 to 64 pixels"


def test_a_library_that_is_missing_or_no_litert_is_named(core: Path) -> None:
    for path, says in ((Path("/nowhere/libLiteRt.so"), "cannot be opened"), (core, "is older than 2.2 or no LiteRT")):
        with pytest.raises(NativeError, match=says) as caught:
            Native(INT8, Opening(core, path))
        assert caught.value.status == "library"
        assert str(path) in str(caught.value)
