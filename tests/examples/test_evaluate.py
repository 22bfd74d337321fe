"""The model card's table: made from measurements of several files, by kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from tests.examples.test_train import drawn_person

from segruntime.segmenter import BUNDLED, WITHOUT_INT8


def test_a_card_has_a_row_a_kind_and_a_column_a_file(
    example: Callable[[str], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rng = np.random.default_rng(2)
    for name in ("pairs/images", "pairs/masks", "rooms"):
        (tmp_path / name).mkdir(parents=True)
    for index in range(2):
        image, mask = drawn_person(120, 160, rng)
        cv2.imwrite(str(tmp_path / f"pairs/images/{index}.png"), image)
        cv2.imwrite(str(tmp_path / f"pairs/masks/{index}.png"), mask)
    cv2.imwrite(str(tmp_path / "rooms/plain.png"), np.full((90, 160, 3), 200, np.uint8))
    files = [str(BUNDLED["onnx"]), str(WITHOUT_INT8)]
    sets = ["--outlined", f"drawn={tmp_path / 'pairs'}", "--nobody", f"nobody={tmp_path / 'rooms'}", "--dark"]
    program = example("evaluate")
    monkeypatch.setattr("sys.argv", ["evaluate.py", *files, *sets, "--markdown", "--worst", str(tmp_path / "sheets")])
    program.main()
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head == f"| kind | pictures | `{BUNDLED['onnx'].name}` | `{WITHOUT_INT8.name}` |"
    assert [row.split(" | ")[0] for row in rows] == ["| drawn", "| drawn, dark", "| nobody"]
    assert [row.split(" | ")[1] for row in rows] == ["2", "2", "1"]
    for row in rows:
        one, other = row.strip("| ").split(" | ")[2:]
        assert np.allclose(*([float(number) for number in cell.split(", ")] for cell in (one, other)), atol=1)
    assert len(list((tmp_path / "sheets").iterdir())) == 6


def test_a_score_counts_what_is_missed_and_what_is_too_much(example: Callable[[str], ModuleType]) -> None:
    program = example("evaluate")
    mask = np.zeros((10, 10), np.uint8)
    mask[:, :5] = 255
    found = np.zeros((10, 10), np.uint8)
    found[:, :4] = 255
    one = program.score([program.Case(name="a", image=np.zeros((10, 10, 3), np.uint8), mask=mask)], [found])
    assert (one.iou, one.error, one.false) == (pytest.approx(80), pytest.approx(10), 0)
    empty = np.zeros((10, 10), np.uint8)
    none = program.score([program.Case(name="a", image=np.zeros((10, 10, 3), np.uint8), mask=empty)], [found])
    assert (none.iou, none.false, none.worst_false) == (None, pytest.approx(40), pytest.approx(40))
