"""The export next to others: the whole with converters that only copy a file, and each way with a small network."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from peers import export_run, export_ways
from peers.errors import PeerError
from peers.export_networks import difference, drawn_pictures, load_graph
from peers.export_ways import Converted, Source, Way
from peers.results import read_export
from peers.tables import markdown_table
from segbench.results.file import write_results
from segexport.convert.setup.place import is_ready
from segexport.convert.trace.onnx_export import write_onnx
from segexport.networks.families.unet import UNet
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
    monkeypatch.setattr(export_run, "make_ways", lambda only: ways)
    monkeypatch.setattr(export_run, "load_graph", lambda checkpoint: SimpleNamespace(network=network))
    monkeypatch.setattr(export_run, "write_onnx", lambda graph, height, width, path: path.write_bytes(b"onnx"))
    monkeypatch.setattr(export_run, "difference", lambda graph, file, size: DIFFERENCES[file.stem])


@pytest.mark.usefixtures("converters")
def test_each_way_is_timed_compared_and_its_file_run_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    result = export_run.run_export(["demo"], [], threads=1, seconds=0.1, say=lambda _: None)
    (network,) = result.to_json()["networks"]
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
    write_results(tmp_path / "export.json", result.to_json())
    assert len(markdown_table(read_export(tmp_path / "export.json")).splitlines()) == 2 + 4


SIZE = 32


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A small U-Net in PyTorch and as an ONNX file."""
    folder = tmp_path_factory.mktemp("small")
    torch.manual_seed(5)
    torch.save(UNet([8, 16]).state_dict(), folder / "unet.pth")
    graph = load_graph(folder / "unet.pth")
    write_onnx(graph, SIZE, SIZE, folder / "network.onnx")
    return Source(graph=graph, size=SIZE, onnx=folder / "network.onnx", onnx_s=0.0)


@pytest.mark.skipif(not is_ready("direct"), reason="its environment is not here: segexport setup")
@pytest.mark.parametrize("name", ["ours", "onnx2tf"])
def test_each_way_through_onnx_makes_a_file_that_gives_the_networks_mask(
    name: str, small: Source, tmp_path: Path
) -> None:
    (way,) = (way for way in export_run.make_ways([name]) if way.name == name)
    converted = way.convert(small, tmp_path / "way")
    assert converted.seconds > 0
    assert converted.packages
    assert difference(small.graph, converted.file, SIZE) < 1e-5


@pytest.mark.skipif(not is_ready("litert-torch"), reason="its environment is not here: segexport setup")
def test_litert_torch_makes_a_file_and_compares_it_on_the_pictures_that_it_is_given(
    small: Source, tmp_path: Path
) -> None:
    program, pictures, target = tmp_path / "network.pt2", tmp_path / "pictures.npy", tmp_path / "made.tflite"
    export_ways.save_program(small.graph, SIZE, program)
    np.save(pictures, drawn_pictures(2, SIZE))
    answer = export_ways.run_litert_torch(program, target, pictures)
    assert 0 <= answer["difference"] < 1e-5
    assert difference(small.graph, target, SIZE) < 1e-5


def test_a_converter_that_is_not_installed_is_a_reason_with_the_command(
    small: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGEDGE_CONVERTERS", str(tmp_path))
    with pytest.raises(PeerError, match="segexport setup direct"):
        export_ways.ours(small, tmp_path / "ours")
    with pytest.raises(PeerError, match="segexport setup direct"):
        export_ways.plain_onnx2tf(small, tmp_path / "onnx2tf")
    with pytest.raises(PeerError, match="segexport setup litert-torch"):
        export_ways.litert_torch(small, tmp_path / "litert-torch")
