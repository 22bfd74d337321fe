"""The script of the README's picture."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest


def test_the_picture_has_the_portrait_and_four_results(
    tmp_path: Path, example: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("skimage", reason="the portrait comes with scikit-image")
    before_after = example("before_after")
    target = tmp_path / "picture.png"
    monkeypatch.setattr(sys, "argv", ["before_after.py", str(target)])
    before_after.main()
    picture = cv2.imread(str(target))
    assert picture is not None
    step = before_after.HEIGHT + before_after.GAP
    tiles = [picture[: before_after.HEIGHT, k * step : k * step + before_after.HEIGHT] for k in range(5)]
    face = slice(65, 100), slice(135, 165)
    for made in tiles[1:4]:  # the face is the portrait's own, and what is left above of it is not
        assert np.abs(made[face].astype(int) - tiles[0][face]).mean() < 3
        assert np.abs(made[:60, :80].astype(int) - tiles[0][:60, :80]).mean() > 20
    assert tiles[4][face].min() > 250
