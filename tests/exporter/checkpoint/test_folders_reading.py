"""A folder as `save_pretrained` writes it, and what Lightning keeps next to the weights: read as data, no library is needed."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tests import messages
from tests.places import ROOT
from tests.refusals import refusal

from segexport.checkpoint import read_checkpoint
from segexport.checkpoint.folder import MAX_JSON_BYTES
from segexport.errors import ArchitectureError, CheckpointError, DamagedCheckpointError, MissingExtraError
from segexport.networks import libraries
from segexport.networks.families.unet import UNet
from segexport.networks.inspection import find_network, inspect
from segexport.networks.network import NOTHING_ASKED
from segruntime.errors import install_command

WEIGHTS = {f"layer.{index}.weight": torch.full((2, 3), float(index)) for index in range(4)}
SHARDS = {"model-00001-of-00002.safetensors": (0, 1), "model-00002-of-00002.safetensors": (2, 3)}


class Hostile:
    """Would leave a mark where its pickle is run."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch ran",)


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """Four tensors in two files, and the index that says so."""
    keys = list(WEIGHTS)
    for name, indexes in SHARDS.items():
        save_file({keys[index]: WEIGHTS[keys[index]] for index in indexes}, tmp_path / name)
    weight_map = {keys[index]: name for name, indexes in SHARDS.items() for index in indexes}
    write_json(tmp_path / "model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map})
    return tmp_path


def change_index(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    change(index["weight_map"])
    write_json(path, index)


def refused(path: Path, kind: type[Exception] = CheckpointError) -> str:
    return refusal(kind, read_checkpoint, path)


def test_a_folder_is_read_as_the_file_in_it_is(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "model.safetensors")
    write_json(tmp_path / "config.json", {"architectures": ["Net"]})
    write_json(tmp_path / "preprocessor_config.json", {"do_resize": False})
    read, alone = read_checkpoint(tmp_path), read_checkpoint(tmp_path / "model.safetensors")
    assert (read.container, read.kind, alone.kind) == ("safetensors", "saved folder", "state dict")
    assert read.sha256 == alone.sha256
    assert all(torch.equal(read.state_dict[key], WEIGHTS[key]) for key in WEIGHTS)
    assert read.folder is not None
    assert (read.folder.config, read.folder.preprocessor) == ({"architectures": ["Net"]}, {"do_resize": False})
    assert alone.folder is None


def test_the_files_of_an_index_are_one_state_dict_with_a_digest_that_each_of_them_changes(sharded: Path) -> None:
    read = read_checkpoint(sharded)
    assert set(read.state_dict) == set(WEIGHTS)
    assert all(torch.equal(read.state_dict[key], WEIGHTS[key]) for key in WEIGHTS)
    lines = [f"{hashlib.sha256((sharded / name).read_bytes()).hexdigest()}  {name}\n" for name in SHARDS]
    assert read.sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert inspect(sharded)["size_bytes"] == sum((sharded / name).stat().st_size for name in SHARDS)


def test_pickled_weights_of_a_folder_go_through_the_same_inert_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(WEIGHTS, tmp_path / "pytorch_model.bin")
    assert set(read_checkpoint(tmp_path).state_dict) == set(WEIGHTS)
    torch.save({"weight": torch.zeros(1), "other": Hostile()}, tmp_path / "pytorch_model.bin")
    assert "nothing was run" in refused(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_missing_file_of_an_index_is_named(sharded: Path) -> None:
    (sharded / "model-00002-of-00002.safetensors").unlink()
    message = refused(sharded)
    assert "lists 2 files, and model-00002-of-00002.safetensors is missing" in message
    assert message.endswith("Copy or download the folder again")


@pytest.mark.parametrize(
    "name", ["../outside.safetensors", "/etc/passwd", "deeper/x.safetensors", "..", "", "a\\b", "a\nb"]
)
def test_an_index_cannot_reach_out_of_its_folder(sharded: Path, name: str) -> None:
    save_file(WEIGHTS, sharded.parent / "outside.safetensors")
    change_index(sharded, lambda index: index.update({"layer.0.weight": name}))
    assert "which is no name of a file" in refused(sharded, DamagedCheckpointError)


def test_an_index_that_its_files_do_not_keep_is_damaged(sharded: Path) -> None:
    change_index(sharded, lambda index: index.update({"layer.9.weight": "model-00001-of-00002.safetensors"}))
    assert "model-00001-of-00002.safetensors: damaged" in refused(sharded, DamagedCheckpointError)
    assert "layer.9.weight" in refused(sharded)


@pytest.mark.parametrize("weight_map", [None, {}, [], {"a": 1}, {"a": None}])
def test_an_index_without_a_map_is_damaged(tmp_path: Path, weight_map: object) -> None:
    write_json(tmp_path / "model.safetensors.index.json", {"weight_map": weight_map})
    assert "no weight_map" in refused(tmp_path, DamagedCheckpointError)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON object"),
        ("[1]", "a list, no object"),
        ("[" * 100_000, "nested deeper"),
        ('{"a": 1, "a": 2}', "stands twice"),
        ("\ud800", "no JSON object"),
        (" " * (MAX_JSON_BYTES + 1), "larger than"),
    ],
    ids=["cut", "list", "deep", "twice", "no-text", "large"],
)
@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_a_configuration_that_is_no_json_object_is_damaged(tmp_path: Path, name: str, text: str, words: str) -> None:
    save_file(WEIGHTS, tmp_path / "model.safetensors")
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    message = refused(tmp_path, DamagedCheckpointError)
    assert name in message
    assert words in message


def test_a_folder_without_weights_says_what_is_there_and_what_to_give(tmp_path: Path) -> None:
    assert "found nothing" in refused(tmp_path)
    (tmp_path / "notes.txt").touch()
    assert "found notes.txt" in refused(tmp_path)
    (tmp_path / "last.ckpt").touch()
    assert refused(tmp_path).endswith(f"Give the file in it, such as {tmp_path / 'last.ckpt'}")
    (tmp_path / "checkpoint-500").mkdir()
    save_file(WEIGHTS, tmp_path / "checkpoint-500" / "model.safetensors")
    assert refused(tmp_path).endswith(f"Give one of them, such as {tmp_path / 'checkpoint-500'}")
    write_json(tmp_path / "adapter_config.json", {})
    assert "merge_and_unload" in refused(tmp_path)


@pytest.fixture
def unet_folder(tmp_path: Path) -> Path:
    """A network of a family that is known by its keys."""
    torch.manual_seed(0)
    save_file(UNet([4, 8]).state_dict(), tmp_path / "model.safetensors")
    return tmp_path


def test_without_a_configuration_the_keys_decide(unet_folder: Path, segexport: Callable[..., Any]) -> None:
    assert find_network(read_checkpoint(unet_folder)).name == "unet"
    ran = segexport("inspect", unet_folder)
    assert ran.code == 0
    assert "safetensors, saved folder" in ran.out


def test_a_configuration_of_nobody_known_is_refused_unless_the_class_is_named(
    unet_folder: Path, segexport: Callable[..., Any]
) -> None:
    write_json(unet_folder / "config.json", {"depth": 3})
    ran = segexport("onnx", unet_folder)
    assert "neither transformers' ('architectures' is missing)" in ran.refusal
    assert messages.OWN_CLASS in ran.refusal
    assert segexport("inspect", unet_folder, "--arch", "unet").code == 0


@pytest.mark.parametrize(
    ("config", "command"),
    [
        ({"architectures": ["SegformerForSemanticSegmentation"]}, install_command("hf")),
        ({"_model_class": "FPN"}, install_command("smp")),
    ],
)
def test_a_library_that_is_not_installed_is_one_line_with_the_command(
    unet_folder: Path,
    segexport: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, object],
    command: str,
) -> None:
    monkeypatch.setattr(libraries.imports, "find_spec", lambda _: None)
    write_json(unet_folder / "config.json", config)
    ran = segexport("onnx", unet_folder)
    assert ran.refusal.endswith(command)
    assert command in str(inspect(unet_folder)["problem"])


