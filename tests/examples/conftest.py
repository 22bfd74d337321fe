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
from skimage import data
from tests.places import ROOT, SHARED

import segruntime

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
def portrait(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, npt.NDArray[np.bool_]]:
    """The file of a portrait, and its person as it was drawn by hand, or as the bundled network has it: `(H, W) bool`."""
    if not PORTRAITS.is_dir():
        path = tmp_path_factory.mktemp("portrait") / "head_and_shoulders.png"
        frame = np.ascontiguousarray(data.astronaut()[:300, 60:345, ::-1])
        cv2.imwrite(str(path), frame)
        return path, segruntime.load().alpha(frame) > 0.5
    path = min((PORTRAITS / "images").glob("*.jpg"))
    mask = cv2.imread(str(PORTRAITS / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    return path, np.asarray(mask > 127)
