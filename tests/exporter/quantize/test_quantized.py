"""How many pictures calibrate, where an int8 file loses the picture, and what a failed look at it costs: nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from segexport.compare import Runner
from segexport.console import Console
from segexport.errors import ConversionError
from segexport.pictures.files import draw_pictures
from segexport.quantize.budget.noise import OperatorNoise, where_lost
from segexport.quantize.inputs import QuantizeInputs
from segexport.quantize.quantized import (
    LEAST_PICTURES,
    MOST_WORK,
    calibration_places,
    multiplications,
    write_quantized,
)
from segexport.quantize.quantizer import Quantizer
from segexport.tflite.graph import read_operators

SIDE = 32


def noise(index: int, snr_db: float, kind: str = "CONV_2D") -> OperatorNoise:
    return OperatorNoise(index=index, operator=kind, name=f"t{index}", snr_db=snr_db)


def test_the_operator_from_which_on_nothing_is_better_than_the_mask_is_named() -> None:
    told = where_lost([noise(0, 40.0), noise(3, -60.0, "MEAN"), noise(4, 30.0), noise(7, 4.5, "MUL"), noise(9, 2.0)])
    assert told == (
        "int8: from operator 7 on, MUL 't7', the signal is 4.5 dB over the noise or little more, 2.0 in the mask; "
        "--max-iou-drop POINTS leaves in float what needs it, and calibration pictures unlike the camera's would do this too"
    )


def test_where_only_the_mask_is_noisy_that_is_named_and_without_any_ratio_nothing_is_said() -> None:
    told = where_lost([noise(0, 40.0), noise(5, 12.0, "LOGISTIC")])
    assert told is not None
    assert told.startswith("int8: from operator 5 on, LOGISTIC 't5', the signal is 12.0 dB over ")
    assert where_lost([]) is None


def test_the_report_tells_what_of_int8_is_in_float(exported: Any) -> None:
    floats = exported.body["float_operators"]
    assert list(floats) == ["int8"]  # float16 is float, and says nothing
    assert (floats["int8"]["kinds"], floats["int8"]["count"], floats["int8"]["borders"]) == ({}, 0, 0)
    assert floats["int8"]["text"] == f"all {floats['int8']['operators']} operators in integers"
    assert exported.body["pictures"]["calibrate"] == 20


def test_the_work_of_a_network_is_its_weights_once_for_every_pixel(exported: Any) -> None:
    """The tiny U-Net of widths 4 and 8 at 32x32, by hand: its convolutions at 32, 16 and 8, its transposed ones from below."""
    import torch

    network = torch.load(exported.trained.checkpoint, weights_only=True)
    whole = multiplications(exported.path("float32"))
    kernels = sum(tensor.numel() for tensor in network.values() if tensor.ndim == 4)
    assert kernels * 8 * 8 < whole < (kernels + 9) * SIDE * SIDE  # 9: mean and deviation may be a convolution


def test_a_small_network_calibrates_on_every_picture_and_a_large_one_on_a_spread_of_them(
    exported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = exported.path("float32")
    assert multiplications(path) * 50 < MOST_WORK
    assert calibration_places(path, 50) == list(range(50))
    monkeypatch.setattr("segexport.quantize.quantized.MOST_WORK", 10.5 * multiplications(path))
    places = calibration_places(path, 28)
    assert places == [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]
    monkeypatch.setattr("segexport.quantize.quantized.MOST_WORK", 0.0)
    assert len(calibration_places(path, 28)) == LEAST_PICTURES
    assert calibration_places(path, 3) == [0, 1, 2]


def test_an_export_goes_on_where_the_signal_to_noise_ratio_fails(
    exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> dict[str, float]:
        raise ConversionError("signal-to-noise: the converter ended with code -11")

    monkeypatch.setattr(Quantizer, "noise", fail)
    frames = [cv2.resize(picture, (SIDE, SIDE)) for picture in draw_pictures(4, size=96, seed=5)]
    images = (np.stack(frames)[..., ::-1] / 255).astype(np.float32)
    target = tmp_path / "int8.tflite"
    with (
        Runner(tmp_path, limit_s=120) as runner,
        Quantizer(float32=exported.path("float32"), folder=tmp_path, limit_s=120, progress=lambda _: None) as quantizer,
    ):
        bench = QuantizeInputs(
            quantizer=quantizer,
            runner=runner,
            calibration=images,
            frames=frames,
            reference=runner.run(exported.path("float32"), frames, lambda _: None).masks,
            float32=None,
            truth=None,
            console=Console(),
        )
        found = write_quantized(bench, {"int8": target})
        assert runner.run(target, frames, lambda _: None).contract.input.dtype == "uint8"
    assert found.noise == ()
    assert found.calibrated == 4
    assert found.float_operators["int8"].operators == len(read_operators(exported.path("float32")))
    told = "warning: no signal-to-noise ratios for the report: signal-to-noise: the converter ended with code -11\n"
    assert told in capsys.readouterr().err