def test_keys_of_another_network_are_told_in_a_fifth_of_a_second_without_any_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries.smp_keys, "library", lambda name: pytest.fail(f"{name} was imported"))
    tensors = {f"model.blocks.{index}.conv.{index % 7}.weight": torch.zeros(1) for index in range(3_000)}
    torch.save(
        {"state_dict": tensors, "hyper_parameters": {"lr": 0.1, "encoder_name": "resnet18"}}, tmp_path / "n.ckpt"
    )
    checkpoint = read_checkpoint(tmp_path / "n.ckpt")
    start = time.process_time()
    assert libraries.described_network(checkpoint, NOTHING_ASKED) is None
    assert libraries.recognised_network(checkpoint, NOTHING_ASKED) is None
    assert time.process_time() - start < 0.2


def test_keys_that_look_like_the_library_s_say_that_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ("encoder._conv_stem.weight", "decoder.p5.weight", "segmentation_head.0.weight")
    torch.save({key: torch.zeros(1, 1, 1, 1) for key in keys}, tmp_path / "fpn.pth")
    monkeypatch.setattr(libraries.imports, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=re.escape(install_command("smp"))):
        find_network(read_checkpoint(tmp_path / "fpn.pth"))


def test_a_library_that_cannot_be_imported_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise RuntimeError(f"{name} was built for another torch")

    monkeypatch.setattr(libraries.imports, "import_module", fail)
    monkeypatch.setattr(libraries.imports, "find_spec", lambda name: None if name == "torchvision" else object())
    with pytest.raises(ArchitectureError, match=r"is installed and cannot be imported: RuntimeError.*another torch"):
        libraries.imports.library("segmentation_models_pytorch")


