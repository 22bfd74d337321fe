"""The interpreters: which library is taken, what happens where it is missing, and where its delegate fails."""

from __future__ import annotations

import os
import subprocess
import sys
import types
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import segruntime
from segruntime.backends import tflite
from segruntime.errors import BackendError, MissingExtraError, install_command
from segruntime.segmenter import BUNDLED

FRAME = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)


def module_whose(interpreter: Any, name: str = "ai_edge_litert.interpreter") -> types.ModuleType:
    module = types.ModuleType(name)
    module.Interpreter = interpreter  # type: ignore[attr-defined]
    module.OpResolverType = types.SimpleNamespace(BUILTIN_WITHOUT_DEFAULT_DELEGATES="plain")  # type: ignore[attr-defined]
    return module


def detail(shape: tuple[int, ...]) -> list[dict[str, Any]]:
    sides, scale = np.array(shape), 1 / 255 if shape[-1] == 3 else 1 / 256
    tensor = {"name": "t", "index": 0, "dtype": np.uint8, "quantization": (scale, 0)}
    return [{**tensor, "shape": sides, "shape_signature": sides}]


class FakeInterpreter:
    """Has the tensors of the bundled file; `prepare` and `invoke` fail where they are told to."""

    made: list[dict[str, Any]]
    fails_to_prepare: bool | str = False
    fails_to_invoke = False

    def __init__(self, **options: Any) -> None:
        self.options = options
        type(self).made.append(options)

    def allocate_tensors(self) -> None:
        plain = self.options.get("experimental_op_resolver_type") == "plain"
        if self.fails_to_prepare == "always" or (self.fails_to_prepare and not plain):
            raise RuntimeError("failed to create\nXNNPACK runtime")

    def get_input_details(self) -> list[dict[str, Any]]:
        return detail((1, 256, 256, 3))

    def get_output_details(self) -> list[dict[str, Any]]:
        return detail((1, 256, 256, 1))

    def set_tensor(self, index: int, tensor: Any) -> None:
        assert tensor.shape == (1, 256, 256, 3)

    def invoke(self) -> None:
        if self.fails_to_invoke:
            raise RuntimeError("Node number 3\nfailed to invoke")

    def get_tensor(self, index: int) -> Any:
        return np.full((1, 256, 256, 1), 255, np.uint8)


def fake(monkeypatch: pytest.MonkeyPatch, **facts: Any) -> type[FakeInterpreter]:
    interpreter = type("Fake", (FakeInterpreter,), {"made": [], **facts})
    monkeypatch.setattr(tflite, "_interpreter_module", lambda: module_whose(interpreter))
    return interpreter


def test_path_and_threads_reach_the_interpreter_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = fake(monkeypatch)
    segmenter = segruntime.load(BUNDLED["tflite"], threads=3)
    assert interpreter.made == [{"model_path": str(BUNDLED["tflite"]), "num_threads": 3}]
    assert segmenter.alpha(FRAME).min() == pytest.approx(255 / 256)


def test_a_delegate_that_fails_is_left_out_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = fake(monkeypatch, fails_to_prepare=True)
    with pytest.warns(
        RuntimeWarning, match=r"mobile_unet.*: the XNNPACK delegate failed to prepare \(failed to create XNNPACK"
    ):
        segmenter = segruntime.load(BUNDLED["tflite"], threads=2)
    assert [made.get("experimental_op_resolver_type") for made in interpreter.made] == [None, "plain"]
    assert [made["num_threads"] for made in interpreter.made] == [2, 2]
    assert segmenter.alpha(FRAME).shape == (40, 30)


def test_a_file_refused_with_and_without_delegate_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, fails_to_prepare="always")
    with (
        warnings.catch_warnings(),
        pytest.raises(
            BackendError, match=r"ai_edge_litert refuses it \(failed to create XNNPACK runtime\); .* Copy it again"
        ),
    ):
        segruntime.load()


