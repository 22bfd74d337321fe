"""`segexport.export(…)`: the command as a function. The network is left as it is, and so is the process around it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import psutil
import pytest
import torch
from tests import messages
from torch import Tensor, nn

import segexport
from segexport.compare.rows import FileRow
from segexport.errors import OptionError
from segexport.networks.families.unet import UNet
from segexport.options import Chosen
from segexport.report.outcome import Export
from segruntime import read_contract
from segruntime.strict_json import Fields

Children = Callable[[], list[psutil.Process]]


@pytest.fixture
def network(trained: Any) -> UNet:
    """The network of the session's export, in the middle of its training: with gradients, in training mode, with a hook."""
    network = UNet([4, 8])
    network.load_state_dict(torch.load(trained.checkpoint))
    network(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))).mean().backward()
    network.load_state_dict(torch.load(trained.checkpoint))  # the statistics have moved
    network.register_forward_hook(lambda module, inputs, output: None)
    return network


@pytest.fixture
def chosen(trained: Any, tmp_path: Path) -> dict[str, Any]:
    """What the session's export was asked for, but for the quantized files."""
    return {"calibration": trained.pictures, "size": 32, "precisions": "float32", "output": tmp_path / "out"}


@contextmanager
def odd_process() -> Iterator[None]:
    """A training script may well be in the middle of all of these."""
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16), torch.device("meta"):
            yield
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_default_dtype(torch.float32)


def process() -> dict[str, Any]:
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": repr(np.random.get_state()),
        "python": random.getstate(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "inference": torch.is_inference_mode_enabled(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "threads": torch.get_num_threads(),
        "signals": [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)],
        "path": list(sys.path),
    }


def of_network(module: nn.Module) -> list[Any]:
    return [
        (path, one.training, list(one._forward_hooks.items()), sorted(vars(one)))
        for path, one in module.named_modules()
    ] + [
        (key, id(one), one.requires_grad, one.stride(), one.detach().tolist(), one.grad is None or one.grad.tolist())
        for key, one in [*module.named_parameters(), *module.named_buffers()]
    ]


def probabilities(path: Path) -> Any:
    image = np.random.default_rng(7).random((1, 3, 32, 32), np.float32)
    return onnxruntime.InferenceSession(str(path)).run(None, {"image": image})[0]


