"""New files run in a child process: the same masks as here, and a crash or a silence is one line and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from tests import messages
from tests.refusals import refusal

from segexport.compare import Runner, run_file
from segexport.compare import runner as runner_module
from segexport.compare.new_file import open_new
from segexport.errors import ConversionError
from segexport.pictures.files import draw_pictures
from segruntime import load
from segruntime.segmenter import BUNDLED, default_threads

SIDE = 16


def silent(_: str) -> None:
    pass


@pytest.fixture
def pictures() -> np.ndarray:
    return np.stack(draw_pictures(5, size=40, seed=2))


def tensor(graph: Any, name: str, shape: list[int], buffer: int = 0, kind: int = schema.TensorType.FLOAT32) -> int:
    made = schema.TensorT()
    made.name, made.shape, made.buffer, made.type = name, shape, buffer, kind
    graph.tensors.append(made)
    return len(graph.tensors) - 1


def operator(model: Any, code: int, options: Any, inputs: list[int], output: int) -> None:
    """One more operator, of which `options` says the kind."""
    kind = schema.OperatorCodeT()
    kind.builtinCode = kind.deprecatedBuiltinCode = code
    kind.version = 1
    model.operatorCodes.append(kind)
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = len(model.operatorCodes) - 1, inputs, [output]
    made.builtinOptions = options
    made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    model.subgraphs[0].operators.append(made)


def written(path: Path, radius: int) -> Path:
    """A whole .tflite, one image in and one channel out, with a LOCAL_RESPONSE_NORMALIZATION of this radius.

    LiteRT takes a negative one and reads before the first value: a segmentation fault in the first invoke.
    """
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], []
    model.buffers = [schema.BufferT() for _ in range(3)]
    model.buffers[1].data = np.zeros(4, np.int32).view(np.uint8)
    model.buffers[2].data = np.array([1, SIDE, SIDE, 1], np.int32).view(np.uint8)
    graph.tensors, graph.operators = [], []
    image = tensor(graph, "image", [1, SIDE, SIDE, 3])
    begin = tensor(graph, "begin", [4], 1, schema.TensorType.INT32)
    extent = tensor(graph, "size", [4], 2, schema.TensorType.INT32)
    normed, mask = tensor(graph, "normed", [1, SIDE, SIDE, 3]), tensor(graph, "mask", [1, SIDE, SIDE, 1])
    norm = schema.LocalResponseNormalizationOptionsT()
    norm.radius, norm.bias, norm.alpha, norm.beta = radius, 1.0, 0.5, 0.5
    operator(model, schema.BuiltinOperator.LOCAL_RESPONSE_NORMALIZATION, norm, [image], normed)
    operator(model, schema.BuiltinOperator.SLICE, schema.SliceOptionsT(), [normed, begin, extent], mask)
    graph.inputs, graph.outputs = [image], [mask]
    flatbuffer_utils.write_model(model, str(path))
    return path


def stub(folder: Path, body: str) -> Path:
    """A worker that does this instead of running a file."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    path = folder / "stub.py"
    path.write_text(f"from segexport.process.worker import serve\ndef work(job, say):\n{lines}\nserve(work)\n")
    return path


def refused(runner: Runner, path: Path, pictures: np.ndarray) -> str:
    return refusal(ConversionError, runner.run, path, pictures, silent, starts=f"{path.name}: ")


@pytest.fixture
def room(tmp_path: Path, children: Callable[[], list[psutil.Process]]) -> Any:
    """Where a runner works: nothing may lie there afterwards, and no process be left."""
    folder = tmp_path / "room"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []
    assert children() == []


@pytest.mark.parametrize("kind", BUNDLED)
def test_a_file_gives_the_masks_and_the_contract_that_it_gives_here(
    room: Path, pictures: np.ndarray, kind: str
) -> None:
    said: list[str] = []
    with Runner(room, limit_s=120) as runner:
        there = runner.run(BUNDLED[kind], pictures, said.append, places=[4, 0])
    opened = open_new(BUNDLED[kind])
    here = run_file(opened, pictures, silent, places=[4, 0])
    np.testing.assert_array_equal(there.masks, here.masks)
    assert (there.contract, there.places, there.name) == (opened.contract, (4, 0), BUNDLED[kind].name)
    assert len(there.invoke_ms) == 2
    assert min(there.invoke_ms) > 0
    assert said == [f"{BUNDLED[kind].name} 1/2", f"{BUNDLED[kind].name} 2/2"]


