"""A user's own class through the command: what used to stop it, and one line for every stage that can fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from tests.exporter.conftest import Exported, Ran
from torch import Tensor
from torch.nn import functional as F

from segexport.pictures.files import draw_pictures
from segruntime import load

SIDE = 40

NETS = """
    import torch
    import torch.nn.functional as F
    from torch import nn


    def first(channels=6):
        return nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU())


    class Body(nn.Module):
        def __init__(self, channels=6, outputs=1):
            super().__init__()
            self.first, self.last = first(channels), nn.Conv2d(channels, outputs, 1)

        def forward(self, x):
            return self.last(self.first(x))


    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Body()

        def forward(self, x):
            return self.net(x)


    class OneSize(Body):
        def forward(self, x):
            return super().forward(x).reshape(1, 1, 40, 40)


    class Probability(Body):
        def forward(self, x):
            return super().forward(x).sigmoid()


    class Matting(Body):
        def __init__(self):
            super().__init__(outputs=4)

        def forward(self, x):
            both = super().forward(x)
            return both[:, :3], both[:, 3:].sigmoid()


    class Checks(Body):
        def forward(self, x):
            spread = torch.as_tensor([0.2, 0.3, 0.4])
            if (spread == 0).any():
                raise ValueError("nothing to divide by")
            return super().forward(x / spread.view(-1, 1, 1))


    class Quarter(Body):
        def forward(self, x):
            return super().forward(F.avg_pool2d(x, 4))


    class Loud(Body):
        def forward(self, x):
            return super().forward(x) * 40 - 20


    class Asks(Body):
        def forward(self, x):
            if x.mean() > 0.3:
                return super().forward(x)
            return super().forward(x) * 2


    class Stumbles(Body):
        def forward(self, x):
            return super().forward(x) + torch.zeros(1, 1, 7, 9)


    class Sorts(Body):
        def forward(self, x):
            return torch.linalg.qr(super().forward(x))[0]


    def breaks():
        raise RuntimeError("no such dataset")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the user works: nets.py and eight pictures."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "own_nets.py").write_text(dedent(NETS))
    (folder / "pictures").mkdir()
    for k, picture in enumerate(draw_pictures(8, size=SIDE, seed=4)):
        cv2.imwrite(str(folder / "pictures" / f"{k}.png"), picture)
    return folder


@pytest.fixture
def nets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The user's module, imported from the folder that is the working directory."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    import own_nets

    yield own_nets
    del sys.modules["own_nets"]


def saved(nets: ModuleType, name: str, path: Path) -> torch.nn.Module:
    """A network of that class whose batch norm has seen pictures, and its state dict in `path`."""
    torch.manual_seed(2)
    network: torch.nn.Module = getattr(nets, name)()
    network.train()
    with torch.no_grad():
        network(torch.rand(1, 3, SIDE, SIDE))
    torch.save(network.state_dict(), path)
    return network.eval()


def frame() -> npt.NDArray[np.uint8]:
    return np.asarray(draw_pictures(1, size=SIDE, seed=9)[0])


