"""What `import segruntime` brings along, and how little it exports."""

from __future__ import annotations

import json
import subprocess
import sys

import segruntime

HEAVY = [
    "torch",
    "onnx",
    "onnx2tf",
    "tensorflow",
    "litert_quantizer",
    "segexport",
    "segbench",
    "click",
    "rich",
    "matplotlib",
    "psutil",
    "ai_edge_litert",
    "tflite_runtime",
    "onnxruntime",
]


def loaded_after(code: str) -> set[str]:
    """The packages in a fresh interpreter after `code`."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_runtime_loads_numpy_and_opencv_and_nothing_heavy() -> None:
    loaded = loaded_after("import segruntime")
    assert {"numpy", "cv2", "segruntime"} <= loaded
    assert loaded.isdisjoint(HEAVY), loaded & set(HEAVY)


def test_loading_a_file_loads_its_own_library_only() -> None:
    tflite = loaded_after("import segruntime; segruntime.load(backend='tflite')")
    assert "ai_edge_litert" in tflite
    assert tflite.isdisjoint({"onnxruntime", "onnx", "torch", "tensorflow", "segexport", "segbench", "click", "rich"})
    onnx = loaded_after("import segruntime; segruntime.load(backend='onnx')")
    assert "onnxruntime" in onnx
    assert onnx.isdisjoint({"ai_edge_litert", "onnx", "torch", "tensorflow", "segexport", "segbench", "click", "rich"})


def test_the_package_exports_at_most_ten_names_and_all_of_them_exist() -> None:
    assert 0 < len(segruntime.__all__) <= 10
    for name in segruntime.__all__:
        assert getattr(segruntime, name).__doc__, name
