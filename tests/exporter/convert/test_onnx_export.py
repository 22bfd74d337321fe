"""ONNX alone: exact, of a fixed size, quiet, and with an error that says whose fault it is."""

from __future__ import annotations

import builtins
import errno
import inspect
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from tests import messages
from tests.exporter.loaded import run_and_list
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.convert.trace.onnx_export import write_onnx
from segexport.errors import ConversionError, MissingExtraError, OutputError
from segexport.presets import PREPROCESSING
from segexport.subject.deploy import Deployable, PersonProbability
from segruntime.errors import install_command


class Pointwise(nn.Module):
    """Something small that torch.export can trace."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class Asserting(Pointwise):
    def forward(self, x: Tensor) -> Tensor:
        assert not torch.isnan(x).any()
        return super().forward(x)


class Branching(Pointwise):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if float(x.mean()) > 0 else x[:, :1]


def graph(network: nn.Module) -> Deployable:
    return Deployable(network, PREPROCESSING["imagenet"], "rgb", PersonProbability("sigmoid", 1, 0)).eval()


def test_names_and_static_shapes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_onnx(graph(Pointwise()), 6, 9, tmp_path / "a.onnx")
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]  # weights inside
    session = onnxruntime.InferenceSession(str(tmp_path / "a.onnx"), providers=["CPUExecutionProvider"])
    ((image,), (probability,)) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.shape, image.type) == ("image", [1, 3, 6, 9], "tensor(float)")
    assert (probability.name, probability.shape) == ("probability", [1, 1, 6, 9])


class OfFloat(Pointwise):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).div(float(x.max()))


class OfSize(Pointwise):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[..., : int((x > 0).sum())]


class OfNumpy(Pointwise):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.from_numpy(x.numpy()).mean()


class OfSvd(Pointwise):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).mul(torch.linalg.svdvals(x).mean())


class OfHistogram(Pointwise):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.histc(x, 10).mean()


VALUE = "torch.export: forward asks for a value that depends on the picture in ~; "
UNTRACEABLE: dict[type[nn.Module], str] = {
    Branching: f"{VALUE}choose with torch.where, or take the check out of forward",
    Asserting: f"{VALUE}take the assert out of forward",
    OfFloat: f"{VALUE}leave it a tensor: without float(), int(), bool(), .item() and .tolist()",
    OfSize: f"{VALUE}a size has to be the same for every picture",
    OfNumpy: "torch.export: RuntimeError in ~: .numpy() is not supported for tensor subclasses.; "
    "expected a forward of tensor operations alone: no NumPy, no copies of modules, no files",
    OfSvd: "ONNX: the operator _linalg_svd in ~ cannot be written as ONNX; compute the same with other operators there",
    OfHistogram: "ONNX: the operator histc in ~ cannot be written as ONNX: aten_histc with min == max (0.0) is not "
    "supported in this export path; compute the same with other operators there",
}
"""`~`: the first line of the body of forward, and its text."""


@pytest.mark.parametrize("kind", UNTRACEABLE)
def test_a_network_that_cannot_be_exported_is_refused_with_the_line_of_its_forward(
    tmp_path: Path, kind: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    with pytest.raises(ConversionError) as caught:
        write_onnx(graph(kind()), 4, 4, tmp_path / "a.onnx")
    lines, first = inspect.getsourcelines(kind.forward)
    line = f"{Path(__file__).name}:{first + 1} (`{lines[1].strip()}`)"
    assert str(caught.value) == UNTRACEABLE[kind].replace("~", line)
    assert not (tmp_path / "a.onnx").exists()


class OfGrid(Pointwise):
    def forward(self, x: Tensor) -> Tensor:
        grid = x.permute(0, 2, 3, 1)[..., :2]
        return F.grid_sample(super().forward(x), grid, "bicubic", "reflection")


def test_operators_that_converters_seldom_know_are_told_with_the_line_of_forward(tmp_path: Path) -> None:
    written = write_onnx(graph(OfGrid()), 4, 4, tmp_path / "a.onnx")
    (line,) = written.seldom_converted
    assert line.startswith("GridSample (mode=bicubic, padding_mode=reflection) in ")
    assert "test_onnx_export.py:" in line
    assert line.endswith('(`return F.grid_sample(super().forward(x), grid, "bicubic", "reflection")`)')


def test_a_full_disk_is_not_blamed_on_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("torch.onnx.export", full)
    with pytest.raises(OSError, match="No space left on device"):
        write_onnx(graph(Pointwise()), 4, 4, tmp_path / "a.onnx")


def test_a_really_full_disk_is_not_blamed_on_the_network() -> None:
    with pytest.raises(OSError, match="No space left on device"):
        write_onnx(graph(Pointwise()), 4, 4, Path("/dev/full"))


def test_onnxscript_missing_is_said_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "onnxscript":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        MissingExtraError, match=rf"onnxscript is not installed.*{re.escape(install_command('export'))}"
    ):
        write_onnx(graph(Pointwise()), 4, 4, tmp_path / "a.onnx")


def test_logging_is_as_before_also_after_a_failure(tmp_path: Path) -> None:
    import logging

    before = logging.root.manager.disable
    with pytest.raises(ConversionError):
        write_onnx(graph(Branching()), 4, 4, tmp_path / "a.onnx")
    assert logging.root.manager.disable == before


def test_the_command_needs_no_tensorflow(trained: Any, tmp_path: Path) -> None:
    words = ["onnx", str(trained.checkpoint), "--size", "32", "--output", str(tmp_path / "out")]
    _, loaded = run_and_list(words, "tensorflow", "onnx2tf", "litert_quantizer")
    assert loaded == []
    names = ["reference.npz", "report.html", "report.json", "tiny.onnx"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names


def test_a_users_own_class_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segexport: Callable[..., Any]
) -> None:
    import json

    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_network_of_a_user.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        print('made')\n"
        "        self.c = torch.nn.Conv2d(3, 2, 1)\n"
        "    def forward(self, x):\n"
        "        print('called')\n"
        "        return {'out': self.c(x), 'aux': x}\n"
    )
    torch.manual_seed(4)
    layer = nn.Conv2d(3, 2, 1)
    torch.save({"c.weight": layer.weight.detach(), "c.bias": layer.bias.detach()}, "own.pth")
    ran = segexport(
        "onnx", "own.pth", "--arch", "own_network_of_a_user:Net", "--size", "5x7", "--preprocess", "unit", "--json"
    )
    assert ran.code == 0, ran.err
    body = json.loads(ran.out)  # what the user's class prints is not among it
    assert "made" in ran.err
    assert body["source"]["architecture"] == "own_network_of_a_user:Net"
    image = np.random.default_rng(0).random((1, 3, 5, 7)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(tmp_path / "own_export" / "own.onnx"))
    with torch.inference_mode():
        expected = layer(torch.from_numpy(image)).softmax(1)[:, 1:2].numpy()
    np.testing.assert_allclose(session.run(None, {"image": image})[0], expected, atol=1e-5)


def test_disk_full_while_a_file_is_stamped(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segexport: Callable[..., Any]
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    ran = segexport("onnx", trained.checkpoint, "--size", 32, "--output", tmp_path / "out")
    assert ran.refusal == (
        f"segexport: {tmp_path / 'out'}: writing failed (No space left on device); {messages.NOTHING_LEFT}. "
        "Free some space or give another --output"
    )
    assert list(tmp_path.iterdir()) == []


def test_disk_full_while_the_reference_is_written_keeps_what_was_there(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segexport.console import Console
    from segexport.options import Options
    from segexport.pipeline import export

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "tiny.onnx").write_bytes(b"the old one")
    monkeypatch.setattr(np, "savez_compressed", full)
    chosen = Options(checkpoint=trained.checkpoint, output=tmp_path, precisions=(), size=(32, 32), overwrite=True)
    with pytest.raises(OutputError, match=r"writing failed \(No space left on device\)"):
        export(chosen, Console(quiet=True))
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.onnx"]
    assert (tmp_path / "tiny.onnx").read_bytes() == b"the old one"
