"""FCN gives torchvision's numbers: see golden/make_torchvision_golden.py for where those come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from tests.exporter.golden.agreement import assert_agrees, cases, read, recognise_like, shapes_of_module, zeros
from torch import nn

from segexport.networks.families.fcn import make_fcn
from segexport.networks.families.torchvision_layout import Head
from segexport.networks.recognise import recognise

NAMES = {"fcn_resnet50": "ResNet-50", "fcn_resnet101": "ResNet-101"}
CASES = cases("fcn")


def meta_module(golden: Mapping[str, Any]) -> nn.Module:
    """Our module in the golden file's variant, without values."""
    classes = golden["classes"]
    head = Head(classes=classes, appended=golden["appended"], aux_classes=classes if golden["aux"] else None)
    with torch.device("meta"):
        return make_fcn(NAMES[golden["factory"]], head)


def test_there_are_golden_files_for_every_backbone() -> None:
    assert {read(path)["factory"] for path in CASES} == set(NAMES)


@pytest.mark.parametrize("path", CASES)
def test_same_keys_and_numbers_as_torchvision(path: str) -> None:
    golden = read(path)
    network = recognise_like(golden, meta_module(golden))
    assert network.name == "fcn_torchvision"
    assert network.variant.startswith(NAMES[golden["factory"]])
    assert any("aux_classifier" in note for note in network.notes) == golden["aux"]
    assert not any(key.startswith("aux") for key in network.module.state_dict())
    assert_agrees(network, golden)


@pytest.mark.parametrize(
    ("classes", "appended", "person"), [(1, None, 0), (2, None, 1), (21, None, 15), (21, 1, 0), (5, None, None)]
)
def test_head_decides_channels_and_person(classes: int, appended: int | None, person: int | None) -> None:
    golden = {"factory": "fcn_resnet50", "aux": False, "classes": classes, "appended": appended}
    network = recognise(zeros(shapes_of_module(meta_module(golden))))
    assert network.out_channels == (appended or classes)
    assert network.person_channel == person