def pixels(low: float = 0.0, spread: float = 1.0) -> Tensor:
    """`frame()` as training prepared it: `(1, 3, H, W)` RGB, `(bytes / 255 - low) / spread`."""
    rgb = torch.from_numpy(frame()[:, :, ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    return (rgb - low) / spread


EXPORTS: dict[str, tuple[list[str], Callable[[torch.nn.Module], Tensor], str]] = {
    "Holder": (["--preprocess", "unit"], lambda net: net(pixels()).sigmoid(), ""),
    "OneSize": (["--preprocess", "unit"], lambda net: net(pixels()).sigmoid(), ""),
    "Probability": (["--preprocess", "unit", "--head", "none"], lambda net: net(pixels()), ""),
    "Matting": (
        ["--preprocess", "unit", "--output-index", "1", "--head", "none"],
        lambda net: net(pixels())[1],
        "of its 2 outputs 1 is used",
    ),
    "Checks": (["--preprocess", "symmetric"], lambda net: net(pixels(0.5, 0.5)).sigmoid(), ""),
    "Quarter": (
        ["--preprocess", "unit"],
        lambda net: F.interpolate(net(pixels()), size=(SIDE, SIDE), mode="bilinear").sigmoid(),
        "1/4 of the picture's size",
    ),
    "Body": (
        ["--mean", "102,127.5,51", "--std", "51", "--arch-args", "channels=6,outputs=1"],
        lambda net: net((pixels() * 255 - torch.tensor([102, 127.5, 51]).view(3, 1, 1)) / 51).sigmoid(),
        "is for pictures in 0..255",
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_a_class_of_ones_own_gives_its_own_mask(
    nets: ModuleType, segexport: Callable[..., Ran], tmp_path: Path, name: str
) -> None:
    options, expected, note = EXPORTS[name]
    network = saved(nets, name, tmp_path / "net.pth")
    words = ["--arch", f"own_nets:{name}", "--size", SIDE, "--output", tmp_path / "out", *options]
    ran = segexport("onnx", tmp_path / "net.pth", "--calibration", "pictures", *words)
    assert ran.code == 0, ran.err
    assert note in ran.err
    with torch.no_grad():
        mask = expected(network)[0, 0].numpy()
    assert np.ptp(mask) > 0.01
    np.testing.assert_allclose(load(tmp_path / "out" / "net.onnx").alpha(frame()), mask, atol=1e-5)


ASKED = {
    "Probability": (
        ["--preprocess", "unit"],
        r"lies in 0\.\.1 \(.*\), so it may be a probability already, and a sigmoid would squash it twice; give --head none",
    ),
    "Matting": (["--preprocess", "unit"], r"gives 2 outputs: 0: shape .*; 1: shape .*give --output-index N or NAME"),
    "Loud": (
        ["--preprocess", "unit", "--head", "none"],
        r"takes for a probability lies in -[\d.]+ to .*, expected 0 to 1",
    ),
    "Body": (["--mean", "0", "--std", "51"], "give --scale 1 or --scale 255"),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_cannot_be_known_is_asked(
    nets: ModuleType, segexport: Callable[..., Ran], tmp_path: Path, name: str
) -> None:
    options, message = ASKED[name]
    saved(nets, name, tmp_path / "net.pth")
    words = ["--arch", f"own_nets:{name}", "--size", SIDE, "--output", tmp_path / "out", *options]
    ran = segexport("onnx", tmp_path / "net.pth", "--calibration", "pictures", *words)
    assert ran.code in (1, 2)
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(ran.refusal)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.pth"]


STAGES: dict[str, tuple[str, str, str]] = {
    # stage: (factory, whose weights, the one line)
    "import": ("no_such_module:Net", "Body", "--arch no_such_module:Net: cannot be imported: ModuleNotFoundError"),
    "building": (
        "own_nets:breaks",
        "Body",
        r"--arch own_nets:breaks: cannot be built: RuntimeError in own_nets\.py:\d+: no such dataset; expected",
    ),
    "keys": ("own_nets:Holder", "Body", r"does not fit Holder: missing net\.first\.0\.weight; .*give the factory"),
    "shapes": ("own_nets:Matting", "Body", r"last\.weight has shape \(1, 6, 1, 1\), expected \(4, 6, 1, 1\)"),
    "trial run": (
        "own_nets:Stumbles",
        "Body",
        r"forward fails for a picture of 40x40: RuntimeError in own_nets\.py:\d+: The size of tensor",
    ),
    "torch.export": ("own_nets:Asks", "Body", r"own_nets\.py:\d+"),
    "ONNX": ("own_nets:Sorts", "Body", "qr"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_says_in_one_line_what_of_the_users_it_was(
    nets: ModuleType, segexport: Callable[..., Ran], tmp_path: Path, stage: str
) -> None:
    arch, weights, message = STAGES[stage]
    saved(nets, weights, tmp_path / "net.pth")
    words = ["--arch", arch, "--size", SIDE, "--preprocess", "unit", "--output", tmp_path / "out"]
    ran = segexport("onnx", tmp_path / "net.pth", "--calibration", "pictures", *words)
    assert "Eq(u0" not in ran.err
    assert "Traceback" not in ran.err
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(ran.refusal)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.pth"]


@pytest.mark.usefixtures("copied_floats")
def test_a_converter_that_makes_another_network_is_refused_by_the_comparison(
    exported: Exported, nets: ModuleType, segexport: Callable[..., Ran], tmp_path: Path
) -> None:
    """Every converter "makes" the file of the tests' tiny U-Net; what is compared is Body."""
    saved(nets, "Body", tmp_path / "net.pth")
    words = ["--arch", "own_nets:Body", "--size", 32, "--preprocess", "unit", "--precision", "float32"]
    ran = segexport("tflite", tmp_path / "net.pth", "--calibration", "pictures", "--output", tmp_path / "out", *words)
    assert "direct: another network: the largest difference is " in ran.err
    assert "none of 3 converters gives this network" in ran.refusal
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.pth"]
