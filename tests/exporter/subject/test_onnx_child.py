"""onnx and onnxruntime look at foreign files in a child process: one that crashes them is one line, and nobody is left."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests import messages
from tests.exporter.subject.onnx_graphs import made, opened, relu, value

from segexport.errors import CheckpointError
from segexport.pictures.files import draw_pictures
from segexport.subject.foreign import open as onnx_open
from segexport.subject.foreign.child import Foreign, RefusedError


@pytest.fixture(autouse=True)
def _nobody_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: Callable[[], list[psutil.Process]]
) -> Iterator[None]:
    room = tmp_path / "temporary"
    room.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(room))
    yield
    gc.collect()
    assert children() == []
    assert list(room.iterdir()) == []


def network(path: Path) -> Path:
    """A file whose probability is the picture's first channel."""
    from onnx import helper, numpy_helper

    ends = [numpy_helper.from_array(np.array([n], np.int64), name) for name, n in (("b", 0), ("e", 1), ("a", 1))]
    nodes = [helper.make_node("Slice", ["x", "b", "e", "a"], ["r"]), relu("r")]
    return made(path, nodes, weights=ends)


def worker(folder: Path, body: str) -> Path:
    """The real one, with `body` before each job."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    path = folder / "stub.py"
    path.write_text(
        "import os, signal, time\nfrom segexport.subject.foreign import worker as real\n"
        f"from segexport.process.worker import serve\ndef work(job, say):\n{lines}\n"
        "    return real._work(job, say)\nserve(work)\n"
    )
    return path


def test_a_subject_takes_its_child_with_it(tmp_path: Path, children: Callable[[], list[psutil.Process]]) -> None:
    subject = opened(network(tmp_path / "net.onnx"), head="none")
    (child,) = children()
    pictures = draw_pictures(2, size=40, seed=1)
    first = subject.ask(pictures, ("a", "b"), lambda _: None)
    again = subject.ask(pictures, ("a", "b"), lambda _: None)
    np.testing.assert_array_equal(first.masks, again.masks)
    np.testing.assert_allclose(first.masks, first.frames[..., 2] / np.float32(255), atol=1e-6)
    assert children() == [child]
    del subject
    gc.collect()
    assert children() == []


def test_a_refused_file_leaves_no_child(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="damaged ONNX file"):
        opened(made(tmp_path / "net.onnx", [relu("nothing")]))


@pytest.mark.parametrize("step", ["check", "giant", "run"])
def test_a_file_that_crashes_onnx_or_onnxruntime_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    crashing = worker(tmp_path, f"if job['do'] == '{step}':\n    os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setattr(onnx_open, "Foreign", lambda: Foreign(worker=crashing))
    path = network(tmp_path / "net.onnx")
    with pytest.raises(CheckpointError) as caught:
        opened(path, head="none")
    assert str(caught.value) == (
        f"{path}: the interpreter {messages.SIGNAL_11} (segmentation fault) on it; "
        "export it again, or give the PyTorch checkpoint"
    )


def test_a_silent_child_and_one_without_memory_are_one_line(tmp_path: Path) -> None:
    for body, said in (
        ("time.sleep(99)", "net.onnx: no end after 1 s, stopped"),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            r"net.onnx: the interpreter ended with signal 9 \(killed\) on it, most",
        ),
    ):
        foreign = Foreign(worker=worker(tmp_path, body), limit_s=1)
        path = network(tmp_path / "net.onnx")
        with foreign.opened(path, path.read_bytes()) as model, pytest.raises(CheckpointError, match=said):
            model.check()


def test_after_a_refusal_the_same_child_takes_the_next_model(
    tmp_path: Path, children: Callable[[], list[psutil.Process]]
) -> None:
    foreign = Foreign()
    good, bad = network(tmp_path / "good.onnx"), made(tmp_path / "bad.onnx", [relu("nothing")])
    (child,) = children()
    with foreign.opened(bad, bad.read_bytes()) as model:
        with pytest.raises(RefusedError, match="nothing"):
            model.check()
        with pytest.raises(
            CheckpointError, match=r"bad\.onnx: onnxruntime refuses it \(.*nothing.*\)\. Export it again"
        ):
            model.run(np.zeros((1, 3, 8, 8), np.float32))
    with foreign.opened(good, good.read_bytes()) as model:
        model.check()
        assert model.giant(192) is None
        assert model.giant(191) is None  # the input is not what the model makes
        assert model.giant(63) == ("r", (1, 1, 8, 8))
        (out,) = model.run(np.full((1, 3, 8, 8), 0.5, np.float32))
    np.testing.assert_array_equal(out, np.full((1, 1, 8, 8), 0.5, np.float32))
    assert children() == [child]


def test_a_model_that_needs_more_memory_than_there_is_is_refused(tmp_path: Path) -> None:
    """Its shape depends on the picture, so nothing but running it can tell; no machine has 2**50 bytes."""
    from onnx import TensorProto, helper, numpy_helper

    weights = [
        numpy_helper.from_array(np.array([1, 1, 2**24, 2**24], np.int64), "large"),
        numpy_helper.from_array(np.array([0], np.int64), "zero"),
    ]
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
        helper.make_node("Cast", ["top"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Add", ["large", "whole"], ["shape"]),
        helper.make_node("Gather", ["x", "zero"], ["part"], axis=1),
        helper.make_node("ReduceMax", ["part"], ["one"], keepdims=1),
        helper.make_node("Expand", ["one", "shape"], ["y"]),
    ]
    path = made(tmp_path / "net.onnx", nodes, weights=weights, outputs=[value("y", TensorProto.FLOAT, [None] * 4)])
    with pytest.raises(CheckpointError) as caught:
        opened(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
