"""The example programs as modules, and pictures to feed them: of ../shared where it is there."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.places import ROOT, SHARED

PORTRAITS = SHARED / "data" / "portraits" / "calibration"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports `examples/NAME.py` anew, as running it does."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))

    def load(name: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


@pytest.fixture(scope="session")
def portrait() -> tuple[Path, npt.NDArray[np.bool_]]:
    """The file of a portrait, and its person as it was drawn by hand: `(H, W) bool`."""
    if not PORTRAITS.is_dir():
        pytest.skip("the portraits of ../shared are not here")
    path = min((PORTRAITS / "images").glob("*.jpg"))
    mask = cv2.imread(str(PORTRAITS / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    return path, np.asarray(mask > 127)
