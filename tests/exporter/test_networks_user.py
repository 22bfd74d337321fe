"""A user's own class, named on the command line: its code is run because the user named it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
from torch import Tensor

from segexport.errors import ArchitectureError
from segexport.networks.families.unet import UNet
from segexport.networks.network import Asked, Network
from segexport.networks.user import load_user_network

MODULE = """
    from types import SimpleNamespace

    import torch
    from torch import nn


    class Plain(nn.Module):
        def __init__(self, outputs=2):
            super().__init__()
            self.conv = nn.Conv2d(3, outputs, 3, padding=1)
            self.register_buffer("steps", torch.arange(3))

        def forward(self, x):
            return self.conv(x)


    class Dict(Plain):
        def forward(self, x):
            return {"aux": x, "out": self.conv(x)}


    class Pair(Plain):
        def forward(self, x):
            return [self.conv(x), x]


    class Only224(Plain):
        def forward(self, x):
            if x.shape[2:] != (224, 224):
                raise ValueError("wants 224")
            return self.conv(x)


    class Quarter(Plain):
        def forward(self, x):
            return self.conv(x)[:, :, ::4, ::4]


    class Words(Plain):
        def forward(self, x):
            return "a mask"


    class Needs(Plain):
        def __init__(self, width):
            super().__init__()


    def no_module():
        return 3


    nested = SimpleNamespace(make=Plain)
"""


def user_network(spec: str, weights: Mapping[str, Tensor], **asked: Any) -> Network:
    return load_user_network(Asked(arch=spec, **asked), [weights])


@pytest.fixture
def arch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """`package.module:NAME` in the working directory."""
    package = tmp_path / "their_package"
    package.mkdir()
    (package / "nets.py").write_text(dedent(MODULE))
    monkeypatch.chdir(tmp_path)
    yield lambda name: f"their_package.nets:{name}"
    for name in [name for name in sys.modules if name.startswith("their_package")]:
        del sys.modules[name]


@pytest.fixture
def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {"conv.weight": torch.randn(2, 3, 3, 3), "conv.bias": torch.randn(2), "steps": torch.arange(3, 6)}


def test_plain_class_gets_the_weights(arch: Callable[[str], str], weights: dict[str, Tensor]) -> None:
    path = list(sys.path)
    network = user_network(arch("Plain"), weights)
    assert (network.out_channels, network.person_channel, network.parameters) == (2, 1, 56)
    assert (network.default_size, network.name, network.variant) == ((256, 256), arch("Plain"), "Plain")
    assert torch.equal(network.module.state_dict()["steps"], weights["steps"])
    image = torch.ones(1, 3, 8, 9)
    torch.testing.assert_close(
        network.module(image),
        torch.nn.functional.conv2d(image, weights["conv.weight"], weights["conv.bias"], padding=1),
    )
    network.check_size(31, 17)
    assert sys.path == path


def test_factory_inside_something_is_found(arch: Callable[[str], str], weights: dict[str, Tensor]) -> None:
    assert user_network(arch("nested.make"), weights).out_channels == 2


@pytest.mark.parametrize(("name", "note"), [("Dict", "entry 'out' is used"), ("Pair", "first entry is used")])
def test_one_output_of_several_is_used(
    arch: Callable[[str], str], weights: dict[str, Tensor], name: str, note: str
) -> None:
    network = user_network(arch(name), weights)
    assert any(note in line for line in network.notes)
    image = torch.ones(1, 3, 8, 8)
    assert torch.equal(network.module(image), user_network(arch("Plain"), weights).module(image))


def test_fixed_size_is_found_and_others_refused(arch: Callable[[str], str], weights: dict[str, Tensor]) -> None:
    network = user_network(arch("Only224"), weights)
    assert network.default_size == (224, 224)
    with pytest.raises(ArchitectureError, match="ValueError for an input of 256x256: wants 224; give a --size"):
        network.check_size(256, 256)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Quarter", r"gave shape \(1, 2, 64, 64\) .* expected logits \(1, C, 256, 256\)"),
        ("Words", "gave str for an input"),
        ("Needs", "TypeError: .*called without arguments"),
        ("no_module", r"gave a int, expected a torch\.nn\.Module"),
        ("absent", "AttributeError: .*absent"),
    ],
)
def test_what_is_no_network_is_refused(
    arch: Callable[[str], str], weights: dict[str, Tensor], name: str, message: str
) -> None:
    with pytest.raises(ArchitectureError, match=message) as caught:
        user_network(arch(name), weights)
    assert "\n" not in str(caught.value)


def test_module_that_is_not_there_is_refused(weights: dict[str, Tensor]) -> None:
    with pytest.raises(ArchitectureError, match=r"ModuleNotFoundError: .*nowhere_at_all"):
        user_network("nowhere_at_all:Net", weights)


@pytest.mark.parametrize("spec", ["unett", ":f", "package.module:", ""])
def test_unknown_name_lists_the_known_ones(spec: str, weights: dict[str, Tensor]) -> None:
    with pytest.raises(ArchitectureError, match=r"unknown network; expected one of unet, .*package\.module:factory"):
        user_network(spec, weights)


def test_weights_of_another_network_are_refused(arch: Callable[[str], str], weights: dict[str, Tensor]) -> None:
    other = {"conv.weight": torch.zeros(5, 3, 3, 3), "head.weight": torch.zeros(1), "steps": torch.zeros(3).long()}
    with pytest.raises(ArchitectureError) as caught:
        user_network(arch("Plain"), other)
    for part in (
        "does not fit Plain",
        "missing conv.bias",
        "unexpected head.weight",
        "has shape (5, 3, 3, 3), expected",
    ):
        assert part in str(caught.value)


def test_name_of_a_known_network_compares_with_that_one(weights: dict[str, Tensor]) -> None:
    assert user_network("unet", UNet((4, 8)).state_dict()).name == "unet"
    with pytest.raises(ArchitectureError, match=r"--arch deeplabv3_custom \(.*\) does not fit: missing"):
        user_network("deeplabv3_custom", UNet((4, 8)).state_dict())
