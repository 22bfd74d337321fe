"""One tiny trained network, forty drawn pictures, and one real export of them that all tests share."""

from __future__ import annotations

import gc
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import psutil
import pytest
import torch
from torch.nn import functional as F

from segexport.networks.families.unet import UNet
from segexport.pictures.files import draw_pictures
from segexport.quantize.quantizer import Quantizer
from segexport.tflite.graph import read_operators
from segexport.tflite.ranges import Ranges

SIZE = 32
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A checkpoint that separates light from dark, and the folder of pictures it was trained on."""

    checkpoint: Path
    pictures: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The one line, after progress and warnings, of a command that ends with 1, or with 130 where interrupted."""
        assert self.code in (1, 130), self.err
        assert "Traceback" not in self.err
        lines = [line for line in self.err.splitlines() if line.startswith("segexport: ")]
        assert lines == self.err.splitlines()[-1:], self.err
        return lines[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """`segexport tflite CHECKPOINT --calibration PICTURES --json`, run as a command."""

    folder: Path
    trained: Trained
    ran: Ran
    body: dict[str, Any]

    def row(self, precision: str) -> dict[str, Any]:
        return next(row for row in self.body["files"] if row["precision"] == precision)

    def path(self, precision: str) -> Path:
        return self.folder / self.row(precision)["name"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A U-Net of widths 4-8 after sixty steps: its masks are neither empty nor full, its batch norms are lively."""
    folder = tmp_path_factory.mktemp("trained")
    pictures = folder / "pictures"
    pictures.mkdir()
    drawn = draw_pictures(40, size=96, seed=11)
    for index, picture in enumerate(drawn):
        cv2.imwrite(str(pictures / f"{index:02}.png"), picture)
    torch.manual_seed(3)
    network = UNet([4, 8])
    small = np.stack([cv2.resize(picture, (SIZE, SIZE))[:, :, ::-1] for picture in drawn])
    images = (torch.from_numpy(small.transpose(0, 3, 1, 2) / np.float32(255)) - MEAN) / STD
    light = (images.mean(1, keepdim=True) > 0).float()
    optimizer = torch.optim.AdamW(network.parameters(), 0.01, weight_decay=0.3)
    for _ in range(60):
        loss = F.binary_cross_entropy_with_logits(network(images), light)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(network.state_dict(), folder / "tiny.pth")
    return Trained(checkpoint=folder / "tiny.pth", pictures=pictures)


@pytest.fixture(scope="session")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The real pipeline, once, from a relative path and into a relative folder as people type them."""
    here = trained.checkpoint.parent
    words = ["tiny.pth", "--calibration", "pictures", "--size", str(SIZE), "--output", "out", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "segexport", "tflite", *words], cwd=here, capture_output=True, text=True, check=False
    )
    ran = Ran(code=done.returncode, out=done.stdout, err=done.stderr)
    assert ran.code == 0, ran.err
    return Exported(folder=here / "out", trained=trained, ran=ran, body=json.loads(ran.out))


@pytest.fixture
def folder(exported: Exported, tmp_path: Path) -> Path:
    """A copy of the export, to be damaged."""
    return Path(shutil.copytree(exported.folder, tmp_path / "copy"))


@pytest.fixture
def segexport(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ran]]:
    """The command line in this process: `segexport("inspect", path)`."""
    from segexport.cli import main

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*words: object) -> Ran:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["segexport", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Ran(code=code, out=captured.out, err=captured.err)

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def copied_floats(monkeypatch: pytest.MonkeyPatch, exported: Exported) -> None:
    """Instead of converting for ten seconds: the float files that the one real export made."""

    class Copier:
        def __init__(self, name: str, folder: Path, *, limit_s: float) -> None:
            assert folder.is_dir()
            assert limit_s > 0
            self.name = name

        def begin(self, source: Path, target: Path) -> None:
            target.write_bytes(exported.path("float32").read_bytes())

        def finish(self, _: Callable[[str], None]) -> None:
            pass

        def close(self) -> None:
            pass

    monkeypatch.setattr("segexport.convert.choose.Float32Converter", Copier)


@pytest.fixture
def copied_converters(monkeypatch: pytest.MonkeyPatch, exported: Exported, copied_floats: None) -> None:
    """The same, and the int8 file instead of quantizing."""

    def measure(quantizer: Quantizer, pictures: npt.NDArray[np.float32]) -> Ranges:
        count = (len(pictures), 1)
        name = read_operators(quantizer.float32)[0].inputs[0]
        return Ranges(names=(name,), low=np.zeros(count, np.float32), high=np.ones(count, np.float32))

    def write(_: Quantizer, target: Path, precision: str, *__: Any) -> tuple[str, ...]:
        target.write_bytes(exported.path(precision).read_bytes())
        return ()

    monkeypatch.setattr(Quantizer, "measure", measure)
    monkeypatch.setattr(Quantizer, "write", write)
    monkeypatch.setattr(Quantizer, "noise", lambda *_: {})


@pytest.fixture
def children() -> Callable[[], list[psutil.Process]]:
    """This process's children that were not there when the test began: many tests share a converter and a quantizer."""
    gc.collect()
    before = psutil.Process().children()
    return lambda: [one for one in psutil.Process().children() if one not in before]