@pytest.mark.parametrize("kind", [dict, argparse.Namespace], ids=["dict", "namespace"])
def test_hyper_parameters_are_read_as_data(tmp_path: Path, kind: type) -> None:
    kept = {
        "arch": "FPN",
        "lr": 1e-3,
        "sizes": [1, 2],
        "nested": {"a": None},
        "loss": torch.nn.BCELoss(),
        "odd": {3: 4},
    }
    torch.save({"state_dict": {"model.a": torch.zeros(1)}, "hyper_parameters": kind(**kept)}, tmp_path / "a.ckpt")
    assert read_checkpoint(tmp_path / "a.ckpt").hyper_parameters == {
        "arch": "FPN",
        "lr": 1e-3,
        "sizes": [1, 2],
        "nested": {"a": None},
        "odd": {},
    }


def test_a_library_that_is_imported_here_may_ask_the_network_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only while we import it it may not: a training script goes on, and what it downloads is its own affair."""
    seen = {}
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)

    def look(name: str) -> object:
        seen[name] = os.environ.get("HF_HUB_OFFLINE")
        with pytest.raises(OSError, match=r"example\.org"):
            socket.create_connection(("example.org", 443))
        return object()

    monkeypatch.setattr(libraries.imports, "import_module", look)
    monkeypatch.setattr(libraries.imports, "find_spec", lambda name: None if name == "torchvision" else object())
    libraries.imports.library("transformers")
    assert seen == {"transformers": None}


def test_the_tests_with_the_libraries_are_not_skipped_where_the_environment_is_ours() -> None:
    """`make test` has them from the lock; only another environment may leave test_folders_libraries.py out."""
    locked = (ROOT / "environments" / "main.lock").read_text(encoding="utf-8")
    for module, name in (
        ("transformers", "transformers"),
        ("segmentation_models_pytorch", "segmentation-models-pytorch"),
    ):
        assert f"\n{name}==" in locked
        assert importlib.util.find_spec(module) is not None
