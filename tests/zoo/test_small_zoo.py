"""The zoo in small: five networks with what libraries' networks fail by, each from its .pt2 to a float32 and an int8 file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from tests.zoo.small_networks import NETWORKS

from segexport.console import Console
from segexport.options import Options
from segexport.pictures.files import draw_pictures
from segexport.pipeline import export

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from zoo.lively import make_lively

SIZE = 64
MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
QUIET = Console(quiet=True)
# the batch norm behind its global mean makes int8's errors there fourteen times as large; training would not leave it so
FLOAT_ONLY = ("context",)


@pytest.fixture(scope="module")
def drawn() -> list[npt.NDArray[np.uint8]]:
    return draw_pictures(32, size=SIZE, seed=11)


@pytest.fixture(scope="module")
def pictures(drawn: list[npt.NDArray[np.uint8]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for k, picture in enumerate(drawn):
        cv2.imwrite(str(folder / f"{k:02}.png"), picture)
    return folder


@pytest.fixture
def options(drawn: list[npt.NDArray[np.uint8]], pictures: Path, tmp_path: Path) -> Callable[..., Options]:
    """`options(name)`: an export of that network, written as `torch.export.save` does."""

    def make(name: str, **words: Any) -> Options:
        torch.manual_seed(5)
        network = NETWORKS[name]()
        pixels = torch.from_numpy(np.stack(drawn[:12])[..., ::-1].copy()).permute(0, 3, 1, 2) / 255
        seen = (pixels - MEAN) / STD
        made = make_lively(network, seen, network.out.out_channels)
        assert 0.2 < made.person < 0.6
        torch.export.save(torch.export.export(network, (seen[:1].clone(),)), tmp_path / f"{name}.pt2")
        return Options(
            checkpoint=tmp_path / f"{name}.pt2",
            output=tmp_path / "out",
            calibration=pictures,
            preprocess="imagenet",
            golden="none",
            **{"precisions": ("float32", "int8"), **words},
        )

    return make


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_network_is_right_through_the_first_converter(name: str, options: Callable[..., Options]) -> None:
    chosen = options(name, precisions=("float32",) if name in FLOAT_ONLY else ("float32", "int8"))
    made = export(chosen, QUIET)
    body, rows = made.report, made.rows
    assert (body["converter"], body["refused"]) == ("direct", {})
    assert [row.precision for row in rows] == ["onnx", *chosen.precisions]
    assert all(row.within_bound and row.kept for row in rows)
