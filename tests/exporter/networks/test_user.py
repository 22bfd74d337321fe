"""A user's own class, named on the command line: its code is run because the user named it."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
from tests.each_case import each_case
from tests.refusals import refusal
from torch import Tensor
from torch.nn import functional as F

from segexport.checkpoint import read_checkpoint
from segexport.errors import ArchitectureError
from segexport.networks.families.unet import UNet
from segexport.networks.inspection import find_network
from segexport.networks.network import Asked, Network
from segexport.networks.user import load_user_network

MODULE = """
    from collections import namedtuple
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


    Maps = namedtuple("Maps", ["foreground", "alpha"])


    class Named(Plain):
        def forward(self, x):
            return Maps(x, self.conv(x))


    class Five(Plain):
        def forward(self, x):
            return [self.conv(x) * k for k in range(5)]


    class WithLoss(Plain):
        def forward(self, x):
            return {"loss": x.mean(), "scores": self.conv(x), "features": x.mean((2, 3))}


    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Plain()

        def forward(self, x):
            return self.net(x)


    class Scaled(Plain):
        def forward(self, x, ratio=1.0, *, twice=False):
            return self.conv(x) * ratio * (2 if twice else 1)


    class Only320(Plain):
        def forward(self, x):
            return self.conv(x).view(1, 2, 320, 320)


    class ChannelsLast(Plain):
        def forward(self, x):
            return self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


    class Flat(Plain):
        def forward(self, x):
            return self.conv(x)[:, 0]


    class Third(Plain):
        def forward(self, x):
            return self.conv(x)[:, :, ::3, ::3]


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


    def wide(outputs, *, norm="batch"):
        assert norm in ("batch", None)
        return Plain(outputs)


    def raises():
        raise KeyError("weights")


    def downloads():
        import urllib.request

        urllib.request.urlopen("http://weights.example/resnet.pth")


    nested = SimpleNamespace(make=Plain)
"""


Build = Callable[..., Network]


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
def build(arch: Callable[[str], str], weights: dict[str, Tensor]) -> Build:
    """The network NAME of that module with `weights`."""
    return lambda name, **asked: user_network(arch(name), weights, **asked)


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
        F.conv2d(image, weights["conv.weight"], weights["conv.bias"], padding=1),
    )
    network.check_size(31, 17)
    assert sys.path == path


def test_factory_inside_something_is_found(build: Build) -> None:
    assert build("nested.make").out_channels == 2


IMAGE = torch.linspace(-1, 1, 3 * 8 * 16).view(1, 3, 8, 16)


def plain(weights: Mapping[str, Tensor], image: Tensor = IMAGE) -> Tensor:
    return F.conv2d(image, weights["conv.weight"], weights["conv.bias"], padding=1)


@each_case(
    ("name", "output", "note"),
    [
        ("Dict", None, "'out' is used, as torchvision"),
        ("Dict", "1", "out is used, as --output-index says"),
        ("Pair", "0", "of its 2 outputs 0 is used"),
        ("Named", "alpha", "alpha is used"),
        ("Named", "1", "alpha is used"),
        ("Five", "1", "of its 5 outputs 1 is used"),
        ("WithLoss", None, "scores is used, the only one that is a map"),
    ],
)
def test_one_output_of_several_is_used_and_said(
    build: Build, weights: dict[str, Tensor], name: str, output: str | None, note: str
) -> None:
    network = build(name, output=output)
    assert any(note in line for line in network.notes)
    assert torch.equal(network.module(IMAGE), plain(weights))
    assert network.out_channels == 2


MANY = r".*give --output-index N or NAME"


@each_case(
    ("name", "asked", "message"),
    [
        (
            "Pair",
            {},
            r"gives 2 outputs: 0: shape \(1, 2, 256, 256\), -?[\d.]+ to [\d.]+; 1: shape \(1, 3, 256, 256\), " + MANY,
        ),
        ("Named", {}, r"foreground: shape \(1, 3, 256, 256\), .*; alpha: shape \(1, 2, 256, 256\), " + MANY),
        ("Five", {}, r"gives 5 outputs: 0: shape \(1, 2, 256, 256\), -?0 to -?0; 1: .*; 4: " + MANY),
        ("Named", {"output": "2"}, r"there is no output 2: foreground: shape .*; alpha: shape "),
        (
            "wide",
            {},
            r"missing a required argument: 'outputs'; it takes \(outputs, \*, norm='batch'\): give --arch-args",
        ),
        ("wide", {"arch_args": {"outputs": 2, "width": 3}}, "unexpected keyword argument 'width'"),
        (
            "wide",
            {"arch_args": {"outputs": 2, "norm": "layer"}},
            r"cannot be built: AssertionError in their_package/nets\.py:\d+",
        ),
        (
            "Scaled",
            {"forward_args": {"width": 3}},
            "--set width: forward has no such argument; next to the picture it takes ratio, twice",
        ),
        ("Plain", {"forward_args": {"width": 3}}, "next to the picture it takes nothing"),
        ("Only320", {}, r"picture of 256x256: RuntimeError .*\(224x224, 512x512 fail too\)"),
        ("Third", {}, r"gave shape \(1, 2, 86, 86\), .* for a picture of 256x256, expected scores \(1, C, 256, 256\)"),
        ("Words", {}, "forward gave a str, expected a tensor"),
        ("Needs", {}, r"missing a required argument: 'width'; it takes \(width\)"),
        ("no_module", {}, r"gave a int, expected a torch\.nn\.Module"),
        ("absent", {}, "cannot be imported: AttributeError: .*absent"),
        ("raises", {}, r"cannot be built: KeyError in their_package/nets\.py:\d+: 'weights'"),
        ("downloads", {}, r"asks weights\.example for something .* no request leaves the machine here"),
    ],
)
def test_what_gives_no_mask_as_it_was_asked_for_is_refused(
    build: Build, name: str, asked: dict[str, Any], message: str
) -> None:
    """Of several outputs none is guessed; arguments are checked against the factory's and forward's signatures."""
    assert re.search(message, refusal(ArchitectureError, build, name, **asked))


@pytest.mark.parametrize("prefix", ["", "module.", "module._orig_mod."])
def test_a_class_with_a_part_called_net_takes_its_own_checkpoint(
    arch: Callable[[str], str], weights: dict[str, Tensor], tmp_path: Path, prefix: str
) -> None:
    """`net.` is a wrapper's prefix as well, and is stripped where no class is named."""
    torch.save({f"{prefix}net.{key}": value for key, value in weights.items()}, tmp_path / "net.pth")
    checkpoint = read_checkpoint(tmp_path / "net.pth")
    assert checkpoint.prefix == f"{prefix}net."
    network = find_network(checkpoint, Asked(arch=arch("Wrapped")))
    assert torch.equal(network.module(IMAGE), plain(weights))
    assert find_network(checkpoint, Asked(arch=arch("Plain"))).out_channels == 2


