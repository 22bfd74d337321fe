"""A module as training left it → a copy for the exporter; and the module afterwards, in which nothing has changed."""

from __future__ import annotations

import copy
import hashlib
import random
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tests.refusals import refusal
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

from segexport.errors import ArchitectureError
from segexport.networks.families.mobile_unet import MobileUNet
from segexport.networks.in_memory import Taken, take_module
from segexport.networks.libraries.hf import with_its_labels
from segexport.networks.network import Asked
from segexport.networks.user import network_of
from segexport.options import Options
from segexport.subject.prepare import prepare
from segexport.subject.subject import Subject

ASKED = Asked(size=(16, 16))
TRAINING = "It is in training mode; a copy in evaluation mode is exported."


class Small(nn.Module):
    """Three layers, one of them with a buffer; the last weight is shared."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
        self.middle = nn.Conv2d(4, 4, 1)
        self.again = nn.Conv2d(4, 4, 1)
        self.again.weight = self.middle.weight
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.again(self.middle(self.encoder(x))))
        return y


def from_memory(module: nn.Module, **said: Any) -> Subject:
    paths = {"checkpoint": Path("net"), "output": Path("out"), "precisions": ("float32",), "size": (32, 32)}
    return prepare(Options(**{**paths, **said}), module)


def test_a_known_family_in_memory_takes_its_pictures_as_a_checkpoint_of_it_does() -> None:
    subject = from_memory(MobileUNet())
    assert subject.source.preprocessing == "unit"
    assert any("those of mobile_unet, whose preprocessing is taken" in note for note in subject.notes)
    assert not any("assuming" in warning for warning in subject.warnings)
    assert from_memory(MobileUNet(), preprocess="symmetric").source.preprocessing == "symmetric"
    assert any("assuming" in warning for warning in from_memory(Small()).warnings)
    with pytest.raises(ValueError, match="--scale 1 says what --mean and --std are for"):
        from_memory(MobileUNet(), scale="1")


@pytest.fixture
def small() -> Small:
    """After one step of training: in training mode, with gradients."""
    torch.manual_seed(1)
    network = Small()
    for one in network.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.running_mean.normal_(0, 0.3)  # type: ignore[union-attr]
            one.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    network.head.bias.requires_grad_(False)
    network(torch.rand(2, 3, 16, 16)).square().mean().backward()
    return network


def state_of(given: object) -> dict[str, Any]:
    """Everything of a module, and of the process's random numbers, that an export might touch."""
    module: Any = given if isinstance(given, nn.Module) else vars(given)
    state: dict[str, Any] = {
        "torch": torch.get_rng_state().tolist(),
        "numpy": repr(np.random.get_state()),
        "python": random.getstate(),
    }
    modules = module.named_modules() if isinstance(module, nn.Module) else ()
    for path, one in modules:
        state[path] = (
            type(one),
            one.training,
            sorted(vars(one)),
            {key: dict(value) for key, value in vars(one).items() if "_hooks" in key and isinstance(value, dict)},
            {key: id(value) for key, value in vars(one).items() if isinstance(value, torch.device | torch.dtype)},
        )
        for name, tensor in [*one.named_parameters(recurse=False), *one.named_buffers(recurse=False)]:
            state[f"{path}:{name}"] = (
                id(tensor),
                tensor.dtype,
                tensor.device,
                tensor.stride(),
                tensor.requires_grad,
                None if tensor.is_meta else tensor.detach().float().flatten().tolist(),
                None if tensor.grad is None else (id(tensor.grad), tensor.grad.flatten().tolist()),
            )
    return state


def taken(given: object, asked: Asked = ASKED) -> Taken:
    """`take_module`, which has to leave everything as it was and to share nothing."""
    before = state_of(given)
    found = take_module(given, asked)
    assert state_of(given) == before
    theirs = {tensor.data_ptr() for tensor in given.state_dict().values()} if isinstance(given, nn.Module) else set()
    ours = found.module.state_dict()
    assert theirs.isdisjoint(tensor.data_ptr() for tensor in ours.values())
    assert not any(one.training for one in found.module.modules())
    for tensor in ours.values():
        assert tensor.device.type == "cpu"
        assert tensor.is_contiguous()
        assert tensor.dtype in (torch.float32, torch.int64)
    assert not any(parameter.requires_grad for parameter in found.module.parameters())
    return found


