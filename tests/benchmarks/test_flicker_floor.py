"""The script behind the measure's own error: a true mask hardly flickers, and a mask with a known fault does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests import messages
from tests.places import ROOT, SHARED

SCRIPT = ROOT / "benchmarks" / "flicker_floor.py"
CALIBRATION = SHARED / "data" / "portraits" / "calibration"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not CALIBRATION.is_dir(), reason="no portraits next to this checkout")
def test_known_masks_are_put_in_the_right_order() -> None:
    done = run(str(CALIBRATION), "--people", "6", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["pair_ms"] > 0
    for row in found["rows"]:
        flicker = row["flicker"]
        assert flicker["true mask"] < 0.01, row
        assert flicker["jumps by 1 pixel"] > 2 * flicker["true mask"], row
    still, *moving = found["rows"]
    assert still["speed"] == 0
    assert still["flicker"]["stands still"] == still["flicker"]["true mask"]
    for row in moving:
        flicker = row["flicker"]
        assert flicker["true mask"] < flicker["one frame late"] < flicker["stands still"], row


def test_a_folder_without_pictures_is_one_line(tmp_path: Path) -> None:
    done = run(str(tmp_path))
    assert done.returncode == 1
    assert f"{messages.NOTHING_THERE} a folder of pictures" in done.stderr
    assert "Traceback" not in done.stderr
