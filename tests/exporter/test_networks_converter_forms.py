"""Forms that onnx2tf converts right stand in for the plain ones, and give the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from tests.exporter.golden.agreement import lively_tensors, shapes_of_module
from tests.exporter.golden.lively_weights import picture
from torch import nn

from segexport.convert.onnx_export import write_onnx
from segexport.networks.anchor import anchor
from segexport.networks.corner_upsample import CornerUpsample, shares
from segexport.networks.recognise import recognise
from segexport.networks.smp_deeplabv3plus import make_smp_deeplabv3plus
from segexport.networks.smp_encoders import ENCODERS


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 3), (7, 4), (20, 20)])
def test_corner_upsample_is_torchs_with_aligned_corners(size: tuple[int, int], factor: int) -> None:
    image = torch.from_numpy(picture(*size)).repeat(2, 1, 1, 1)
    image[:, 1] = 0
    image[:, 2] = image[:, 2].round()  # ties
    expected = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=True)(image)
    torch.testing.assert_close(CornerUpsample(factor)(image), expected, rtol=0, atol=2e-5)


def test_shares_of_each_place_add_up_and_keep_the_corners() -> None:
    rows = shares(5, 4)[:, :, 0, 0]
    torch.testing.assert_close(rows.sum(1), torch.ones(20))
    assert torch.equal(rows[0], torch.eye(5)[0])
    assert torch.equal(rows[-1], torch.eye(5)[-1])


@pytest.mark.parametrize("size", [(1, 1), (3, 5)])
def test_anchor_changes_no_bit(size: tuple[int, int]) -> None:
    image = torch.from_numpy(picture(*size))
    image[:, 1] = 0
    assert torch.equal(anchor(image), image)


@pytest.mark.slow
@pytest.mark.parametrize(("encoder", "classes"), [("resnet18", 1), ("mobilenet_v2", 2)])
def test_deeplabv3plus_of_smp_is_the_same_through_the_converter(
    tmp_path: Path, write_float32: Callable[[Path, Path], None], encoder: str, classes: int
) -> None:
    with torch.device("meta"):
        meta = make_smp_deeplabv3plus(ENCODERS[encoder], classes=classes)
    logits = recognise(lively_tensors(shapes_of_module(meta))).module
    module = nn.Sequential(logits, nn.Softmax(1) if classes > 1 else nn.Sigmoid()).eval()
    onnx, tflite = tmp_path / "it.onnx", tmp_path / "it.tflite"
    write_onnx(module, 64, 96, onnx)  # type: ignore[arg-type]
    write_float32(onnx, tflite)
    image = torch.from_numpy(picture(64, 96))
    with torch.no_grad():
        expected = module(image).permute(0, 2, 3, 1).numpy()
    interpreter = Interpreter(str(tflite))
    (signature,) = interpreter.get_signature_list()  # int8 cannot do without
    out = interpreter.get_signature_runner(signature)(image=image.permute(0, 2, 3, 1).numpy())
    np.testing.assert_allclose(out["probability"], expected, rtol=0, atol=1e-3)