def in_evaluation(module: nn.Module, x: Tensor) -> Tensor:
    """What the module itself gives, put into evaluation mode and back again."""
    modes = {one: one.training for one in module.modules()}
    module.eval()
    with torch.no_grad():
        y: Tensor = module(x)
    for one, mode in modes.items():
        one.training = mode
    return y


@pytest.fixture
def x() -> Tensor:
    return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))


def test_a_module_in_training_is_copied_into_evaluation_mode(small: Small, x: Tensor) -> None:
    found = taken(small)
    assert (found.name, found.notes) == ("Small", (TRAINING,))
    assert torch.equal(found.module(x), in_evaluation(small, x))
    assert found.module.get_parameter("again.weight") is found.module.get_parameter("middle.weight")


def test_one_in_evaluation_mode_goes_without_a_word(small: Small) -> None:
    assert taken(small.eval()).notes == ()


def test_sha256_is_of_the_state_dict_as_the_contract_says(small: Small) -> None:
    digest = hashlib.sha256()
    for key, tensor in small.state_dict().items():
        shape, kind = tuple(tensor.shape), {torch.float32: "float32", torch.int64: "int64"}[tensor.dtype]
        digest.update(f"{key} {kind} {shape}\n".encode() + tensor.numpy().tobytes())
    assert taken(small).sha256 == digest.hexdigest()
    with torch.no_grad():
        small.head.bias += 1e-3
    assert taken(small).sha256 != digest.hexdigest()


class EMA:
    """timm's ModelEma, which is no module."""

    def __init__(self, module: nn.Module) -> None:
        self.ema = module


EMA.__name__ = "ModelEma"


