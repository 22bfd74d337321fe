"""The programs in docs/python.md, one after the other in one process as a reader would type them; only the size is smaller.

And the architecture that docs/adding-an-architecture.md adds.
"""

from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from tests.exporter.conftest import MEAN, SIZE, STD
from tests.places import ROOT

import segexport
import segruntime
from segexport.networks import ARCHITECTURES, Architecture
from segexport.networks.families.unet import UNet
from segexport.networks.recognise import recognise

PAGE = ROOT / "docs" / "python.md"


def programs(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def batches(pictures: Path) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Two, of what the network was trained on: light is the person."""
    small = [cv2.resize(cv2.imread(str(path)), (SIZE, SIZE))[:, :, ::-1] for path in sorted(pictures.iterdir())[:16]]
    images = torch.from_numpy(np.stack(small).transpose(0, 3, 1, 2) / np.float32(255))
    images = (images - MEAN) / STD
    return [(one, (one.mean(1, keepdim=True) > 0).float()) for one in images.split(8)]


def in_pytorch(network: UNet, frame: Any) -> Any:
    """The network's mask of a frame, `(SIZE, SIZE) float32, 0–1`."""
    small = cv2.resize(frame, (SIZE, SIZE))[:, :, ::-1].transpose(2, 0, 1) / np.float32(255)
    with torch.no_grad():
        return copy.deepcopy(network).eval()((torch.from_numpy(small) - MEAN)[None] / STD).sigmoid()[0, 0].numpy()


@pytest.mark.slow
def test_the_programs_of_the_page_run_as_they_stand(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(programs(PAGE)) == 5
    shutil.copytree(trained.pictures, tmp_path / "pictures")
    monkeypatch.chdir(tmp_path)
    network = UNet([4, 8])
    network.load_state_dict(torch.load(trained.checkpoint))
    network.train()
    frame = cv2.imread(str(tmp_path / "pictures" / "39.png"))
    names: dict[str, Any] = {"network": network, "batches": batches(trained.pictures), "frame": frame}
    for index, program in enumerate(programs(PAGE)):
        exec(compile(program.replace("size=256", f"size={SIZE}"), "python.md", "exec"), names)  # noqa: S102 the text is ours
        if index == 0:
            torch.save(network.state_dict(), tmp_path / "best.pth")
            names["average"] = torch.optim.swa_utils.AveragedModel(copy.deepcopy(network))
    printed = capsys.readouterr().out
    made = names["made"]
    assert list(made.paths) == ["onnx", "float32", "float16", "int8"]
    first = torch.load(trained.checkpoint)
    assert any((first[key] != value).any() for key, value in network.state_dict().items())
    mask = in_pytorch(network, frame)
    float32 = segruntime.load(made.paths["float32"])
    assert np.abs(float32.alpha(cv2.resize(frame, (SIZE, SIZE))) - mask).max() < 0.01
    np.testing.assert_array_equal(names["alpha"], segruntime.load(made.paths["int8"]).alpha(frame))
    assert "UNet.onnx is already there" in printed
    assert "widths 4-8" in printed
    assert (tmp_path / "out" / "report.html").is_file()
    assert (tmp_path / "out_average" / "UNet_float32.tflite").is_file()
    assert (tmp_path / "out_best" / "best_float32.tflite").is_file()
    assert network.training


def test_ten_names_are_the_library_and_each_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    assert len(segexport.__all__) == 10
    for name in segexport.__all__:
        assert re.search(rf"(?<![\w.])(segexport\.)?{name}\b", text), name
        assert getattr(segexport, name).__module__.startswith("segexport")


def test_an_architecture_that_is_added_as_the_page_says_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    file, line = programs(ROOT / "docs" / "adding-an-architecture.md")
    names: dict[str, Any] = {"Architecture": Architecture, "__name__": "one_convolution"}
    exec(compile(file, "one_convolution.py", "exec"), names)  # noqa: S102 the text is ours
    for name, architecture in eval(f"{{{line}}}", names).items():  # noqa: S307 the text is ours
        monkeypatch.setitem(ARCHITECTURES, name, architecture)
    network = recognise(names["OneConvolution"](2).state_dict())
    assert (network.name, network.out_channels) == ("one_convolution", 2)
    assert names["plan_one_convolution"]({}).out_channels == 1


def test_the_page_names_every_keyword_that_is_no_option_of_the_command() -> None:
    text = PAGE.read_text("utf-8")
    for name in ("precisions", "forward_args", "timeout_s", "name", "quiet=True"):
        assert f"| `{name}` |" in text
