"""A converted file whose mask has no fixed size is refused in a line, so that the next converter is tried."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from segexport.compare.new_file import _describe
from segexport.errors import ConversionError


def tensor(*shape: int) -> Any:
    return SimpleNamespace(shape=shape, dtype="float32", scale=None, zero_point=None)


def test_a_mask_whose_size_stays_open_is_refused() -> None:
    backend: Any = SimpleNamespace(inputs=[tensor(1, 8, 8, 3)], outputs=[tensor(-1, -1, -1, 1)])
    with pytest.raises(ConversionError, match=r"made \(1, 8, 8, 3\) in and \(-1, -1, -1, 1\) out, expected sizes that"):
        _describe(Path("direct.tflite"), backend, "NHWC")


def test_a_mask_of_a_fixed_size_is_described() -> None:
    backend: Any = SimpleNamespace(inputs=[tensor(1, 8, 6, 3)], outputs=[tensor(1, 4, 3, 1)])
    found = _describe(Path("direct.tflite"), backend, "NHWC").output
    assert (found.height, found.width, found.channels) == (4, 3, 1)