def test_the_real_interpreter_without_its_delegate_gives_the_same_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    real = tflite._interpreter_module()
    expected = segruntime.load(BUNDLED["tflite"], threads=1).alpha(FRAME)

    class NoDelegate(real.Interpreter):  # type: ignore[misc, name-defined]
        def __init__(self, **options: Any) -> None:
            self.plain = options.get("experimental_op_resolver_type") is not None
            super().__init__(**options)

        def allocate_tensors(self) -> None:
            if not self.plain:
                raise RuntimeError("failed to prepare")
            super().allocate_tensors()

    module = module_whose(NoDelegate)
    module.OpResolverType = real.OpResolverType  # type: ignore[attr-defined]
    monkeypatch.setattr(tflite, "_interpreter_module", lambda: module)
    with pytest.warns(RuntimeWarning, match="XNNPACK"):
        plain = segruntime.load(BUNDLED["tflite"], threads=1)
    assert np.abs(plain.alpha(FRAME) - expected).max() <= 0.05


def test_a_node_that_fails_while_running_is_a_backend_error_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, fails_to_invoke=True)
    segmenter = segruntime.load(BUNDLED["tflite"])
    with pytest.raises(BackendError, match=r"ai_edge_litert fails to run the model \(Node number 3 failed to invoke\)"):
        segmenter.alpha(FRAME)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_reach_onnxruntime_and_only_the_cpu_is_asked_for(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    import onnxruntime

    made: list[tuple[int, object]] = []
    real = onnxruntime.InferenceSession

    def session(path: str, options: Any, providers: object) -> Any:
        made.append((options.intra_op_num_threads, providers))
        return real(path, options, providers=providers)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    segruntime.load(backend="onnx", threads=threads)
    assert made == [(threads, ["CPUExecutionProvider"])]


# ── missing libraries ─────────────────────────────────────────────────────────────────────────────────────────────────


def missing(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:
        for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            monkeypatch.delitem(sys.modules, loaded)
        monkeypatch.setitem(sys.modules, name, None)


def test_tflite_runtime_is_taken_where_only_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    missing(monkeypatch, "ai_edge_litert")
    package = types.ModuleType("tflite_runtime")
    package.interpreter = module_whose(  # type: ignore[attr-defined]
        type("Fake", (FakeInterpreter,), {"made": []}), "tflite_runtime.interpreter"
    )
    monkeypatch.setitem(sys.modules, "tflite_runtime", package)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", package.interpreter)
    segmenter = segruntime.load(BUNDLED["tflite"])
    assert (segmenter.backend, segmenter.library) == ("tflite", "tflite_runtime")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("tflite", f"a .tflite file needs ai-edge-litert, which is not installed: {install_command('tflite')}"),
        ("onnx", f"an .onnx file needs onnxruntime, which is not installed: {install_command('onnx')}"),
    ],
)
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, kind: str, says: str
) -> None:
    missing(monkeypatch, "ai_edge_litert", "tflite_runtime", "onnxruntime")
    with pytest.raises(MissingExtraError) as caught:
        segruntime.load(BUNDLED[kind])
    assert str(caught.value) == says
    assert isinstance(caught.value, ImportError)


def test_the_command_names_the_libraries_and_where_segedge_is_not_installed_the_checkout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert install_command("serve").startswith('pip install "')
    assert '"uvicorn' in install_command("serve")
    monkeypatch.setattr("importlib.metadata.requires", lambda _: None)
    assert install_command("serve") == 'pip install ".[serve]" in a checkout of segedge'


def test_without_a_path_the_installed_library_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    missing(monkeypatch, "ai_edge_litert", "tflite_runtime")
    assert segruntime.load().path == BUNDLED["onnx"]


def test_without_a_path_and_any_library_the_message_asks_for_tflite(monkeypatch: pytest.MonkeyPatch) -> None:
    missing(monkeypatch, "ai_edge_litert", "tflite_runtime", "onnxruntime")
    with pytest.raises(MissingExtraError, match="pip install"):
        segruntime.load()


def test_a_path_with_blanks_and_other_letters_is_loaded(tmp_path: Path) -> None:
    for kind in ("tflite", "onnx"):
        path = tmp_path / f"mein Modell – 模型.{kind}"
        path.write_bytes(BUNDLED[kind].read_bytes())
        assert segruntime.load(path).alpha(FRAME).shape == (40, 30)


@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
def test_onnxruntime_is_imported_without_its_telemetry(tmp_path: Path) -> None:
    # its client leaves a session's number in the folder of temporary files as soon as it begins
    code = "from segruntime.backends.onnx import import_onnxruntime as load; load()"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment, "TMPDIR": str(tmp_path)}, capture_output=True, check=False
    )
    assert (done.returncode, list(tmp_path.iterdir())) == (0, [])
