"""PyTorch, ONNX and TFLite give one probability, for every preset, colour order, head, and for sizes that are not square.

The reference is numpy (`tests/exporter/formulas.py`) and plain PyTorch: it knows nothing of the deployable graph.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.exporter.formulas import FORMULAS, Array

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from segexport.compare.new_file import open_new  # noqa: E402
from segexport.convert.trace.onnx_export import write_onnx  # noqa: E402 the light environment has no torch
from segexport.networks.families.unet import UNet  # noqa: E402
from segexport.pictures.files import draw_pictures  # noqa: E402
from segexport.presets import PREPROCESSING, Preprocessing  # noqa: E402
from segexport.subject.deploy import Deployable, PersonProbability  # noqa: E402

OWN = Preprocessing(name="custom", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
PRESETS: dict[str, Callable[[Array], Array]] = {
    **FORMULAS,
    "custom": lambda x: (x / 255 - np.array([0.1, 0.2, 0.3])) / np.array([0.4, 0.5, 0.6]),
}


class Case:
    """A network with lively batch norms, how it was trained, and its own answer."""

    def __init__(self, preset: str, color: str, head: str, channels: int, person: int, size: tuple[int, int]) -> None:
        torch.manual_seed(5)
        self.network = UNet([4, 8], out_channels=channels)
        self.preset, self.color, self.head, self.channels, self.person, self.size = (
            preset,
            color,
            head,
            channels,
            person,
            size,
        )
        self.frames = [picture[: size[0], : size[1]] for picture in draw_pictures(3, size=128, seed=2)]
        seen = torch.cat([self.seen(frame) for frame in self.frames])
        with torch.no_grad():
            for module in self.network.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.momentum = 1.0  # one pass, and the running statistics are those of what it will see
            self.network.train()(seen)
            self.network.eval()
            self.network.final_conv.weight *= 2 / self.network(seen).std()
            self.network.final_conv.bias -= self.network(seen).transpose(0, 1).flatten(1).median(1).values
            self.network.final_conv.bias[person] += np.log(
                max(1, channels - 1)
            )  # about half of the pixels are "person"

    def seen(self, frame: npt.NDArray[np.uint8]) -> torch.Tensor:
        """`(H, W, 3) uint8, BGR` → what training gave to the network."""
        ordered = frame[:, :, ::-1] if self.color == "rgb" else frame
        prepared = PRESETS[self.preset](ordered.astype(np.float64)).astype(np.float32)
        return torch.from_numpy(np.ascontiguousarray(prepared.transpose(2, 0, 1)[None]))

    def expected(self, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            logits = self.network(self.seen(frame))
        if self.head == "softmax":
            logits = torch.softmax(logits, 1)
        elif self.head == "sigmoid":
            logits = torch.sigmoid(logits)
        return np.asarray(logits[0, self.person].numpy())

    def deployable(self) -> Deployable:
        preset = OWN if self.preset == "custom" else PREPROCESSING[self.preset]
        head = PersonProbability(self.head, self.channels, self.person)
        return Deployable(self.network, preset, self.color, head).eval()

    def check(self, path: Path, tolerance: float) -> None:
        """Through segruntime, as users run it; the frames have the network's size, so nothing is resized."""
        segmenter = open_new(path)
        masks = np.stack([self.expected(frame) for frame in self.frames])
        assert 0.05 < (masks > 0.5).mean() < 0.95  # a mask that is all one thing would agree with anything
        for frame, mask in zip(self.frames, masks, strict=True):
            got = segmenter.probability(segmenter.invoke(segmenter.preprocess(frame)))
            np.testing.assert_allclose(got, np.clip(mask, 0, 1), atol=tolerance)


def test_every_preset_has_a_formula_here() -> None:
    assert PRESETS.keys() - {"custom"} == PREPROCESSING.keys()


CASES = [
    *[(preset, "rgb", "sigmoid", 1, 0, (64, 96)) for preset in PRESETS],
    ("imagenet", "bgr", "sigmoid", 1, 0, (64, 96)),
    ("imagenet-minmax", "bgr", "sigmoid", 1, 0, (64, 96)),
    ("custom", "bgr", "sigmoid", 1, 0, (32, 32)),
    ("unit", "bgr", "none", 1, 0, (32, 40)),
    ("imagenet", "rgb", "softmax", 2, 1, (64, 96)),
    ("unit", "rgb", "softmax", 2, 0, (32, 40)),
    ("imagenet", "rgb", "softmax", 21, 15, (64, 96)),
    ("symmetric", "rgb", "sigmoid", 5, 3, (32, 40)),
    ("imagenet", "rgb", "sigmoid", 1, 0, (50, 70)),  # the upsampled tensor is resized to its skip
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_onnx_gives_pytorchs_probability(tmp_path: Path, case: tuple[str, str, str, int, int, tuple[int, int]]) -> None:
    subject = Case(*case)
    write_onnx(subject.deployable(), *subject.size, tmp_path / "a.onnx")
    subject.check(tmp_path / "a.onnx", 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        ("imagenet-minmax", "bgr", "sigmoid", 1, 0, (64, 96)),
        ("imagenet", "rgb", "softmax", 21, 15, (50, 70)),
    ],
    ids=lambda case: "-".join(map(str, case)),
)
def test_tflite_gives_pytorchs_probability(
    tmp_path: Path,
    case: tuple[str, str, str, int, int, tuple[int, int]],
    request: pytest.FixtureRequest,
) -> None:
    subject = Case(*case)
    write_onnx(subject.deployable(), *subject.size, tmp_path / "a.onnx")
    target = tmp_path / "a.tflite"
    request.getfixturevalue("write_float32")(tmp_path / "a.onnx", target)
    subject.check(tmp_path / "a.tflite", 1e-3)
