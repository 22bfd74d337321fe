"""Training dicts, wrappers' prefixes and whole modules, as people save them."""

from __future__ import annotations

import argparse
import enum
import functools
import sys
import types
import warnings
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests import messages
from torch import Tensor, nn

from segexport.checkpoint import read_checkpoint
from segexport.errors import CheckpointError


def weights(value: float = 1.0) -> dict[str, Tensor]:
    return OrderedDict({"conv.weight": torch.full((2, 3, 1, 1), value), "conv.bias": torch.full((2,), value)})


def save(value: object, path: Path) -> Path:
    torch.save(value, path)
    return path


def prefixed(values: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in values.items()}


def assert_same(got: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert list(got) == list(expected)
    assert all(torch.equal(got[key], expected[key]) for key in expected)


NAMES = (
    *("state_dict", "model_state_dict", "model", "ema", "model_ema", "ema_state_dict", "net", "network", "params"),
    *("params_ema", "weights", "generator", "my_own_name"),
)


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_found_under_every_usual_name(tmp_path: Path, name: str) -> None:
    optimizer = torch.optim.Adam([nn.Parameter(torch.ones(2))])
    checkpoint = read_checkpoint(
        save({"epoch": 3, name: weights(), "optimizer": optimizer.state_dict()}, tmp_path / "net.pth")
    )
    assert_same(checkpoint.state_dict, weights())
    assert (checkpoint.kind, checkpoint.entry) == ("training dict", name)
    assert "The training dict also holds epoch, optimizer; nothing of that is used." in checkpoint.notes


@pytest.mark.parametrize(
    ("build", "entry"),
    [
        (lambda w: {"model": {"state_dict": w}}, "model.state_dict"),
        (lambda w: {"ema": {"state_dict": w}, "epoch": torch.tensor(1)}, "ema.state_dict"),
        (lambda w: [w, {"param_groups": [], "state": {}}], "0"),
        (lambda w: {"run": {"best": {"weights": w}}}, "run.best.weights"),
        (lambda w: {"loss": torch.tensor(0.1), "state_dict": w}, "state_dict"),
    ],
)
def test_nested_weights_are_found(tmp_path: Path, build: Callable[[object], object], entry: str) -> None:
    checkpoint = read_checkpoint(save(build(weights()), tmp_path / "net.pth"))
    assert_same(checkpoint.state_dict, weights())
    assert checkpoint.entry == entry


def test_plain_weights_are_preferred_to_averaged_ones(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(save({"ema": weights(2.0), "my_net": weights(1.0)}, tmp_path / "net.pth"))
    assert_same(checkpoint.state_dict, weights(1.0))
    assert checkpoint.notes[0] == "Several sets of weights: 'my_net' was taken; not 'ema'."


def test_averaged_weights_alone_are_taken_and_noted(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(save({"model_ema": weights(), "model": None}, tmp_path / "net.pth"))
    assert checkpoint.entry == "model_ema"
    assert "averaged" in checkpoint.notes[0]


def test_the_generator_is_taken_before_the_discriminator(tmp_path: Path) -> None:
    values = {"discriminator": weights(2.0), "generator": weights(1.0)}
    assert read_checkpoint(save(values, tmp_path / "net.pth")).entry == "generator"


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "model.", "net.", "module._orig_mod.", "_orig_mod.module.model."]
)
def test_prefixes_of_wrappers_are_stripped(tmp_path: Path, prefix: str) -> None:
    checkpoint = read_checkpoint(save(prefixed(weights(), prefix), tmp_path / "net.pth"))
    assert_same(checkpoint.state_dict, weights())
    assert checkpoint.prefix == prefix


def test_a_prefix_that_some_keys_lack_is_kept(tmp_path: Path) -> None:
    values = {"model.conv.weight": torch.ones(1), "head.weight": torch.ones(1)}
    checkpoint = read_checkpoint(save(values, tmp_path / "net.pth"))
    assert checkpoint.prefix == ""
    assert_same(checkpoint.state_dict, values)


def test_lightning_checkpoints_lose_their_prefix_and_their_losses(tmp_path: Path) -> None:
    values = {**prefixed(weights(), "model."), "criterion.weight": torch.ones(2), "train_iou.total": torch.zeros(1)}
    lightning = {
        "epoch": 1,
        "pytorch-lightning_version": "2.1.0",
        "state_dict": values,
        "callbacks": {"ModelCheckpoint{'monitor': 'val'}": {"best": torch.tensor(0.5), "dirpath": Path("runs")}},
        "optimizer_states": [torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1).state_dict()],
        "hyper_parameters": argparse.Namespace(lr=0.1),
    }
    checkpoint = read_checkpoint(save(lightning, tmp_path / "net.ckpt"))
    assert_same(checkpoint.state_dict, weights())
    assert (checkpoint.entry, checkpoint.prefix) == ("state_dict", "model.")
    assert f"2 {messages.KEYS_LEFT_OUT} criterion.weight, train_iou.total." in checkpoint.notes


