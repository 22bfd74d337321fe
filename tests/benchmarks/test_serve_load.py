"""The load test of the service itself: it measures what it says, checks the replies, and stops."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.places import ROOT

pytest.importorskip("psutil", reason="the load test needs the extra `bench`")
pytest.importorskip("segbench", reason="the load test needs segbench")
pytest.importorskip("uvicorn", reason="the service needs the extra `serve`")
SCRIPT = ROOT / "benchmarks" / "serve_load.py"


def test_a_short_load_counts_answers_masks_and_memory() -> None:
    words = ["--requests", "2", "--clients", "12", "--sockets", "3", "--seconds", "1.5", "--warm-up", "1", "--json"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row["path"] for row in found["cost"]] == ["/v1/cutout", "/v1/mask", "/v1/composite"]
    assert all(len(row["rounds_ms"]) == 2 and row["goal"]["ratio"] > 0 for row in found["cost"])
    load = found["load"]
    assert set(load["statuses"]) <= {"200", "429"}
    assert load["statuses"]["200"] > 0
    assert load["failures"] == {}
    assert load["masks"] > 0
    assert load["out_of_order"] == 0
    assert load["memory_mb"]["peak"] >= load["memory_mb"]["first"] > 20
