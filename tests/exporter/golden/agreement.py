"""How the tests hold a network against a golden file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.exporter.golden.lively_weights import fingerprint, lively_state_dict, picture, positions
from tests.places import SHARED
from torch import Tensor, nn

from segexport.networks import Network
from segexport.networks.recognise import recognise

GOLDEN = Path(__file__).parent
# float32 sums of up to 18,432 products in another order, through up to 152 layers: 2e-6 of the output's spread was
# seen; a rate that is off by one moves it by 1e-2 and more (tested with the pyramids)
TOLERANCE = 1e-4


def read(path: str) -> dict[str, Any]:
    """`smp_unet/resnet18_1` → what the file says, and its name under `name`."""
    about: dict[str, Any] = json.loads((GOLDEN / f"{path}.json").read_text())
    return about | {"name": path.rpartition("/")[2]}


def cases(folder: str) -> list[str]:
    """The path of each golden file of a folder, as `read` takes it."""
    return [f"{folder}/{path.stem}" for path in sorted((GOLDEN / folder).glob("*.json"))]


def shapes_of_module(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}


def lively_tensors(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return {key: torch.from_numpy(array) for key, array in lively_state_dict(shapes).items()}


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    return lively_tensors(shapes_of_module(module))


def seed_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """The keys and shapes of a seed checkpoint; skips where they are not next to this checkout."""
    path = SHARED / "seed-checkpoints" / f"{name}.keys.json"
    if not path.is_file():
        pytest.skip("the seed checkpoints' key lists are not next to this checkout")
    return {key: tuple(shape) for key, shape in json.loads(path.read_text()).items()}


def assert_same_as(
    reference: Callable[[dict[str, Tensor], Tensor], Tensor], module: nn.Module, size: tuple[int, int], rtol: float = 0
) -> Network:
    """The network that `module`'s lively weights are recognised as gives the logits of `reference(weights, image)`."""
    weights, image = weights_of(module), torch.from_numpy(picture(*size))
    network = recognise(weights)
    with torch.no_grad():
        out, expected = network.module(image), reference(weights, image)
    assert out.shape == (1, network.out_channels, *size)
    torch.testing.assert_close(out, expected, rtol=rtol, atol=rtol * float(expected.std()))
    return network


def zeros(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return {key: torch.zeros(shape) for key, shape in shapes.items()}


def run(module: nn.Module, golden: Mapping[str, Any]) -> Tensor:
    """The module's output for the golden file's picture."""
    with torch.no_grad():
        out: Tensor = module(torch.from_numpy(picture(*golden["input_size"])))
    return out


def spread_of_difference(out: Tensor, golden: Mapping[str, Any]) -> float:
    """The largest difference from the golden samples, in standard deviations of the golden output."""
    samples = out.flatten()[torch.from_numpy(positions(golden["name"], out.numel()))].numpy()
    return float(np.abs(samples - np.asarray(golden["samples"])).max() / golden["std"])


def recognise_like(golden: Mapping[str, Any], module: nn.Module) -> Network:
    """What `module`'s keys are recognised as, with the lively weights; its keys must be the golden file's."""
    shapes = shapes_of_module(module)
    assert (len(shapes), fingerprint(shapes)) == (golden["keys"], golden["fingerprint"])
    return recognise(lively_tensors(shapes))


def assert_agrees(network: Network, golden: Mapping[str, Any]) -> None:
    """Parameters, channels and numbers are those of the library that made the golden file."""
    assert network.parameters == golden["parameters"]
    assert network.out_channels == golden["output_shape"][1]
    network.check_size(*golden["input_size"])
    out = run(network.module, golden)
    assert list(out.shape) == golden["output_shape"]
    assert spread_of_difference(out, golden) <= TOLERANCE
    assert out.double().mean().item() == pytest.approx(golden["mean"], abs=TOLERANCE * golden["std"])
    assert out.double().std().item() == pytest.approx(golden["std"], rel=TOLERANCE)
