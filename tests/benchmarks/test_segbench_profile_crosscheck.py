"""The script that holds `segbench profile` against XNNPACK's own profiler."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from tests.places import ROOT

from segruntime.segmenter import BUNDLED

SCRIPT = ROOT / "benchmarks" / "profile_crosscheck.py"
pytest.importorskip("ai_edge_litert")
VERSION = metadata.version("ai-edge-litert")


def crosscheck(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not VERSION.startswith("2.1."), reason="the layout of events is that of ai-edge-litert 2.1")
def test_both_methods_find_the_same_operators_in_the_same_order() -> None:
    """What XNNPACK calls a GEMM or a convolution is a convolution to LiteRT, and so on. How long they take, nobody enforces."""
    done = crosscheck("--runs", 5, "--seconds", 0.5, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    names = {
        "CONV_2D": ("Convolution", "Fully Connected"),
        "TRANSPOSE_CONV": ("Deconvolution",),
        "MAX_POOL_2D": ("Max Pooling",),
        "CONCATENATION": ("Copy", "Concatenate"),
        "QUANTIZE": ("Convert",),
        "LOGISTIC": ("Sigmoid",),
    }
    assert [row["xnnpack"].startswith(names[row["operator"]]) for row in result["rows"]] == [True] * 37
    assert math.isclose(sum(row["xnnpack_ms"] for row in result["rows"]), result["xnnpack_ms"])
    assert 0 <= result["apart"] <= 2 * result["variation"] <= 2


def test_a_model_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "cut.tflite"
    broken.write_bytes(BUNDLED["tflite"].read_bytes()[:1000])
    done = crosscheck("--model", broken)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert ("cut off" in done.stderr) == VERSION.startswith("2.1.")
