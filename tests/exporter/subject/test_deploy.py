"""The deployable graph against formulas written out in numpy: every preset, both colour orders, every head."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tests.exporter.formulas import FORMULAS
from torch import Tensor, nn

from segexport.networks import Network
from segexport.networks.families.unet import UNet
from segexport.pictures.files import draw_pictures
from segexport.presets import COLORS, PREPROCESSING, Preprocessing
from segexport.subject.deploy import Deployable, PersonProbability, Stretch, choose_head

Array = npt.NDArray[np.float64]


def deployed(network: nn.Module, preprocessing: Preprocessing, color: str, head: PersonProbability) -> Deployable:
    return Deployable(network, preprocessing, color, head).eval()


def photo(height: int = 21, width: int = 34) -> npt.NDArray[np.uint8]:
    """`(H, W, 3) uint8, RGB`, not square."""
    return np.ascontiguousarray(draw_pictures(1, size=64, seed=9)[0][:height, :width, ::-1])


def tensor(rgb: npt.NDArray[Any]) -> Tensor:
    """`(1, 3, H, W) float32, 0..1`, as the runtime makes it."""
    return torch.from_numpy(rgb.transpose(2, 0, 1)[None] / np.float32(255)).float()


def network_of(channels: int, person: int | None) -> Network:
    return Network(
        name="test",
        module=nn.Identity(),
        out_channels=channels,
        parameters=0,
        variant="",
        default_size=(8, 8),
        size_rule="any",
        person_channel=person,
        reasons=(),
        notes=(),
        size_check=lambda height, width: None,
    )


def test_every_preset_has_a_formula_here() -> None:
    assert PREPROCESSING.keys() == FORMULAS.keys()


@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("name", FORMULAS)
def test_the_network_sees_what_training_saw(name: str, color: str) -> None:
    graph = deployed(nn.Identity(), PREPROCESSING[name], color, PersonProbability("none", 3, 0))
    rgb = photo()
    trained_on = rgb if color == "rgb" else rgb[:, :, ::-1]
    expected = FORMULAS[name](trained_on.astype(np.float64))
    got = graph.logits(tensor(rgb))[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(got, expected, atol=2e-5 * np.abs(expected).max())


def test_bgr_takes_own_mean_and_std_in_the_order_of_the_network() -> None:
    own = Preprocessing(name="custom", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    graph = deployed(nn.Identity(), own, "bgr", PersonProbability("none", 3, 0))
    rgb = photo()
    expected = (rgb[:, :, ::-1] / 255 - np.array([0.1, 0.2, 0.3])) / np.array([0.4, 0.5, 0.6])
    np.testing.assert_allclose(graph.logits(tensor(rgb))[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("value", [0, 1, 128, 255])
@pytest.mark.parametrize("name", FORMULAS)
def test_a_picture_of_one_colour_gives_numbers(name: str, value: int) -> None:
    graph = deployed(nn.Identity(), PREPROCESSING[name], "rgb", PersonProbability("none", 3, 0))
    assert graph(tensor(np.full((5, 7, 3), value, np.uint8))).isfinite().all()


def test_stretch_of_a_constant_is_zero_and_of_each_picture_its_own() -> None:
    stretched = Stretch()(torch.stack([torch.full((3, 4, 5), 0.3), torch.linspace(-2, 6, 60).reshape(3, 4, 5)]))
    assert (stretched[0] == 0).all()
    assert (stretched[1].min(), stretched[1].max()) == (0, 1)


def test_the_input_is_left_as_it_was() -> None:
    image = tensor(photo())
    before = image.clone()
    deployed(UNet([4, 8]), PREPROCESSING["imagenet-minmax"], "bgr", PersonProbability("sigmoid", 1, 0))(image)
    assert torch.equal(image, before)


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(("channels", "person"), [(2, 0), (2, 1), (3, 1), (21, 15), (21, 0), (21, 20)])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_softmax_head_is_the_softmax_of_the_persons_channel(channels: int, person: int, scale: float) -> None:
    logits = np.random.default_rng(1).normal(size=(1, channels, 5, 7)) * scale
    head = PersonProbability("softmax", channels, person)
    given = torch.from_numpy(logits)
    np.testing.assert_allclose(head(given)[:, 0].numpy(), softmax(logits)[:, person], atol=1e-12)
    assert head(given).shape == (1, 1, 5, 7)
    np.testing.assert_allclose(head.margin(given).sigmoid().numpy(), head(given).numpy(), atol=1e-12)


@pytest.mark.parametrize(("channels", "person"), [(1, 0), (4, 2)])
def test_sigmoid_and_none_heads_take_the_persons_channel(channels: int, person: int) -> None:
    logits = np.random.default_rng(2).normal(size=(1, channels, 3, 4)) * 20
    given = torch.from_numpy(logits)
    sigmoid, bare = PersonProbability("sigmoid", channels, person), PersonProbability("none", channels, person)
    np.testing.assert_allclose(sigmoid(given)[:, 0].numpy(), 1 / (1 + np.exp(-logits[:, person])), atol=1e-12)
    np.testing.assert_array_equal(bare(given)[:, 0].numpy(), logits[:, person])


def test_whole_graph_is_preprocessing_network_head() -> None:
    torch.manual_seed(0)
    network = UNet([4, 8], out_channels=2).eval()
    graph = deployed(network, PREPROCESSING["symmetric"], "bgr", PersonProbability("softmax", 2, 1))
    rgb = photo(32, 48)
    seen = torch.from_numpy((rgb[:, :, ::-1] / 127.5 - 1).transpose(2, 0, 1)[None].astype(np.float32))
    with torch.inference_mode():
        expected = torch.softmax(network(seen), 1)[:, 1:2]
        torch.testing.assert_close(graph(tensor(rgb)), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("channels", "known", "head", "person", "chosen"),
    [
        (1, 0, "auto", None, ("sigmoid", 0)),
        (2, 1, "auto", None, ("softmax", 1)),
        (21, 15, "auto", None, ("softmax", 15)),
        (21, 15, "sigmoid", 3, ("sigmoid", 3)),
        (2, 1, "auto", 0, ("softmax", 0)),
        (5, None, "auto", 4, ("softmax", 4)),
        (1, 0, "none", None, ("none", 0)),
    ],
)
def test_head_and_person_are_chosen_by_the_channels(
    channels: int, known: int | None, head: str, person: int | None, chosen: tuple[str, int]
) -> None:
    found = choose_head(head, network_of(channels, known), person)
    assert (found.head, found.person) == chosen
    assert found.channels == channels


@pytest.mark.parametrize(
    ("channels", "known", "head", "person", "message"),
    [
        (1, 0, "softmax", None, r"^--head softmax: the network has one output channel.*use --head sigmoid$"),
        (5, None, "auto", None, r"^the network has 5 output channels; say which is the person: --person INDEX$"),
        (1, 0, "auto", 5, r"^--person 5: the network's channels are 0 to 0$"),
        (21, 15, "auto", -1, r"^--person -1: the network's channels are 0 to 20$"),
        (21, 15, "auto", 21, r"^--person 21: the network's channels are 0 to 20$"),
    ],
)
def test_head_that_does_not_fit_is_refused(
    channels: int, known: int | None, head: str, person: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        choose_head(head, network_of(channels, known), person)
