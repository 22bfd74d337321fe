"""What `segexport inspect` says about a checkpoint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests import messages
from torch import nn

from segexport.networks.families.unet import UNet
from segexport.networks.inspection import inspect
from segexport.networks.network import Asked


def module_with_eps(path: Path, eps: float, count: int = 99) -> Path:
    torch.manual_seed(1)
    network = UNet([4, 8])
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms[:count]:
        norm.eps = eps
    torch.save(network.eval(), path)
    return path


def test_a_known_network_is_described(trained: Any) -> None:
    found = inspect(trained.checkpoint)
    weights = torch.load(trained.checkpoint)
    assert found["sha256"] == hashlib.sha256(trained.checkpoint.read_bytes()).hexdigest()
    assert found["size_bytes"] == trained.checkpoint.stat().st_size
    assert (found["container"], found["kind"], found["entry"], found["prefix"]) == ("zip", "state dict", None, "")
    assert found["tensors"] == len(weights)
    assert found["values"] == sum(tensor.numel() for tensor in weights.values())
    assert (found["problem"], found["notes"], found["saved_class"]) == (None, [], None)
    network = found["network"]
    assert (network["name"], network["out_channels"], network["person_channel"]) == ("unet", 1, 0)
    assert network["default_size"] == [256, 256]
    assert network["parameters"] == sum(p.numel() for p in UNet([4, 8]).parameters())


def test_the_command_prints_facts_for_people(trained: Any, segexport: Callable[..., Any]) -> None:
    ran = segexport("inspect", trained.checkpoint)
    assert (ran.code, ran.err) == (0, "")
    for words in ("zip, state dict", "unet: widths 4-8, bottleneck 16", "1 channel, person 0", "default 256x256"):
        assert words in ran.out


def test_json_is_all_that_stands_on_standard_output(trained: Any, segexport: Callable[..., Any]) -> None:
    ran = segexport("inspect", trained.checkpoint, "--json")
    assert json.loads(ran.out) == inspect(trained.checkpoint)
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_an_unknown_network_is_described_and_exits_with_1(
    tmp_path: Path, segexport: Callable[..., Any], words: list[str]
) -> None:
    torch.save({"encoder.weight": torch.ones(4, 3, 3, 3), "b": torch.ones(4)}, tmp_path / "other.pth")
    ran = segexport("inspect", tmp_path / "other.pth", *words)
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert ran.err.startswith(f"segexport: {messages.NO_KNOWN_NETWORK} (known: unet, ")
    assert messages.OWN_CLASS in ran.err
    if words:
        found = json.loads(ran.out)
        assert found["network"] is None
        assert f"segexport: {found['problem']}\n" == ran.err
    else:
        assert "not recognised" in ran.out


def test_settings_of_a_saved_module_that_differ_are_named(tmp_path: Path) -> None:
    (note,) = inspect(module_with_eps(tmp_path / "a.pth", 1e-3, 1))["notes"]
    assert note == (
        "the saved module has settings of its own, so the mask may differ from yours: "
        "downs.0.conv.1.eps is 0.001 in the saved module, 1e-05 in unet; give --arch"
    )


def test_many_settings_that_differ_are_counted(tmp_path: Path) -> None:
    (note,) = inspect(module_with_eps(tmp_path / "a.pth", 1e-3))["notes"]
    assert note.count("eps is 0.001") == 3
    assert " and 7 more; give --arch" in note  # ten batch norms: two levels down, one bottom, two levels up, two each


def test_settings_that_agree_are_not_worth_a_word(tmp_path: Path) -> None:
    found = inspect(module_with_eps(tmp_path / "a.pth", 1e-5))
    assert (found["notes"], found["kind"]) == ([], "module")
    assert found["saved_class"].endswith("UNet")


def test_settings_that_differ_are_warned_of_at_export(tmp_path: Path, segexport: Callable[..., Any]) -> None:
    ran = segexport(
        "onnx", module_with_eps(tmp_path / "a.pth", 1e-3, 1), "--size", 32, "--preprocess", "unit", "--json"
    )
    assert ran.code == 0, ran.err
    assert "warning: the saved module has settings of its own" in ran.err
    assert "downs.0.conv.1.eps is 0.001" in "".join(json.loads(ran.out)["warnings"])


def test_arch_names_the_network_to_fit(trained: Any) -> None:
    assert inspect(trained.checkpoint, Asked(arch="unet"))["network"]["name"] == "unet"
    found = inspect(trained.checkpoint, Asked(arch="deeplabv3_custom"))
    assert found["network"] is None
    assert "--arch deeplabv3_custom" in found["problem"]


def test_weights_that_are_no_numbers_are_noted(trained: Any, tmp_path: Path) -> None:
    weights = torch.load(trained.checkpoint)
    weights["final_conv.bias"][:] = float("nan")
    torch.save(weights, tmp_path / "nan.pth")
    assert any("NaN" in note for note in inspect(tmp_path / "nan.pth")["notes"])
