"""The accuracy budget on a real network that int8 truly hurts: the demo's, with one wide channel before its last convolution.

The channel's batch norm is multiplied by 300 and its weight in the last convolution divided by it: in float the same mask, in
int8 the other seven channels share the few steps that are left.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.places import ROOT, SHARED

torch = pytest.importorskip("torch")

from segexport.convert.setup.place import is_ready  # noqa: E402
from segruntime import load, read_contract  # noqa: E402

PORTRAITS = SHARED / "data" / "portraits" / "calibration"
WIDE = 300.0
POINTS = 0.5

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PORTRAITS.is_dir(), reason="the portraits of ../shared are not here"),
    pytest.mark.skipif(not is_ready("direct"), reason="converter direct is not installed here: segexport setup direct"),
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    saved = torch.load(ROOT / "examples" / "portrait_unet.pth", weights_only=True)
    weights = saved.get("state_dict", saved)
    norm, last = "ups.7.conv.4", "final_conv.weight"
    weights[f"{norm}.weight"][0] *= WIDE
    weights[f"{norm}.bias"][0] *= WIDE
    weights[last][:, 0] /= WIDE
    path = tmp_path_factory.mktemp("hurt") / "hurt.pth"
    torch.save(weights, path)
    return path


def words(checkpoint: Path, output: Path, *more: str) -> list[str]:
    shared = ["--preprocess", "imagenet", "--calibration", str(PORTRAITS / "images"), "--pictures", "40"]
    return [
        *(sys.executable, "-m", "segexport", "tflite", str(checkpoint), "--output", str(output), *shared),
        *("--precision", "float32,int8", "--golden", "none", "--json", *more),
    ]


def export(checkpoint: Path, output: Path, *more: str) -> dict[str, Any]:
    ran = subprocess.run(words(checkpoint, output, *more), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    body: dict[str, Any] = json.loads(ran.stdout)
    return body


@pytest.fixture(scope="module")
def found(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    output = tmp_path_factory.mktemp("found") / "out"
    return output, export(checkpoint, output, "--max-iou-drop", str(POINTS))


def test_full_int8_is_over_budget_and_the_search_meets_it(found: tuple[Path, dict[str, Any]]) -> None:
    _, body = found
    budget = body["budget"]
    first, best = budget["steps"][0], next(step for step in budget["steps"] if step["holds"])
    assert first["float_layers"] == []
    assert first["drop_points"] > 4 * POINTS
    assert budget["holds"] is True
    assert best["drop_points"] <= POINTS
    assert len(budget["steps"]) <= 25


def test_few_layers_stay_in_float_and_the_file_stays_small(found: tuple[Path, dict[str, Any]]) -> None:
    output, body = found
    rows = {row["precision"]: row for row in body["files"]}
    assert rows["float32"]["size_bytes"] >= 2.5 * rows["int8"]["size_bytes"]
    assert 0 < len(rows["int8"]["float_layers"]) <= 4
    contract = read_contract(output / rows["int8"]["name"])
    assert contract is not None
    assert contract.conversion is not None
    assert contract.conversion.recipe == body["recipe"]
    assert list(contract.conversion.float_layers) == rows["int8"]["float_layers"]


def test_the_image_stays_in_bytes_whatever_else_is_in_float(found: tuple[Path, dict[str, Any]]) -> None:
    output, _ = found
    spec = load(output / "hurt_int8.tflite").contract.input
    assert (spec.dtype, spec.zero_point) == ("uint8", 0)
    assert spec.scale == pytest.approx(1 / 255, rel=1e-6)


def test_the_recipe_makes_the_same_file_again_without_searching(
    found: tuple[Path, dict[str, Any]], checkpoint: Path, tmp_path: Path
) -> None:
    output, _ = found
    body = export(checkpoint, tmp_path / "again", "--recipe", str(output / "recipe.json"))
    assert body["budget"] is None
    name = "hurt_int8.tflite"
    assert (tmp_path / "again" / name).read_bytes() == (output / name).read_bytes()


def test_a_budget_that_plain_int8_holds_is_met_at_once_against_hand_made_masks(tmp_path: Path) -> None:
    body = export(
        ROOT / "examples" / "portrait_unet.pth",
        tmp_path / "out",
        *("--max-iou-drop", "0.1", "--masks", str(PORTRAITS / "masks")),
    )
    (step,) = body["budget"]["steps"]
    assert step["holds"]
    assert step["float_layers"] == []
    assert body["budget"]["against"] == "hand-made masks"
    assert 0.9 < step["iou"] < 1


def test_an_interrupted_search_keeps_the_best_file_so_far(checkpoint: Path, tmp_path: Path) -> None:
    command = [arg for arg in words(checkpoint, tmp_path / "out", "--max-iou-drop", "0.0001") if arg != "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.lstrip().startswith("step  2"):
            process.send_signal(signal.SIGINT)
            break
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert "interrupted; the best file so far was kept" in err
    body = json.loads((tmp_path / "out" / "report.json").read_text())
    assert body["budget"]["interrupted"] is True
    assert load(tmp_path / "out" / "hurt_int8.tflite").contract.input.dtype == "uint8"
