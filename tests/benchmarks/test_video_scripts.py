"""The scripts that measure segrun run, and what they time is whole. How fast it is, they print and nobody enforces."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.places import ROOT
from tests.video.clips import make

SCRIPTS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=6)


def run(script: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / script), *arguments, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_video_pipeline_times_four_ways_through_one_clip(clip: Path) -> None:
    result = run("video_pipeline.py", str(clip), "--rounds", "2", "--encoder-preset", "ultrafast")
    assert {len(values) for values in result["values_ms"].values()} == {2}
    assert len(result["values_ms"]) == 4
    assert [row["ratio"] > 0 for row in result["ratios"]] == [True] * 3


def test_video_memory_compares_two_lengths_of_one_clip(clip: Path) -> None:
    result = run("video_memory.py", str(clip), "--short", "0.1", "--long", "1")
    assert result["short"]["frames"] == 6
    assert result["long"]["frames"] >= 25
    assert result["long"]["peak_bytes"] > 10_000_000
    assert result["more_bytes"] == result["long"]["peak_bytes"] - result["short"]["peak_bytes"]


def test_a_benchmark_refuses_what_is_no_video_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "video_pipeline.py"), str(tmp_path / "text.mp4")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "video_pipeline: " in done.stderr
    assert "cannot be opened" in done.stderr
    assert "Traceback" not in done.stderr
