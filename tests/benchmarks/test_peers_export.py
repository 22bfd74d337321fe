"""The export beside others, with converters that only copy a file; the real ones take minutes."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from peers import export_run
from peers.errors import PeerError
from peers.export_ways import Converted, Source, Way
from peers.results import EXPORT_FORMAT, read_peers
from peers.tables import markdown_table
from segbench.result_file import write_results
from segruntime.segmenter import BUNDLED

DIFFERENCES = {"ours": 1e-6, "exact": 2e-6, "wrong": 0.25}


def copying(name: str, seconds: float, *, through_onnx: bool = True) -> Way:
    def convert(source: Source, folder: Path) -> Converted:
        assert source.onnx.is_file()
        folder.mkdir()
        file = Path(shutil.copy(BUNDLED["tflite"], folder / f"{name}.tflite"))
        return Converted(seconds=seconds, file=file, packages={"copy": "1"})

    return Way(name=name, title=name, convert=convert, through_onnx=through_onnx)


def refusing(source: Source, folder: Path) -> Converted:
    raise PeerError(f"no such operator in {folder}/network.pt2")


@pytest.fixture
def converters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four ways; PyTorch, its ONNX file and the comparison are stand-ins."""
    ways = [
        copying("ours", 2.0),
        copying("exact", 3.0, through_onnx=False),
        copying("wrong", 1.0),
        Way(name="refusing", title="refusing", convert=refusing, through_onnx=False),
    ]
    network = torch.nn.Conv2d(3, 1, 1)
    monkeypatch.setattr(export_run, "make_ways", lambda only, say, environments: ways)
    monkeypatch.setattr(export_run, "load_network", lambda name: SimpleNamespace(network=network))
    monkeypatch.setattr(export_run, "write_onnx", lambda graph, height, width, path: path.write_bytes(b"onnx"))
    monkeypatch.setattr(export_run, "difference", lambda graph, file, size: DIFFERENCES[file.stem])


@pytest.mark.usefixtures("converters")
def test_each_way_is_timed_compared_and_its_file_run_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    result = export_run.run_export(["demo"], [], threads=1, seconds=0.1, say=lambda _: None)
    (network,) = result["networks"]
    ways: dict[str, dict[str, Any]] = {way["name"]: way for way in network["ways"]}
    assert network["parameters"] == 4
    assert len(ways["ours"]["values_s"]) == export_run.REPEATS
    assert ways["ours"]["seconds"] == pytest.approx(2.0 + ways["ours"]["onnx_s"]), "the ONNX file is part of this way"
    assert ways["exact"]["seconds"] == 3.0
    assert ways["ours"]["size_bytes"] == BUNDLED["tflite"].stat().st_size
    assert ways["exact"]["invoke"]["ratio"]["low"] < ways["exact"]["invoke"]["ratio"]["high"]
    assert ways["exact"]["invoke"]["baseline"] == {"peer": "ours", "task": "invoke"}
    assert ways["wrong"]["failure"] == "its output is up to 0.25 away from PyTorch's, expected at most 0.002"
    assert ways["wrong"]["invoke"] is None
    assert ways["refusing"]["failure"] == "no such operator in …"
    assert ways["refusing"]["seconds"] is None
    write_results(tmp_path / "export.json", result)
    assert len(markdown_table(read_peers(tmp_path / "export.json", EXPORT_FORMAT)).splitlines()) == 2 + 4