def test_one_child_runs_all_files_and_gets_each_picture_once(
    room: Path, tmp_path: Path, pictures: np.ndarray, children: Callable[[], list[psutil.Process]]
) -> None:
    small = written(tmp_path / "small.tflite", 2)
    with Runner(room, limit_s=120) as runner:
        runner.run(small, pictures[:3], silent)
        (child,) = children()
        times = {path: path.stat().st_mtime_ns for path in room.rglob("*.npy") if path.name != "masks.npy"}
        ran = runner.run(small, list(pictures), silent, places=[2, 1, 3])
        assert children() == [child]
        stored = {path: path.stat().st_mtime_ns for path in room.rglob("*.npy") if path.name != "masks.npy"}
    assert len(times) == 3
    assert len(stored) == 4
    assert times.items() <= stored.items()
    expected = run_file(open_new(small), pictures, silent, places=[2, 1, 3])
    np.testing.assert_array_equal(ran.masks, expected.masks)


def test_pictures_of_several_sizes_with_the_same_bytes_are_not_mixed_up(room: Path, tmp_path: Path) -> None:
    small, flat = written(tmp_path / "small.tflite", 2), np.arange(8 * 4 * 3, dtype=np.uint8)
    frames = [flat.reshape(8, 4, 3), flat.reshape(4, 8, 3)]
    with Runner(room, limit_s=120) as runner:
        there = runner.run(small, frames, silent)
    np.testing.assert_array_equal(there.masks, run_file(open_new(small), frames, silent).masks)
    assert (there.masks[0] != there.masks[1]).any()


def test_a_slow_file_ends_early_there_as_here(room: Path, tmp_path: Path, pictures: np.ndarray) -> None:
    with Runner(room, limit_s=120) as runner:
        ran = runner.run(written(tmp_path / "small.tflite", 2), pictures, silent, limit_s=0.0)
    assert (ran.places, len(ran.masks), len(ran.invoke_ms)) == ((0, 1, 2), 3, 3)


def test_the_child_uses_the_threads_that_users_get(room: Path, tmp_path: Path, pictures: np.ndarray) -> None:
    """The made environment says two to every library; a measured time has to be that of `segruntime.load`."""
    body = (
        "from segexport.compare.new_file import open_new\nfrom pathlib import Path\n"
        "return {'refused': f'{open_new(Path(job[\"path\"])).threads} threads'}"
    )
    with (
        Runner(room, limit_s=120, worker=stub(tmp_path, body)) as runner,
        pytest.raises(ConversionError, match=f"^{default_threads()} threads$"),
    ):
        runner.run(written(tmp_path / "small.tflite", 2), pictures, silent)


def test_a_file_that_crashes_the_interpreter_is_one_line_and_the_next_file_runs(
    room: Path, tmp_path: Path, pictures: np.ndarray
) -> None:
    good, bad = written(tmp_path / "good.tflite", 2), written(tmp_path / "bad.tflite", -5)
    with Runner(room, limit_s=120) as runner:
        before = runner.run(good, pictures, silent)
        assert refused(runner, bad, pictures) == (
            f"bad.tflite: the interpreter {messages.SIGNAL_11} (segmentation fault) on it; it can be run nowhere as it is: "
            "try another --converter or precision, and report this network"
        )
        assert list(room.iterdir()) == []
        after = runner.run(good, pictures, silent)
    np.testing.assert_array_equal(before.masks, after.masks)


DEATHS: dict[str, tuple[str, str]] = {
    "killed half-way": (
        "import os, signal\nsay('1/3')\nos.kill(os.getpid(), signal.SIGKILL)",
        r"ended with signal 9 \(killed\) on it, most likely out of memory; give a smaller --size, or more memory$",
    ),
    "aborted by the allocator": (
        "import os, sys\nprint('what():  std::bad_alloc', file=sys.stderr, flush=True)\nos.abort()",
        r"ended with signal 6 \(aborted\) on it, most likely out of memory",
    ),
    "no memory left": (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\nreturn {'size': len(bytearray(2**33))}",
        r"^a\.tflite: the interpreter stopped, most likely out of memory; give a smaller --size, or more memory$",
    ),
    "a bug": ("return {}['x']", r"^a\.tflite: KeyError: 'x'$"),
}


