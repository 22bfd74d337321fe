"""The first converter whose file passes is taken; what the others did stands next to it, and nothing wrong is kept."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests import messages
from tests.refusals import refusal

from segexport.convert import choose, float32
from segexport.convert.choose import AllRefusedError, Chooser, ChosenConverter, Proof
from segexport.convert.converters import CONVERTERS, ONNX, PROGRAM, Converter
from segexport.errors import ConversionError, MissingConverterError

WORKER = """
from pathlib import Path
from segexport.process.worker import serve
def work(job, say):
{body}
serve(work)
"""
GOOD = "Path(job['target']).write_bytes(Path(job['source']).read_bytes()); return {}"
WRONG = "Path(job['target']).write_bytes(b'another network'); return {}"
FAILS = "raise ValueError('Dimensions must be equal')"
CRASHES = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
SILENT = "import time; time.sleep(99)"
GREEDY = "bytearray(1 << 62)"


@dataclass
class Stand:
    """Converters `a`, `b`, … with the given bodies, and what a choice among them gave."""

    folder: Path

    def choose(self, *, asked: str = "auto", limit_s: float = 60, nearest: bool = False) -> ChosenConverter:
        source, playground = self.folder / "network", self.folder / "playground"
        source.write_bytes(b"the network")
        playground.mkdir()
        with Chooser(asked, [ONNX], playground, limit_s=limit_s) as chooser:
            chooser.begin({ONNX: lambda: source})
            return chooser.finish(self.target, self.prove, lambda _: None, nearest=nearest)

    @property
    def target(self) -> Path:
        return self.folder / "float32.tflite"

    def prove(self, path: Path) -> Proof:
        same = path.read_bytes() == b"the network"
        return Proof(difference=0.0 if same else 0.5, fault=None if same else "another network: 0.5 away")


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stand]:
    """`stand(a=GOOD, b=WRONG)`."""

    def make(**bodies: str) -> Stand:
        for name in list(CONVERTERS):
            monkeypatch.delitem(CONVERTERS, name)
        for name, body in bodies.items():
            worker = tmp_path / f"{name}.py"
            worker.write_text(WORKER.format(body=f"    {body}"))
            monkeypatch.setitem(CONVERTERS, name, Converter(worker=str(worker), source=ONNX, summary=""))
        monkeypatch.setattr(choose, "is_ready", lambda name: True)
        monkeypatch.setattr(choose, "versions_of", lambda name: {f"tool-{name}": "1.2"})
        monkeypatch.setattr(float32, "interpreter_of", lambda name: Path(sys.executable))
        monkeypatch.setattr(float32, "settle", lambda path, step: None)  # what is written here is no .tflite
        monkeypatch.setattr(float32, "check_structure", lambda path, step: None)
        return Stand(tmp_path)

    return make


def test_the_first_that_passes_is_taken_and_the_others_are_not_tried(stand: Any) -> None:
    here = stand(a=GOOD, b="raise AssertionError('never asked')")
    chosen = here.choose()
    assert (chosen.converter, dict(chosen.refused)) == ("a", {})
    assert here.target.read_bytes() == b"the network"
    assert str(chosen) == "a (tool-a 1.2)"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (WRONG, "another network: 0.5 away"),
        (FAILS, "ValueError: Dimensions must be equal"),
        (CRASHES, f"the converter {messages.SIGNAL_11} (segmentation fault) and no result (it said nothing)"),
        (GREEDY, "MemoryError: "),
        (SILENT, f"no end after 2 s, {messages.MORE_TIME}, or a smaller --size"),
    ],
    ids=["wrong", "fails", "crashes", "out of memory", "silent"],
)
def test_one_that_does_not_pass_makes_way_for_the_next(stand: Any, body: str, reason: str) -> None:
    here = stand(a=body, b=GOOD)
    chosen = here.choose(limit_s=2 if body == SILENT else 60)
    assert (chosen.converter, dict(chosen.refused)) == ("b", {"a": reason})
    assert here.target.read_bytes() == b"the network"


def test_where_none_passes_each_has_its_reason_and_no_file_is_left(stand: Any) -> None:
    here = stand(a=WRONG, b=FAILS)
    with pytest.raises(AllRefusedError) as caught:
        here.choose()
    assert caught.value.reasons == {"a": "another network: 0.5 away", "b": "ValueError: Dimensions must be equal"}
    assert "none of 2 converters" in str(caught.value)
    assert not here.target.exists()


def test_the_nearest_is_taken_where_that_is_allowed(stand: Any) -> None:
    here = stand(a=FAILS, b=WRONG)
    chosen = here.choose(nearest=True)
    assert (chosen.converter, list(chosen.refused)) == ("b", ["a"])
    assert here.target.read_bytes() == b"another network"


def test_a_file_that_crashes_what_runs_it_is_a_refusal(stand: Any) -> None:
    here = stand(a=GOOD)

    def prove(path: Path) -> Proof:
        raise ConversionError("a.tflite: the interpreter ended with signal 11 (segmentation fault) on it")

    here.prove = prove
    with pytest.raises(AllRefusedError, match=rf"by a: a\.tflite: the interpreter {messages.SIGNAL_11}"):
        here.choose()


def test_one_converter_by_name_is_the_only_one(stand: Any) -> None:
    here = stand(a=WRONG, b=GOOD)
    assert refusal(AllRefusedError, here.choose, asked="a") == "TFLite float32: by a: another network: 0.5 away"


def test_operators_that_converters_seldom_know_are_told_where_all_refuse() -> None:
    seldom = ("GridSample (mode=cubic) in nets.py:12 (`x = F.grid_sample(x, flow)`)", "DFT in nets.py:14 (`…`)")
    assert str(AllRefusedError({"a": "cannot read it"}, seldom)) == (
        "TFLite float32: by a: cannot read it. Converters seldom know GridSample (mode=cubic) in nets.py:12 "
        "(`x = F.grid_sample(x, flow)`); DFT in nets.py:14 (`…`): compute that with other operators"
    )


def test_without_any_converter_it_is_one_line_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "is_ready", lambda name: False)
    assert (
        refusal(MissingConverterError, Chooser, "auto", [ONNX, PROGRAM], tmp_path, limit_s=1)
        == "no converter from ONNX to TFLite is installed here: segexport setup"
    )


def test_an_onnx_file_is_nothing_for_a_converter_that_reads_pytorch(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="--converter litert-torch: it reads a PyTorch checkpoint's program"):
        Chooser("litert-torch", [ONNX], tmp_path, limit_s=1)


def test_the_order_of_auto_is_the_fastest_first_and_every_worker_is_there() -> None:
    assert list(CONVERTERS) == ["direct", "tf", "litert-torch"]
    assert all(converter.path.is_file() for converter in CONVERTERS.values())
