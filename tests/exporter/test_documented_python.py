"""The programs in docs/python.md, one after the other in one process as a reader would type them; only the size is smaller."""

from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import segruntime
from segexport.networks.families.unet import UNet

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.mark.usefixtures("copied_converters")
def test_the_programs_of_the_page_run_as_they_stand(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    programs = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(programs) == 4
    shutil.copytree(trained.pictures, tmp_path / "pictures")
    shutil.copy(trained.checkpoint, tmp_path / "best.pth")
    monkeypatch.chdir(tmp_path)
    network = UNet([4, 8])
    network.load_state_dict(torch.load(trained.checkpoint))
    network.train()
    names: dict[str, Any] = {
        "network": network,
        "average": torch.optim.swa_utils.AveragedModel(copy.deepcopy(network)),
        "frame": np.random.default_rng(3).integers(0, 256, (48, 64, 3), dtype=np.uint8),
    }
    for program in programs:
        exec(compile(program.replace("size=256", "size=32"), "python.md", "exec"), names)  # noqa: S102 the text is ours
    printed = capsys.readouterr().out
    assert list(names["result"].paths) == ["onnx", "float32", "float16", "int8"]
    np.testing.assert_array_equal(names["alpha"], segruntime.load(names["result"].paths["int8"]).alpha(names["frame"]))
    assert "UNet.onnx is already there" in printed
    assert (tmp_path / "out" / "report.html").is_file()
    assert (tmp_path / "out_average" / "UNet_float32.tflite").is_file()
    assert (tmp_path / "out_best" / "best_float32.tflite").is_file()
    assert network.training


def test_the_page_names_every_keyword_that_is_no_option_of_the_command() -> None:
    text = PAGE.read_text("utf-8")
    for name in ("precisions", "forward_args", "timeout_s", "name", "quiet=True"):
        assert f"| `{name}` |" in text
