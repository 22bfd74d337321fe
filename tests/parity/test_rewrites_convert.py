"""Rewrites come out of the real converters as they went in, at sizes that a converter mistakes for one another.

Converters guess the layout of a tensor from its sizes: heights, widths and channels that are alike are what they get wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402 the light environment has no torch
from torch.nn import functional as F  # noqa: E402

from segexport.convert.float32 import Float32Converter  # noqa: E402
from segexport.convert.setup.place import is_ready  # noqa: E402
from segexport.convert.torch_rewrites.threads import UnpoolsInOrder  # noqa: E402
from segexport.convert.trace.onnx_export import write_onnx  # noqa: E402

SIZES = [(24, 24, 24), (12, 24, 24), (5, 20, 28)]  # channels, height, width


class Rewritten(nn.Module):
    """What chooses a place. Weights are eighths, so that sums are exact in any order, and ties are many."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.spread = nn.Conv2d(3, channels, 3, padding=1)
        self.mix = nn.Conv2d(channels, channels, 1)
        self.last = nn.Conv2d(channels, 1, 1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_((8 * parameter).round().clamp(-2, 2) / 8)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.spread(x))
        a, first = F.max_pool2d(x, 2, return_indices=True)
        b, second = F.max_pool2d(a, 3, 2, 1, return_indices=True)
        c = F.max_unpool2d(self.mix(b), second, 2, output_size=a.shape[2:])
        out = F.max_unpool2d(c - 1, first, 2)
        out = out + F.max_pool2d(out - 3, 3, 1, 1)
        last: Tensor = self.last(out)
        return last


def answer(path: Path, image: np.ndarray[Any, np.dtype[np.float32]]) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image.transpose(0, 2, 3, 1))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).transpose(0, 3, 1, 2)


@pytest.fixture(scope="module")
def write_by_tf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path, Path], None]]:
    """By the converter that takes all of these at once: XNNPACK refuses what `direct` makes of them, and `auto` goes on.

    With an irregular adaptive pool next to them it goes on to litert-torch: tf mistakes the pool's transposes here.
    """
    if not is_ready("tf"):
        pytest.skip("converter tf is not installed here: segexport setup tf")
    with Float32Converter("tf", tmp_path_factory.mktemp("converter"), limit_s=600) as converter:

        def write(onnx_path: Path, target: Path) -> None:
            converter.begin(onnx_path, target)
            converter.finish(lambda _: None)

        yield write


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "height", "width"), SIZES)
def test_the_tflite_file_chooses_what_pytorch_chooses(
    channels: int, height: int, width: int, tmp_path: Path, write_by_tf: Callable[[Path, Path], None]
) -> None:
    network = Rewritten(channels).eval()
    lowered = write_onnx(network, height, width, tmp_path / "a.onnx")
    assert {done.rewrite for done in lowered.rewrites} == {
        "max_unpool",
        "overlapping_unpool",
        "padded_max_pool",
    }
    target = tmp_path / "a.tflite"
    write_by_tf(tmp_path / "a.onnx", target)
    image = np.random.default_rng(3).integers(0, 9, (1, 3, height, width)).astype(np.float32) / 8
    with UnpoolsInOrder(), torch.inference_mode():
        expected = network(torch.from_numpy(image)).numpy()
    assert expected.std() > 0.1
    # a place chosen otherwise moves a value by an eighth or more
    np.testing.assert_allclose(answer(target, image), expected, atol=1e-5)
