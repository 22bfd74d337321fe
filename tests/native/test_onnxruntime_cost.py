"""What compares LiteRT with ONNX Runtime for the core times masks that are segruntime's."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.native.conftest import NATIVE
from tests.scripts import result_of


@pytest.mark.usefixtures("litert")
def test_both_libraries_are_measured_with_masks_that_are_right(core: Path) -> None:
    pytest.importorskip("onnxruntime")
    if core.parent != NATIVE / "build" / "native":
        pytest.skip("another build than the preset native")
    result = result_of("native_onnxruntime.py", "--repeats", 1)
    assert all(value > 0 for name, value in result["median"].items() if "apart" not in name)
    assert max(value for name, value in result["median"].items() if "apart" in name) <= 1e-5
    assert len(result["median"]) == 2 + 2 * 2 * 4
