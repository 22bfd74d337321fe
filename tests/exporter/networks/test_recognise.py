"""Keys and shapes decide which network it is; what does not fit is refused with a line that helps."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from tests import messages
from tests.places import SHARED
from tests.refusals import refusal
from torch import Tensor

from segexport.errors import LONGEST_SHOWN, MOST_SHOWN, ArchitectureError
from segexport.networks import ARCHITECTURES
from segexport.networks.families.unet import UNet
from segexport.networks.fit import load, shapes_of
from segexport.networks.recognise import recognise

SEED = SHARED / "seed-checkpoints"
# the table in the seed checkpoints' README, in millions
# (segnet: what its list of keys adds up to; the table's 16.3 does not)
SEED_PARAMETERS = {
    "unet": 31.0,
    "deeplabv3_torchvision": 42.0,
    "deeplabv3_custom": 12.15,
    "segnet": 29.5,
    "segresnet": 53.6,
}


@pytest.fixture
def small() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return dict(UNet((4, 8)).state_dict())


def refused(state_dict: dict[str, Tensor], classes: dict[str, str] | None = None) -> str:
    said = refusal(ArchitectureError, recognise, state_dict, classes)
    assert messages.OWN_CLASS in said
    return said


@pytest.mark.parametrize("name", sorted(SEED_PARAMETERS))
def test_seed_checkpoints_are_recognised_with_their_parameters(name: str) -> None:
    path = SEED / f"{name}.keys.json"
    if not path.is_file():
        pytest.skip("the seed checkpoints' key lists are not next to this checkout")
    shapes = json.loads(path.read_text())
    network = recognise({key: torch.zeros(shape) for key, shape in shapes.items()})
    assert network.name == name
    assert network.parameters / 1e6 == pytest.approx(SEED_PARAMETERS[name], abs=0.05)
    assert (network.out_channels, network.person_channel) == (1, 0)
    network.check_size(*network.default_size)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_architecture_recognises_its_own_member(name: str) -> None:
    plan = ARCHITECTURES[name].plan({})
    assert all(tensor.is_meta for tensor in plan.module.state_dict().values())
    weights = {key: torch.zeros(shape) for key, shape in shapes_of(plan.module.state_dict()).items()}
    network = recognise(weights)
    assert network.name == ARCHITECTURES[name].name == name
    assert network.out_channels == plan.out_channels
    assert plan.input_key in weights


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_architecture_refuses_one_key_less_one_more_and_one_bent(name: str) -> None:
    plan = ARCHITECTURES[name].plan({})
    whole = {key: torch.empty(shape, device="meta") for key, shape in shapes_of(plan.module.state_dict()).items()}
    middle = (
        "ups.0.",
        "classifier.0.project.0",
        "classifier.0.weight",
        "classifier.cbr.0",
        "aspp_conv1",
        "decoder",
        "stage1_dec",
        "up1.conv.",
        "hr_branch.conv_hr2x",
        "encoder.level3.",
        "global_feature_extractor.ppm",
        "bga.left1",
        "stage3.",
        "blend.2.",
    )
    key = next(key for key in whole if key.startswith(middle))
    less = {k: tensor for k, tensor in whole.items() if k != key}
    bent = whole | {key: torch.empty(3, device="meta")}
    assert f"nearest to {name}" in (message := refused(less))
    assert f"missing {key}" in message
    assert "unexpected surprise.weight" in refused(whole | {"surprise.weight": torch.empty(3, device="meta")})
    assert f"{key} has shape (3,), expected {tuple(whole[key].shape)}" in refused(bent)


def test_result_is_float32_in_eval_mode_without_gradients(small: dict[str, Tensor]) -> None:
    network = recognise({key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in small.items()})
    assert not network.module.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in network.module.parameters())
    assert not any(tensor.is_meta for tensor in network.module.state_dict().values())


def test_state_dict_is_left_as_it_was(small: dict[str, Tensor]) -> None:
    copy = {key: tensor.clone() for key, tensor in small.items()}
    network = recognise(small)
    network.module(torch.zeros(1, 3, 16, 16))
    assert list(small) == list(copy)
    assert all(torch.equal(small[key], copy[key]) for key in copy)


def test_counters_of_training_steps_may_be_absent(small: dict[str, Tensor]) -> None:
    old = {key: tensor for key, tensor in small.items() if "num_batches_tracked" not in key}
    network = recognise(old)
    assert any("num_batches_tracked is absent" in note for note in network.notes)
    image = torch.ones(1, 3, 16, 16)
    assert torch.equal(network.module(image), recognise(small).module(image))


def test_unknown_network_is_told_with_its_first_keys_and_class() -> None:
    strange = {f"encoder.{index}.weight": torch.zeros(3, 3) for index in range(9)}
    message = refused(strange, {"": "__main__.MyNet"})
    assert f"{messages.NO_KNOWN_NETWORK} (known: unet, deeplabv3_torchvision, deeplabv3_custom" in message
    assert "begins with encoder.0.weight, encoder.1.weight, encoder.2.weight" in message
    assert "the file names its class __main__.MyNet" in message


def test_at_most_five_differences_are_shown_and_the_rest_counted(small: dict[str, Tensor]) -> None:
    message = refused(small | {f"more.{index}": torch.zeros(1) for index in range(8)})
    assert message.count("unexpected") == MOST_SHOWN
    assert "and 3 more" in message


def test_keys_that_would_break_the_line_are_quoted_and_cut(small: dict[str, Tensor]) -> None:
    message = refused(small | {"evil\n\x1b[31m" + "x" * 10_000: torch.zeros(1)})
    assert "evil\\n\\x1b[31m" in message
    assert len(message) < LONGEST_SHOWN + 500


def test_nothing_to_recognise_is_refused() -> None:
    with pytest.raises(ArchitectureError, match="holds no weights"):
        recognise({})


@pytest.mark.parametrize(
    "bad", [torch.zeros(4, dtype=torch.int8), torch.zeros(4).to_sparse(), torch.empty(4, device="meta")]
)
def test_weights_that_are_no_dense_floats_are_refused(small: dict[str, Tensor], bad: Tensor) -> None:
    with pytest.raises(ArchitectureError, match=r"downs\.0\.conv\.1\.bias is torch\..* a dense torch\.float32"):
        recognise(small | {"downs.0.conv.1.bias": bad})


def test_tensor_that_claims_more_than_it_holds_is_refused(small: dict[str, Tensor]) -> None:
    thin = torch.zeros(1).expand(4)
    with pytest.raises(ArchitectureError, match=r"holds 4 bytes, its shape .* needs 16"):
        recognise(small | {"downs.0.conv.1.bias": thin})


def test_load_takes_a_module_that_already_has_values(small: dict[str, Tensor]) -> None:
    module = UNet((4, 8))
    assert load(module, small) == ()
    assert all(torch.equal(tensor, small[key]) for key, tensor in module.state_dict().items() if "batches" not in key)


def test_keys_that_fit_two_networks_are_asked_about(small: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHITECTURES, "unet_twin", replace(ARCHITECTURES["unet"], name="unet_twin"))
    with pytest.raises(ArchitectureError, match="fit unet and unet_twin alike; say which it is: --arch unet"):
        recognise(small)