def test_arguments_go_to_the_factory_and_to_forward(build: Build, weights: dict[str, Tensor]) -> None:
    assert build("wide", arch_args={"outputs": 2, "norm": None}).out_channels == 2
    network = build("Scaled", forward_args={"ratio": 3, "twice": True})
    torch.testing.assert_close(network.module(IMAGE), plain(weights) * 6)


def test_fixed_size_is_found_and_others_refused(build: Build) -> None:
    network = build("Only224")
    assert network.default_size == (224, 224)
    message = r"fails for a picture of 256x256: ValueError in their_package/nets\.py:\d+: wants 224; give a --size"
    with pytest.raises(ArchitectureError, match=message):
        network.check_size(256, 256)


def test_a_size_that_is_given_is_the_first_that_is_tried(build: Build) -> None:
    network = build("Only320", size=(320, 320))
    assert network.default_size == (320, 320)
    network.check_size(320, 320)


def test_smaller_scores_are_brought_up_inside_and_it_is_said(build: Build, weights: dict[str, Tensor]) -> None:
    network = build("Quarter")
    assert any("1/4 of the picture's size" in line for line in network.notes)
    expected = F.interpolate(plain(weights)[:, :, ::4, ::4], size=(8, 16), mode="bilinear")
    torch.testing.assert_close(network.module(IMAGE), expected)


def test_channels_that_lie_last_or_are_missing_are_put_in_their_place(build: Build, weights: dict[str, Tensor]) -> None:
    for network, channels in ((build("ChannelsLast", layout="NHWC"), 2), (build("Flat"), 1)):
        assert network.out_channels == channels
        assert torch.equal(network.module(IMAGE), plain(weights)[:, :channels])


def test_after_a_factory_the_network_is_there_again(build: Build) -> None:
    before = (socket.getaddrinfo, socket.create_connection, socket.socket.connect)
    with pytest.raises(ArchitectureError):
        build("downloads")
    assert (socket.getaddrinfo, socket.create_connection, socket.socket.connect) == before


def test_module_that_is_not_there_is_refused(weights: dict[str, Tensor]) -> None:
    with pytest.raises(ArchitectureError, match=r"ModuleNotFoundError: .*nowhere_at_all"):
        user_network("nowhere_at_all:Net", weights)


@each_case("spec", ["unett", ":f", "package.module:", ""])
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