@pytest.mark.parametrize("how", DEATHS)
def test_every_death_of_the_child_is_one_line(room: Path, tmp_path: Path, pictures: np.ndarray, how: str) -> None:
    body, message = DEATHS[how]
    with (
        Runner(room, limit_s=120, worker=stub(tmp_path, body)) as runner,
        pytest.raises(ConversionError, match=message),
    ):
        runner.run(written(tmp_path / "a.tflite", 2), pictures, silent)


def test_a_child_that_is_silent_is_stopped(room: Path, tmp_path: Path, pictures: np.ndarray) -> None:
    worker = stub(tmp_path, "import time\ntime.sleep(99)")
    with Runner(room, limit_s=1, worker=worker) as runner:
        message = refused(runner, written(tmp_path / "a.tflite", 2), pictures)
    assert message == (f"a.tflite: no end after 1 s, {messages.MORE_TIME}, or a smaller --size")


def test_an_interrupt_leaves_nobody_behind(room: Path, tmp_path: Path, pictures: np.ndarray) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with Runner(room, limit_s=120) as runner, pytest.raises(KeyboardInterrupt):
        runner.run(written(tmp_path / "a.tflite", 2), pictures, interrupt)


def broken_from_the_zoo(path: Path) -> Path:
    """The bundled int8 file cut in half: damaged, as a full disk leaves it."""
    path.write_bytes(BUNDLED["tflite"].read_bytes()[:300_000])
    return path


def another_network(path: Path) -> Path:
    """A Relu of the picture: three channels out."""
    from tests.exporter.subject.onnx_graphs import made, relu, value

    return made(path, [relu()], outputs=[value("y", 1, [1, 3, 8, 8])])


FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "cut.tflite": (broken_from_the_zoo, "cut off"),
    "other.onnx": (another_network, "expected one NCHW image and one or two channels"),
    "missing.tflite": (lambda path: path, "found nothing there"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_refused_costs_no_child(
    room: Path, tmp_path: Path, pictures: np.ndarray, name: str, children: Callable[[], list[psutil.Process]]
) -> None:
    make, why = FILES[name]
    with Runner(room, limit_s=120) as runner:
        runner.run(written(tmp_path / "good.tflite", 2), pictures[:1], silent)
        (child,) = children()
        assert why in refused(runner, make(tmp_path / name), pictures)
        assert children() == [child]


def test_a_delegate_that_fails_to_prepare_is_no_slower_file_but_an_error(
    room: Path, tmp_path: Path, pictures: np.ndarray
) -> None:
    body = (
        "import segexport.compare.new_file as new_file, runpy, warnings\n"
        "from segruntime.errors import DelegateWarning\n"
        "real = new_file.open_new\n"
        "def warning(path):\n    warnings.warn(DelegateWarning(path, 'node 7 failed to prepare'))\n    return real(path)\n"
        f"new_file.open_new = warning\nreturn runpy.run_path({str(runner_module._WORKER)!r})['_run'](job, say)"
    )
    with Runner(room, limit_s=120, worker=stub(tmp_path, body)) as runner:
        message = refused(runner, written(tmp_path / "a.tflite", 2), pictures)
    assert message == "a.tflite: XNNPACK refuses it (node 7 failed to prepare)"


def test_the_runtime_warns_with_that_very_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ai_edge_litert import interpreter

    from segruntime.errors import DelegateWarning

    real = interpreter.Interpreter

    def without_delegate(*args: Any, **options: Any) -> Any:
        if "experimental_op_resolver_type" not in options:
            raise RuntimeError("node 7\nfailed to prepare")
        return real(*args, **options)

    monkeypatch.setattr(interpreter, "Interpreter", without_delegate)
    with pytest.warns(DelegateWarning, match="failed to prepare") as caught:
        load(BUNDLED["tflite"])
    assert [warning.message.reason for warning in caught] == ["node 7 failed to prepare"]