@pytest.mark.usefixtures("copied_floats")
def test_a_module_in_memory_gives_what_the_command_gives_of_its_checkpoint_and_stays_as_it_is(
    exported: Any, network: UNet, chosen: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = of_network(network)
    around = process()
    result = segexport.export(network, **chosen)
    assert of_network(network) == before
    assert process() == around
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "note: It is in training mode; a copy in evaluation mode is exported." in captured.err
    assert "✓ ONNX" in captured.err
    assert "Forward hooks (UNet) change nothing" in result.notes[1]
    assert result.folder == chosen["output"]
    assert result.paths == {"onnx": result.folder / "UNet.onnx", "float32": result.folder / "UNet_float32.tflite"}
    np.testing.assert_array_equal(probabilities(result.paths["onnx"]), probabilities(exported.path("onnx")))
    # PyTorch's own sums are rounded in another order where the weights lie elsewhere in memory, on some processors
    assert result.rows[0].max_difference == pytest.approx(exported.row("onnx")["max_difference"], abs=1e-6)
    contract = read_contract(result.paths["float32"])
    assert contract is not None
    assert contract.source is not None
    assert (contract.source.checkpoint, contract.source.architecture) == ("UNet", "UNet")
    assert str(result).splitlines()[1].split()[0] == "onnx"
    command = (result.folder / "report.json").read_text("utf-8")
    assert '"segexport.export",\n  "UNet",\n  "calibration=' in command


def test_modes_and_defaults_of_the_script_are_kept_out_and_are_there_afterwards(
    exported: Any, network: UNet, chosen: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with odd_process():
        around = process()
        result = segexport.export(network, **{**chosen, "precisions": [], "name": "mine"}, quiet=True)
        assert process() == around
    assert list(result.paths) == ["onnx"]
    assert result.paths["onnx"].name == "mine.onnx"
    np.testing.assert_array_equal(probabilities(result.paths["onnx"]), probabilities(exported.path("onnx")))
    assert "✓" not in capsys.readouterr().err


@pytest.mark.usefixtures("copied_floats")
def test_a_path_is_exported_as_the_command_does(exported: Any, trained: Any, chosen: dict[str, Any]) -> None:
    result = segexport.export(str(trained.checkpoint), **chosen)
    assert result.paths["float32"].name == "tiny_float32.tflite"
    contract = read_contract(result.paths["onnx"])
    assert contract is not None
    assert contract.source == read_contract(exported.path("onnx")).source  # type: ignore[union-attr]


def test_importing_it_imports_nothing_heavy() -> None:
    code = (
        "import sys, segexport; segexport.SegExportError; "
        "print(sorted({'torch', 'numpy', 'cv2', 'click', 'onnx'} & set(sys.modules)), hasattr(segexport, 'nothing'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n"


class Several(nn.Module):
    """Ends as `kind` says."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)
        self.kind = kind

    def forward(self, x: Tensor) -> Any:
        y = self.conv(x)
        if self.kind == "interrupt":
            signal.raise_signal(signal.SIGINT)
        if self.kind == "raises":
            raise RuntimeError("no\nsuch thing")
        return {"dict": {"a": y, "b": y}, "list": [y, y, y], "flat": y.mean((2, 3))}[self.kind]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("dict", r"Several: forward gives 2 outputs: a: shape \(1, 1, 32, 32\), .*: give --output-index"),
        ("list", r"Several: forward gives 3 outputs: 0: shape"),
        ("flat", r"Several: forward gave shape \(1, 1\).*expected scores"),
        (
            "raises",
            r"Several: forward fails for a picture of 32x32: RuntimeError in .*test_library\.py:\d+: no such thing",
        ),
    ],
)
def test_a_forward_of_no_use_is_refused_in_one_line_and_leaves_nothing(
    chosen: dict[str, Any], kind: str, message: str, children: Children
) -> None:
    with pytest.raises(segexport.ArchitectureError, match=message) as caught:
        segexport.export(Several(kind), **chosen, quiet=True)
    assert "\n" not in str(caught.value)
    assert not chosen["output"].exists()
    assert children() == []


def test_ctrl_c_leaves_nothing(chosen: dict[str, Any], children: Children) -> None:
    with pytest.raises(KeyboardInterrupt):
        segexport.export(Several("interrupt"), **chosen, quiet=True)
    assert not chosen["output"].exists()
    assert children() == []


def test_files_that_are_there_are_not_replaced_unasked(network: UNet, chosen: dict[str, Any]) -> None:
    chosen["output"].mkdir()
    (chosen["output"] / "UNet.onnx").write_text("mine")
    with pytest.raises(segexport.OutputError, match=r"UNet\.onnx is already there; nothing was changed"):
        segexport.export(network, **chosen, quiet=True)
    assert [path.read_text() for path in chosen["output"].iterdir()] == ["mine"]


@pytest.mark.usefixtures("copied_floats")
def test_a_float32_file_that_is_another_network_is_an_error_and_nothing_is_left(
    network: UNet, chosen: dict[str, Any]
) -> None:
    with torch.no_grad():  # the converter's copy is of the network as it was
        for parameter in network.parameters():
            parameter.mul_(1.02)
    with pytest.raises(segexport.ConversionError, match="another network: the largest difference is"):
        segexport.export(network, **{**chosen, "converter": "direct"}, quiet=True)
    assert not chosen["output"].exists()


def test_a_file_that_was_not_kept_is_an_error(
    exported: Any, network: UNet, chosen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [FileRow.from_json(Fields(row)) for row in exported.body["files"]]
    body: dict[str, Any] = {**exported.body}
    monkeypatch.setattr(
        "segexport.pipeline.export", lambda options, *_: Export(folder=options.output, rows=tuple(rows), report=body)
    )
    result = segexport.export(network, **chosen)
    assert {kind: path.name for kind, path in result.paths.items()} == {row.precision: row.name for row in rows}
    rows[3] = replace(rows[3], kept=False, within_bound=False)
    with pytest.raises(
        segexport.InaccurateError, match=rf"^tiny_int8\.tflite: {messages.OTHER_THAN_PYTORCH}: .* Not kept"
    ):
        segexport.export(network, **chosen)
    rows.pop()
    body["lost"] = {"int8": "the quantizer crashed"}
    with pytest.raises(segexport.ConversionError, match=r"no int8 file: the quantizer crashed\. The other"):
        segexport.export(network, **chosen)
    body["budget"] = {"interrupted": True, "verdict": "interrupted"}
    with pytest.raises(KeyboardInterrupt):
        segexport.export(network, **chosen)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"precision": "int8"}, "export has no precision; it takes output, overwrite, name"),
    "preset": ({"preprocess": "imagnet"}, "preprocess='imagnet': expected one of imagenet, imagenet-minmax"),
    "size": ({"size": (32, 0)}, "got '32x0', expected N or HxW"),
    "mean alone": ({"mean": (0.5, 0.5, 0.5)}, "--mean without --std"),
    "person": ({"person": "1"}, "person='1': expected the index of a channel"),
    "a channel that is not": ({"person": 3}, "--person 3: the network's channels are 0 to 0"),
    "budget without int8": ({"max_iou_drop": 1}, "--max-iou-drop is about the int8 file"),
    "a share": ({"max_iou_drop": -1}, "max_iou_drop=-1: expected a number, 0 to 100"),
    "few pictures": ({"pictures": 1}, "pictures=1: expected a number, at least 2"),
    "precision": ({"precisions": ["float32", "int4"]}, "got 'float32,int4', expected some of float32"),
    "head": ({"head": "tanh"}, "got 'tanh', expected one of auto, sigmoid"),
    "a class": ({"arch": "unet"}, "arch='unet': a module in memory is its own class; leave arch out"),
    "a name with a folder": ({"name": "../x"}, "name='../x': expected letters, digits"),
}


@pytest.mark.parametrize("what", WRONG)
def test_options_that_make_no_sense_are_refused_in_one_line(what: str, network: UNet, chosen: dict[str, Any]) -> None:
    words, message = WRONG[what]
    with pytest.raises(OptionError) as caught:
        segexport.export(network, **{**chosen, **words}, quiet=True)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert not chosen["output"].exists()


def test_a_name_is_not_for_a_checkpoint(trained: Any, chosen: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="the files of a checkpoint are named after it"):
        segexport.export(trained.checkpoint, **chosen, name="mine")


def test_every_option_of_the_command_is_a_keyword() -> None:
    from segexport.commands.export import tflite

    words = {"precision": "precisions", "timeout": "timeout_s"}
    theirs = {words.get(str(one.name), str(one.name)) for one in tflite.params} - {"checkpoint", "as_json"}
    assert set(Chosen.__annotations__) - {"name"} == theirs
