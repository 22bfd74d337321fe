"""The command line: help with examples, usage errors 2, refusals one line and 1, JSON alone on standard output."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests import messages

from segexport.cli import cli
from segexport.console import Console
from segexport.convert.converters import CONVERTERS
from segruntime.errors import install_command

COMMANDS = ["check-port", "doctor", "inspect", "onnx", "report", "setup", "tflite", "vectors", "verify"]


def test_commands_are_the_known_ones() -> None:
    assert sorted(cli.commands) == COMMANDS


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_shows_an_example(segexport: Callable[..., Any], command: list[str], flag: str) -> None:
    ran = segexport(*command, flag)
    assert ran.code == 0
    example = ran.out.partition("Example")[2]
    assert f"segexport {command[0] if command else 'inspect'} " in example


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    script = (
        "import sys, segexport.cli\n"
        "print({'torch', 'onnx', 'onnxruntime', 'tensorflow', 'onnx2tf', 'rich', 'ai_edge_litert'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_json_of_a_whole_export_is_all_on_standard_output(exported: Any) -> None:
    assert json.loads(exported.ran.out) == exported.body
    assert exported.ran.out.startswith("{")
    assert exported.ran.out.endswith("}\n")


def test_json_leaves_warnings_on_standard_error_and_no_progress(exported: Any) -> None:
    assert "✓" not in exported.ran.err
    assert f"warning: {messages.ASSUMING_IMAGENET}" in exported.ran.err


USAGE = [
    (["tflite", "CKPT", "--preprocess", "caffe"], "'caffe' is not one of 'imagenet', 'imagenet-minmax'"),
    (["tflite", "CKPT", "--size", "0"], "got '0', expected N or HxW with sides from 1 to 4096"),
    (["tflite", "CKPT", "--size", "256x"], "got '256x', expected N or HxW"),
    (["tflite", "CKPT", "--size", "-1"], "got '-1', expected N or HxW"),
    (["onnx", "CKPT", "--size", "99999"], "got '99999', expected N or HxW"),
    (["onnx", "CKPT", "--mean", "1,2"], "got '1,2', expected one number or three"),
    (["onnx", "CKPT", "--std", "nan"], "got 'nan', expected one number or three"),
    (
        ["tflite", "CKPT", "--precision", "float99"],
        "got 'float99', expected some of float32, float16, dynamic, int8, int16x8",
    ),
    (
        ["onnx", "CKPT", "--preprocess", "unit", "--mean", "0.5", "--std", "0.5"],
        "--preprocess unit and --mean/--std excl",
    ),
    (["onnx", "CKPT", "--mean", "0.5"], "--mean without --std: give both (--std 1 where training used none)"),
    (["onnx", "CKPT", "--person", "5", "--size", "32"], "--person 5: the network's channels are 0 to 0"),
    (["onnx", "CKPT", "--person", "-1", "--size", "32"], "--person -1: the network's channels are 0 to 0"),
    (["onnx", "CKPT", "--head", "softmax"], "--head softmax: the network has one output channel"),
    (["onnx", "CKPT", "--color", "cmyk"], "'cmyk' is not one of 'rgb', 'bgr'"),
    (["onnx", "CKPT", "--pictures", "1"], "1 is not in the range x>=2"),
    (["onnx", "CKPT", "--timeout", "0"], "0.0 is not in the range x>=1"),
    (["onnx"], "Missing argument 'CHECKPOINT'"),
    (["verify"], "Missing argument 'DIR|FILE'"),
    (["convert"], "No such command 'convert'"),
    (["onnx", "CKPT", "--what"], "Error: No such option"),
]


@pytest.mark.parametrize(("words", "message"), USAGE, ids=[" ".join(words) for words, _ in USAGE])
def test_wrong_usage_is_2_and_says_what_would_be_right(
    trained: Any, tmp_path: Path, segexport: Callable[..., Any], words: list[str], message: str
) -> None:
    output = ["--output", tmp_path / "out"] if "CKPT" in words else []
    ran = segexport(*(trained.checkpoint if word == "CKPT" else word for word in words), *output)
    assert ran.code == 2
    assert ran.out == ""
    assert message in " ".join(ran.err.split())
    assert "Traceback" not in ran.err
    assert list(tmp_path.iterdir()) == []


def refused(ran: Any) -> str:
    """Nothing else is said but progress and warnings."""
    assert ran.out == ""
    assert [line for line in ran.err.splitlines() if not line.startswith(("✓", "warning: "))] == [ran.refusal]
    return str(ran.refusal)


@pytest.mark.parametrize("command", ["inspect", "onnx", "tflite"])
def test_a_missing_checkpoint_is_one_line(tmp_path: Path, segexport: Callable[..., Any], command: str) -> None:
    assert f"{tmp_path / 'gone.pth'}" in refused(segexport(command, tmp_path / "gone.pth"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["inspect", "onnx", "tflite"])
def test_a_damaged_checkpoint_is_one_line(
    trained: Any, tmp_path: Path, segexport: Callable[..., Any], command: str
) -> None:
    data = trained.checkpoint.read_bytes()
    (tmp_path / "cut.pth").write_bytes(data[: len(data) // 2])
    assert "cut.pth: damaged checkpoint" in refused(segexport(command, tmp_path / "cut.pth"))
    assert [path.name for path in tmp_path.iterdir()] == ["cut.pth"]


@pytest.mark.parametrize("command", ["onnx", "tflite"])
def test_an_unknown_network_is_one_line(tmp_path: Path, segexport: Callable[..., Any], command: str) -> None:
    torch.save({"a": torch.ones(3)}, tmp_path / "other.pth")
    assert messages.NO_KNOWN_NETWORK in refused(segexport(command, tmp_path / "other.pth"))
    assert [path.name for path in tmp_path.iterdir()] == ["other.pth"]


def test_int8_without_calibration_is_one_line(trained: Any, segexport: Callable[..., Any]) -> None:
    line = refused(segexport("tflite", trained.checkpoint, "--precision", "int8"))
    assert line.startswith("segexport: --precision int8: needs pictures to measure the ranges")
    assert "add --calibration DIR" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--calibration", "gone"], f"gone: {messages.NOTHING_THERE} a folder of pictures"),
        (["--size", "3"], "the network needs at least 4 pixels each way, got 3x3"),
        (["--arch", "no_such_package:Net"], "--arch no_such_package:Net: cannot be imported: ModuleNotFoundError"),
        (["--arch", "segnet9000"], "--arch segnet9000: unknown network; expected one of unet"),
        (["--output", "/dev/null/out"], "/dev/null/out: cannot be written (Not a directory)"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segexport: Callable[..., Any], words: list[str],
    message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert message in refused(segexport("tflite", trained.checkpoint, "--output", "out", *words))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_refused_before_the_checkpoint_is_read(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segexport: Callable[..., Any]
) -> None:
    monkeypatch.setattr("segexport.subject.prepare.read_checkpoint", lambda _: pytest.fail("work was started"))
    (tmp_path / "tiny_int8.tflite").write_bytes(b"old")
    words = ("--calibration", trained.pictures, "--output", tmp_path)
    line = refused(segexport("tflite", trained.checkpoint, *words))
    assert line.endswith(f"tiny_int8.tflite {messages.ALREADY_THERE} or --output DIR")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"tiny_int8.tflite": b"old"}


@pytest.mark.parametrize("command", ["inspect", "onnx", "tflite"])
def test_without_torch_the_command_that_installs_it_is_shown(
    trained: Any, monkeypatch: pytest.MonkeyPatch, segexport: Callable[..., Any], command: str
) -> None:
    monkeypatch.setattr("segexport.process.child.find_spec", lambda name: None)
    line = refused(segexport(command, trained.checkpoint))
    assert line == f"segexport: torch is not installed; this step needs it: {install_command('export')}"


@pytest.mark.parametrize("error", [KeyboardInterrupt, EOFError])
def test_an_interrupt_is_said_and_is_130(
    trained: Any, monkeypatch: pytest.MonkeyPatch, segexport: Callable[..., Any], error: type[BaseException]
) -> None:
    def stop(*_: object) -> None:
        raise error

    monkeypatch.setattr("segexport.networks.inspection.inspect", stop)
    ran = segexport("inspect", trained.checkpoint)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.strip() == messages.INTERRUPTED


@pytest.mark.parametrize("rich", [True, False])
def test_names_are_shown_as_they_are_with_rich_and_without(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segexport: Callable[..., Any], rich: bool
) -> None:
    name = "ünï [bold]x n[red].pth"
    if not rich:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    path = tmp_path / name
    path.write_bytes(trained.checkpoint.read_bytes())
    ran = segexport("onnx", path, "--size", 32, "--preprocess", "unit")
    assert ran.code == 0, ran.err
    assert f"{name} against PyTorch on 8 pictures" in ran.out
    assert f"{path.stem}.onnx" in ran.err
    assert ("─" in ran.out) == rich
    assert "edge F" in ran.out


def test_a_folder_named_like_markup_can_be_verified(
    exported: Any, tmp_path: Path, segexport: Callable[..., Any]
) -> None:
    import shutil

    folder = tmp_path / "a[" / "b]"
    shutil.copytree(exported.folder, folder)
    ran = segexport("verify", folder)
    assert ran.code == 0, ran.err
    assert f"{folder.parent.name}/{folder.name} against PyTorch's stored masks" in "".join(ran.out.split("\n"))


class Terminal(io.StringIO):
    """Standard error that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_shows_names_as_they_are_and_survives_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    console = Console()
    with console.step("read a[/b].pth"):
        console.say("picture [1/3] of [/]")
    with pytest.raises(ValueError, match="no"), console.step("second"):
        raise ValueError("no")
    console.say("said after the end")
    assert "read a[/b].pth" in terminal.getvalue()
    assert "✓ second" not in terminal.getvalue()


def test_version_is_the_distributions(segexport: Callable[..., Any]) -> None:
    from importlib.metadata import version

    assert version("segedge") in segexport("--version").out


def test_a_converter_over_its_time_limit(
    trained: Any,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    segexport: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sleepy = tmp_path_factory.mktemp("sleepy") / "worker.py"
    sleepy.write_text("import time\ninput()\ntime.sleep(60)\n")
    monkeypatch.setitem(CONVERTERS, "direct", replace(CONVERTERS["direct"], worker=str(sleepy)))
    words = ["--size", 32, "--timeout", 1, "--converter", "direct", "--output", tmp_path / "out"]
    ran = segexport("tflite", trained.checkpoint, *words)
    assert f"TFLite float32: by direct: no end after 1 s, {messages.MORE_TIME}" in refused(ran)
    assert list(tmp_path.iterdir()) == []
