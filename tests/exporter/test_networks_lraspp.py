"""LR-ASPP gives torchvision's numbers: see golden/make_torchvision_golden.py for where those come from."""

from __future__ import annotations

import pytest
import torch
from tests.exporter.golden.agreement import (
    assert_agrees,
    cases,
    lively_tensors,
    read,
    recognise_like,
    shapes_of_module,
    zeros,
)
from tests.exporter.golden.lively_weights import picture
from torch import nn

from segexport.networks.families.lraspp import LRASPP
from segexport.networks.recognise import recognise

CASES = cases("lraspp")


def meta_module(classes: int) -> nn.Module:
    with torch.device("meta"):
        return LRASPP(classes)


@pytest.mark.parametrize("path", CASES)
def test_same_keys_and_numbers_as_torchvision(path: str) -> None:
    golden = read(path)
    network = recognise_like(golden, meta_module(golden["classes"]))
    assert network.name == "lraspp_torchvision"
    assert_agrees(network, golden)


@pytest.mark.parametrize(("classes", "person"), [(1, 0), (2, 1), (21, 15), (5, None)])
def test_both_classifiers_decide_channels_and_person(classes: int, person: int | None) -> None:
    network = recognise(zeros(shapes_of_module(meta_module(classes))))
    assert (network.out_channels, network.person_channel) == (classes, person)


@pytest.mark.parametrize("size", [(1, 1), (33, 47)])
def test_any_size_works_and_can_be_exported(size: tuple[int, int]) -> None:
    network = recognise(lively_tensors(shapes_of_module(meta_module(1))))
    network.check_size(*size)
    image = torch.from_numpy(picture(*size))
    exported = torch.export.export(network.module, (image,)).module()
    with torch.no_grad():
        out = network.module(image)
        torch.testing.assert_close(exported(image), out)
    assert out.shape == (1, 1, *size)