def test_the_pictures_mean_and_std_beside_a_network_do_not_keep_its_prefix(tmp_path: Path) -> None:
    values = {"mean": torch.zeros(1, 3, 1, 1), "std": torch.ones(1, 3, 1, 1), **prefixed(weights(), "model.")}
    checkpoint = read_checkpoint(save({"state_dict": values}, tmp_path / "net.ckpt"))
    assert_same(checkpoint.state_dict, weights())
    assert f"2 {messages.KEYS_LEFT_OUT} mean, std." in checkpoint.notes


class Mode(enum.Enum):
    FAST = "fast"


def test_what_else_a_training_dict_holds_does_not_disturb(tmp_path: Path) -> None:
    everything = {
        "args": argparse.Namespace(path=Path("a/b"), mode=Mode.FAST, device=torch.device("cuda", 0)),
        "best": np.float64(0.5),
        "history": np.arange(3.0),
        "shape": torch.Size([1, 2]),
        "dtype": torch.float16,
        "counts": Counter("aab"),
        "groups": defaultdict(list, a=[1]),
        "names": {"person"},
        "frozen": frozenset({1}),
        "bytes": b"\x00\x01",
        "rng": (torch.get_rng_state(), np.random.RandomState(1).get_state()),
        "complex": 1 + 2j,
        "function": nn.functional.relu,
        (1, 2): "a tuple as a key",
        "state_dict": weights(),
    }
    assert_same(read_checkpoint(save(everything, tmp_path / "net.pth")).state_dict, weights())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"epoch": 1}, r"holds no tensors \(entries: epoch\)"),
        ({}, r"holds no tensors \(entries: none\)"),
        (3, "holds no tensors"),
        (torch.ones(2), "holds a single tensor"),
        ({"w": np.ones(2)}, "holds NumPy arrays"),
        (torch.optim.Adam([nn.Parameter(torch.ones(2))]).state_dict(), "only the state of an optimizer"),
        ({"optimizer": torch.optim.Adam([nn.Parameter(torch.ones(2))]).state_dict()}, "only the state of an optimizer"),
        (nn.ReLU(), "a module without parameters"),
    ],
)
def test_a_file_without_weights_says_what_it_holds(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(save(value, tmp_path / "net.pth"))


class Block(nn.Module):
    """Everything that decides the order of a state dict, in one module."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(4, eps=1e-3)
        self.conv = nn.Conv2d(3, 4, 3, stride=2, dilation=(2, 2), bias=False)
        self.scale = nn.Parameter(torch.rand(1))
        self.register_parameter("none", None)
        self.register_buffer("mean", torch.rand(3, 1, 1))
        self.register_buffer("transient", torch.rand(1), persistent=False)
        self.nothing = None
        self.layers = nn.ModuleList([nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(inplace=True)), nn.Identity()])
        self.again = self.conv
        self.activation = nn.functional.relu
        self.rates = [6, 12]
        self.mode = "fast"
        self._norm_layer = nn.BatchNorm2d


def save_as_foreign(module: nn.Module, path: Path, *, home: str, legacy: bool = False) -> Path:
    """Save a module whose class seems to live in `home`, a package that is gone afterwards."""
    kind = type("Foreign", (type(module),), {"__module__": home, "__qualname__": "Foreign"})
    parts = home.split(".")
    homes = [".".join(parts[: i + 1]) for i in range(len(parts))]
    added = {name: types.ModuleType(name) for name in homes if name not in sys.modules}
    sys.modules.update(added)
    vars(sys.modules[home])["Foreign"] = kind
    module.__class__ = kind
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch cannot find the source of such a class, and says so
            torch.save(module, path, _use_new_zipfile_serialization=not legacy)
    finally:
        del vars(sys.modules[home])["Foreign"]
        for name in added:
            del sys.modules[name]
    return path


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("home", ["torchvision.models.segmentation.deeplabv3", "__main__", "gone.nets"])
def test_a_module_whose_class_is_gone_gives_its_state_dict(tmp_path: Path, home: str, legacy: bool) -> None:
    module = Block().eval()
    expected = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    checkpoint = read_checkpoint(save_as_foreign(module, tmp_path / "net.pth", home=home, legacy=legacy))
    assert_same(checkpoint.state_dict, expected)
    assert (checkpoint.kind, checkpoint.entry) == ("module", None)
    assert checkpoint.classes[""] == f"{home}.Foreign"
    assert checkpoint.classes["layers.0.0"] == "torch.nn.modules.conv.Conv2d"
    assert "torchvision" not in sys.modules
    assert "gone" not in sys.modules


def test_plain_attributes_of_modules_are_kept(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(save_as_foreign(Block().eval(), tmp_path / "net.pth", home="gone.nets"))
    assert checkpoint.settings[""] == {
        "training": False,
        "activation": "torch.nn.functional.relu",
        "rates": (6, 12),
        "mode": "fast",
    }
    assert checkpoint.settings["bn"]["eps"] == 1e-3
    assert checkpoint.settings["conv"] == checkpoint.settings["again"]
    assert checkpoint.settings["conv"]["stride"] == (2, 2)
    assert checkpoint.settings["conv"]["dilation"] == (2, 2)
    assert checkpoint.settings["layers.0.1"]["inplace"] is True


def test_a_wrapped_module_loses_its_wrapper(tmp_path: Path) -> None:
    module = Block()
    expected = module.state_dict()
    wrapped = nn.DataParallel(module)
    checkpoint = read_checkpoint(save(wrapped, tmp_path / "net.pth"))
    assert_same(checkpoint.state_dict, expected)
    assert checkpoint.prefix == "module."
    assert checkpoint.classes[""].endswith(".Block")
    assert checkpoint.settings["bn"]["eps"] == 1e-3
    assert messages.IN_TRAINING_MODE in checkpoint.notes


def test_a_module_in_a_training_dict_is_read(tmp_path: Path) -> None:
    module = Block().half()
    checkpoint = read_checkpoint(save({"epoch": 2, "model": module}, tmp_path / "net.pth"))
    assert (checkpoint.kind, checkpoint.entry) == ("training dict", "model")
    assert_same(
        checkpoint.state_dict,
        {key: value.float() if value.is_floating_point() else value for key, value in module.state_dict().items()},
    )
    assert checkpoint.dtypes["float16"] == 10
    assert checkpoint.classes["conv"] == "torch.nn.modules.conv.Conv2d"


def test_hooks_are_named_because_they_are_not_run(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(2, 2))
    module[0].register_forward_hook(nn.functional.relu)
    assert (
        "1 modules have hooks, which are not run: 0."
        in read_checkpoint(save(module.eval(), tmp_path / "net.pth")).notes
    )


class Outer(nn.Module):
    """A class in a class in a class, methods, and functions with arguments, kept as attributes."""

    class Inner(nn.Module):
        class Deep(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv = nn.Conv2d(3, 2, 1)

        def __init__(self) -> None:
            super().__init__()
            self.deep = self.Deep()

        def gain(self, x: Tensor) -> Tensor:
            return 2 * x

    def __init__(self) -> None:
        super().__init__()
        self.inner = self.Inner()
        self.activation = torch.relu
        self.gain = self.inner.gain
        self.resize = functools.partial(nn.functional.interpolate, scale_factor=2)
        self.twice = functools.partial(self.inner.gain)
        self.block = self.Inner.Deep


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_classes_in_classes_methods_and_partials_in_a_module_are_inert(
    tmp_path: Path, protocol: int, legacy: bool
) -> None:
    module = Outer().eval()
    path = tmp_path / "net.pth"
    torch.save(module, path, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
    checkpoint = read_checkpoint(path)
    assert_same(checkpoint.state_dict, module.state_dict())
    assert checkpoint.classes == {
        "": f"{__name__}.Outer",
        "inner": f"{__name__}.Outer.Inner",
        "inner.deep": f"{__name__}.Outer.Inner.Deep",
        "inner.deep.conv": "torch.nn.modules.conv.Conv2d",
    }
    assert checkpoint.settings[""] == {
        "training": False,
        "activation": "torch._C._VariableFunctionsClass.relu",
        "block": f"{__name__}.Outer.Inner.Deep",
    }
