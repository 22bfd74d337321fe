"""Networks whose forms converters got wrong once."""

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

from segexport.convert.trace.onnx_export import write_onnx
from segexport.networks.recognise import recognise
from segexport.networks.smp.deeplabv3plus import make_smp_deeplabv3plus
from segexport.networks.smp.encoders import ENCODERS


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["resnet18", "mobilenet_v2"])
def test_deeplabv3plus_of_smp_is_the_same_through_the_converter(
    tmp_path: Path, write_float32: Callable[[Path, Path], None], encoder: str
) -> None:
    with torch.device("meta"):
        meta = make_smp_deeplabv3plus(ENCODERS[encoder])
    logits = recognise(lively_tensors(shapes_of_module(meta))).module
    module = nn.Sequential(logits, nn.Sigmoid()).eval()
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