class ModelEmaV2(nn.Module):
    """timm's: it has no forward."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


@pytest.fixture
def one_process(tmp_path: Path) -> Iterator[None]:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


WRAPPERS: dict[str, Callable[[nn.Module], object]] = {
    "compiled": lambda network: torch.compile(network, backend="eager"),
    "compiled in place": lambda network: (network.compile(backend="eager"), network)[1],
    "DataParallel": nn.DataParallel,
    "DDP": nn.parallel.DistributedDataParallel,
    "compiled DDP": lambda network: torch.compile(nn.parallel.DistributedDataParallel(network), backend="eager"),
}


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("wrap", WRAPPERS)
def test_what_is_wrapped_around_a_network_is_taken_off(small: Small, x: Tensor, wrap: str) -> None:
    expected = in_evaluation(small, x)
    found = taken(WRAPPERS[wrap](small))
    assert (found.name, found.notes) == ("Small", (TRAINING,))
    assert torch.equal(found.module(x), expected)


@pytest.mark.parametrize("wrap", [torch.optim.swa_utils.AveragedModel, ModelEmaV2, EMA])
def test_of_a_moving_average_the_averaged_weights_are_taken(
    small: Small, x: Tensor, wrap: Callable[[nn.Module], object]
) -> None:
    average = copy.deepcopy(small)
    with torch.no_grad():
        average.head.weight *= 0.5
    found = taken(wrap(average))
    assert found.notes[0].startswith("The moving average of the weights is exported, as ")
    assert torch.equal(found.module(x), in_evaluation(average, x))
    assert not torch.equal(found.module(x), in_evaluation(small, x))


def test_a_wrapper_inside_is_taken_off_too(small: Small, x: Tensor) -> None:
    expected = in_evaluation(small, x)
    small.encoder = torch.compile(small.encoder, backend="eager")  # type: ignore[assignment]
    small.middle.forward = torch.compile(small.middle.forward, backend="eager")  # type: ignore[method-assign]
    found = taken(small)
    assert [type(one).__name__ for one in found.module.children()] == ["Sequential", "Conv2d", "Conv2d", "Conv2d"]
    assert "forward" not in vars(found.module.get_submodule("middle"))
    assert torch.equal(found.module(x), expected)


def test_a_class_that_only_looks_like_a_wrapper_is_run_as_it_is(small: Small, x: Tensor) -> None:
    class Doubling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = small

        def forward(self, x: Tensor) -> Any:
            return 2 * self.module(x)

    assert torch.equal(taken(Doubling()).module(x), 2 * in_evaluation(small, x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_precisions_become_float32(small: Small, x: Tensor, dtype: torch.dtype) -> None:
    found = taken(small.to(dtype))
    assert found.notes[1] == f"Its weights are {str(dtype)[6:]}; the copy's are float32."
    assert torch.equal(found.module(x), in_evaluation(copy.deepcopy(small).float(), x))


def test_channels_last_weights_are_the_same_in_the_usual_order(small: Small, x: Tensor) -> None:
    expected = in_evaluation(copy.deepcopy(small), x)
    assert torch.equal(taken(small.to(memory_format=torch.channels_last)).module(x), expected)  # type: ignore[call-overload]


def test_attributes_that_name_the_device_and_precision_follow(small: Small, x: Tensor) -> None:
    class Placed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = small
            self.where = torch.device("cuda:0")
            self.kind = torch.bfloat16
            self.ramp = torch.linspace(0, 1, 16, dtype=torch.bfloat16)

        def forward(self, x: Tensor) -> Any:
            ones = torch.ones(16, device=self.where, dtype=self.kind)
            return self.network(x.to(self.kind)) + self.ramp * ones

    module = Placed().bfloat16()
    expected = in_evaluation(copy.deepcopy(small).float(), x) + module.ramp.float()
    assert torch.equal(taken(module).module(x), expected)
    assert (module.where, module.kind, module.ramp.dtype) == (torch.device("cuda:0"), torch.bfloat16, torch.bfloat16)


COMPUTED: dict[str, Callable[[nn.Module], object]] = {
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "older weight norm": weight_norm,
    "older spectral norm": spectral_norm,
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight", 0.5),  # type: ignore[no-untyped-call]
}


@pytest.mark.parametrize("kind", COMPUTED)
def test_computed_weights_are_folded_exactly(small: Small, x: Tensor, kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        COMPUTED[kind](small.head)
    small(x)  # in training: spectral norm iterates, and the older forms hold a weight that has a history
    with torch.no_grad():
        next(small.head.parameters()).mul_(1.5)  # as a step of the optimizer does, after which the held weight is stale
    found = taken(small)
    assert found.notes == (TRAINING, "Weight norm and the like are folded into 1 weight.")
    assert type(found.module.get_submodule("head")) is nn.Conv2d
    assert "weight" in dict(found.module.get_submodule("head").named_parameters())
    assert torch.equal(found.module(x), in_evaluation(small, x))
    small(x).sum().backward()  # it can still be trained


def test_a_parametrization_of_a_shared_weight_is_applied_once_to_each(small: Small, x: Tensor) -> None:
    class Halved(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return weight / 2

    for one in (small.middle, small.again):
        parametrize.register_parametrization(one, "weight", Halved())
    assert torch.equal(taken(small).module(x), in_evaluation(small, x))


def test_hooks_that_look_on_are_left_out_and_said(small: Small, x: Tensor) -> None:
    seen: list[torch.Size] = []
    small.encoder.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    small.middle.register_full_backward_hook(lambda module, gone, come: seen.append(torch.Size([9])))
    found = taken(small)
    assert found.notes == (TRAINING, "Forward hooks (encoder) change nothing of the output: they are left out.")
    assert seen == [torch.Size([1, 4, 16, 16])]
    assert torch.equal(found.module(x), found.module(x))
    assert len(seen) == 1
    assert not any(
        hooks for one in found.module.modules() for key, hooks in vars(one).items() if "ward" in key and "hooks" in key
    )


def test_hooks_that_change_the_output_are_a_part_of_the_network(small: Small, x: Tensor) -> None:
    plain = in_evaluation(small, x)
    small.head.register_forward_hook(lambda module, inputs, output: output + 3)
    small.register_forward_pre_hook(lambda module, args, kwargs: ((args[0] * 1,), kwargs), with_kwargs=True)
    found = taken(small)
    assert found.notes[1] == "Forward hooks (Small, head) change the output: they are a part of the exported network."
    assert torch.equal(found.module(x), plain + 3)


def test_a_hook_that_makes_the_size_fit_is_kept(small: Small, x: Tensor) -> None:
    class Only16(Small):
        def forward(self, x: Tensor) -> Tensor:
            if x.shape[2] != 16:
                raise ValueError("wants 16")
            return super().forward(x)

    network = Only16()
    network.register_forward_pre_hook(lambda module, inputs: (inputs[0][:, :, :16, :16],))
    assert "are a part of" in taken(network, Asked(size=(32, 32))).notes[1]


def test_a_hook_that_raises_is_refused_with_its_line(small: Small) -> None:
    def broken(module: nn.Module, inputs: Any, output: Any) -> None:
        raise KeyError("epoch")

    small.middle.register_forward_hook(broken)
    message = r"with its hooks \(middle\) the network fails and without .*KeyError in "
    with pytest.raises(ArchitectureError, match=message):
        taken(small)


def test_the_person_is_found_by_the_labels_of_a_network_of_transformers() -> None:
    class TinyForSemanticSegmentation(Small):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Conv2d(4, 3, 1)
            self.config = SimpleNamespace(id2label={0: "wall", 1: "tree", 2: "Person"})

    module = TinyForSemanticSegmentation().eval()
    plain = network_of("tiny", module, ASKED, reasons=())
    assert (plain.person_channel, plain.end) == (None, None)
    assert with_its_labels(plain, module) is plain
    TinyForSemanticSegmentation.__module__ = "transformers.models.tiny"
    found = with_its_labels(plain, module)
    assert (found.person_channel, found.end) == (2, "logits")
    assert found.notes == ("channel 2 is the person: id2label calls it 'Person'",)


class Locked(Small):
    def __init__(self) -> None:
        super().__init__()
        self.encoder.guard = threading.Lock()


class Lazy(Small):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.LazyConv2d(1, 1)  # type: ignore[assignment]


class FullyShardedDataParallel(Small):
    pass


def replaced() -> nn.Module:
    network = Small()
    network.middle.forward = lambda x: network.again(x)  # type: ignore[method-assign]
    return network


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a state dict": (lambda: Small().state_dict(), r"got a OrderedDict, expected a torch\.nn\.Module or the path"),
    "a class": (lambda: Small, r"got a type, expected a torch\.nn\.Module"),
    "the meta device": (lambda: Small().to("meta"), r"encoder\.0\.weight is on the meta device and has no values"),
    "no parameters": (lambda: nn.Sequential(nn.ReLU()), "Sequential has no parameters, expected a trained network"),
    "no shapes yet": (Lazy, r"head\.weight has no shape yet, .* run the network once"),
    "TorchScript": (lambda: torch.jit.script(nn.Conv2d(3, 1, 1)), "is TorchScript, expected a plain module"),
    "a lock": (Locked, r"encoder\.guard cannot be copied: TypeError.*keep such things outside of the module"),
    "forward replaced": (replaced, r"forward of middle was replaced by the function replaced\.<locals>\.<lambda>"),
    "shards": (FullyShardedDataParallel, "the weights are spread over several processes; gather"),
    "shards inside": (lambda: nn.Sequential(FullyShardedDataParallel()), "are spread over several processes"),
    "sparse": (lambda: sparse(), r"head\.weight is torch\.float32 \(torch\.sparse_coo\)"),
}


def sparse() -> nn.Module:
    network = Small()
    network.head.weight = nn.Parameter(network.head.weight.detach().to_sparse())
    return network


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning", "ignore:Lazy modules:UserWarning")
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_exported_is_refused_in_one_line(what: str) -> None:
    make, message = REFUSED[what]
    refusal(ArchitectureError, take_module, make(), ASKED, match=message)
