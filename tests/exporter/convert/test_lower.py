"""Lowering: any network, however its unpool is written, becomes one with the same numbers; or is refused clearly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tests.exporter.golden.lively_weights import lively_state_dict, picture
from tests.refusals import refusal
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.convert.torch_rewrites.lower import REWRITES, lower
from segexport.convert.trace.onnx_export import write_onnx
from segexport.errors import ConversionError
from segexport.networks.families.deeplabv3_custom import DeepLabV3Custom
from segexport.networks.families.segnet import SegNet, SegNetWidths
from segexport.networks.families.segresnet import SegResNet, SegResNetWidths
from segexport.networks.families.unet import UNet
from segexport.presets import PREPROCESSING
from segexport.subject.deploy import Deployable, PersonProbability

SMALL_SEGNET = SegNetWidths(
    encoder=((4, 4), (6, 6), (8, 8), (8, 8), (8, 8)), decoder=((8, 8), (8, 8), (8, 6), (6, 4), (4, 4))
)
SMALL_SEGRESNET = SegResNetWidths(stem=6, layers=(2, 3, 4, 5), last=7, encoder=(1, 2, 1, 2), decoder=(2, 1, 1, 2))


class OfModules(nn.Module):
    """Everything at once: modules, in place, dropout, batch norm, a buffer, an average that does not divide."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5)
        )
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)
        self.global_average = nn.AdaptiveAvgPool2d(3)
        self.register_buffer("gain", torch.tensor([0.5, 1.0, 1.5, 2.0]).view(1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        pooled, indices = self.pool(x)
        pooled = pooled.mul_(self.gain).sub_(0.1)
        size = x.size()
        x.add_(100)  # after the pool: the choice was made before
        out = self.unpool(pooled, indices, output_size=size)
        out = out + F.interpolate(self.global_average(out), size=out.shape[2:]) + F.max_pool2d(out, 3, 1, 1)
        rows = out.tanh()
        rows = F.scaled_dot_product_attention(rows, rows, rows, is_causal=True)
        return out - F.adaptive_max_pool2d(out, 1) + rows


class OfFunctions(nn.Module):
    """The same pool's indices used twice, and a second pair inside."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.conv(x))
        x = F.interpolate(F.avg_pool2d(x, 2, ceil_mode=True), scale_factor=2, mode="nearest-exact")
        a, first = F.max_pool2d(x, 2, 2, return_indices=True)
        b, second = F.max_pool2d(a, 3, 2, 1, return_indices=True)
        a = F.max_unpool2d(b * b, second.clone(), 2, 2, output_size=a.shape[2:])
        return F.max_unpool2d(a, first, 2) - F.max_unpool2d(a.exp(), first, 2)


class Changed(OfFunctions):
    """Its indices are not the pool's own any more."""

    def forward(self, x: Tensor) -> Tensor:
        pooled, indices = F.max_pool2d(x, 2, return_indices=True)
        indices.clamp_(max=5)
        return F.max_unpool2d(pooled, indices, 2)


class Inner(nn.Module):
    def __init__(self, kernel: int, stride: int, **sizes: Any) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(kernel, stride, return_indices=True)
        self.unpool = nn.MaxUnpool2d(kernel, stride)
        self.sizes = sizes

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.unpool(*self.pool(x), **self.sizes)
        return out


def lively(module: nn.Module) -> nn.Module:
    shapes = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items() if key != "gain"}
    state = {key: torch.from_numpy(array) for key, array in lively_state_dict(shapes).items()}
    module.load_state_dict(state, strict=False)
    return module.eval().requires_grad_(False)


def counted(module: nn.Module, size: tuple[int, int]) -> Counter[tuple[str, str]]:
    lowered = lower(module, torch.zeros(1, 3, *size))
    return Counter({(done.rewrite, done.module): done.count for done in lowered.rewrites})


@pytest.mark.parametrize(
    ("make", "size", "rounding"),
    [
        (OfModules, (13, 18), 1e-5),
        (OfFunctions, (12, 20), 0),
        (lambda: SegNet(SMALL_SEGNET), (64, 96), 0),
        (lambda: SegResNet(SMALL_SEGRESNET), (64, 96), 0),
        (DeepLabV3Custom, (224, 224), 0),
    ],
    ids=["modules", "functions", "segnet", "segresnet", "deeplabv3_custom"],
)
def test_the_lowered_network_gives_the_same_numbers(
    make: Callable[[], nn.Module], size: tuple[int, int], rounding: float
) -> None:
    module = lively(make())
    image = torch.from_numpy(picture(*size))
    with torch.no_grad():
        expected = module(image)
        lowered = lower(module, torch.zeros_like(image))
        assert float((lowered.module(image) - expected).abs().max()) <= rounding
    assert lowered.rewrites


def test_what_was_rewritten_is_told_with_the_modules_path() -> None:
    assert counted(lively(OfModules()), (13, 18)) == {
        ("max_unpool", "unpool"): 1,
        ("padded_max_pool", ""): 1,
        ("adaptive_avg_pool", "global_average"): 1,
        ("adaptive_max_pool", ""): 1,
        ("masked_attention", ""): 1,
    }
    assert counted(lively(OfFunctions()), (12, 20)) == {
        ("max_unpool", ""): 2,
        ("overlapping_unpool", ""): 1,
        ("padded_max_pool", ""): 1,
        ("ceil_avg_pool", ""): 1,
        ("resizing", ""): 1,
    }
    assert counted(lively(SegNet(SMALL_SEGNET)), (32, 32)) == {("max_unpool", "unpool"): 5}
    assert counted(lively(SegResNet(SMALL_SEGRESNET)), (32, 32)) == {
        ("overlapping_unpool", ""): 1,
        ("padded_max_pool", "first_conv.3"): 1,
    }
    (done, *_) = lower(lively(SegNet(SMALL_SEGNET)), torch.zeros(1, 3, 32, 32)).rewrites
    assert done.kind == "MaxUnpool2d"


def test_every_rewrite_of_the_registry_is_used_in_these_tests() -> None:
    used = {
        name for make, size in ((OfModules, (13, 18)), (OfFunctions, (12, 20))) for name, _ in counted(make(), size)
    }
    assert used == set(REWRITES)


def test_where_nothing_has_to_be_rewritten_the_module_is_returned_as_it_is() -> None:
    module = lively(UNet((4, 8)))
    lowered = lower(module, torch.zeros(1, 3, 16, 16))
    assert lowered.module is module
    assert lowered.rewrites == ()


def test_the_original_is_left_as_it_was_and_weights_are_shared() -> None:
    module = lively(SegNet(SMALL_SEGNET))
    names = [name for name, _ in module.named_modules()]
    lowered = lower(module, torch.zeros(1, 3, 32, 32))
    assert [name for name, _ in module.named_modules()] == names
    pointers = {tensor.data_ptr() for tensor in module.parameters()}
    assert {tensor.data_ptr() for tensor in lowered.module.parameters()} == pointers


@pytest.mark.parametrize("size", [(12, 20), (13, 18)])
def test_onnx_of_a_lowered_network_agrees_and_scatters_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    network = lively(OfModules())
    graph = Deployable(network, PREPROCESSING["unit"], "rgb", PersonProbability("sigmoid", 4, 1)).eval()
    lowered = write_onnx(graph, *size, tmp_path / "a.onnx")
    assert {done.module for done in lowered.rewrites} == {"network", "network.unpool", "network.global_average"}
    operators = {node.op_type for node in onnx.load(tmp_path / "a.onnx").graph.node}
    assert not operators & {"ScatterND", "ScatterElements", "GatherND", "Reshape", "ConstantOfShape"}
    image = picture(*size)
    session = onnxruntime.InferenceSession(str(tmp_path / "a.onnx"), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = graph(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(session.run(None, {"image": image})[0], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("module", "size", "message"),
    [
        (
            Changed(),
            (8, 8),
            r"^max_unpool2d in the network \(Changed\): its indices do not come straight from a max-pool;",
        ),
        (
            Inner(2, 2),
            (9, 8),
            r"^max_unpool2d in unpool \(MaxUnpool2d\): it goes to 8x8, but 9x8 was pooled; .*output_size",
        ),
        (Inner(2, 2, output_size=(9, 9)), (8, 8), r"in unpool .*: it goes to 9x9, but 8x8 was pooled"),
        (
            Inner(3, 2),
            (9, 9),
            r"in unpool .*: its pool has kernel 3x3, stride 2x2, padding 0x0; expected .*3x3 by 2 with",
        ),
        (Inner(4, 4), (8, 8), r"its pool has kernel 4x4, stride 4x4, padding 0x0"),
        (nn.Sequential(Inner(2, 1)), (8, 8), r"in 0\.unpool .*: its pool has kernel 2x2, stride 1x1, padding 0x0"),
    ],
)
def test_an_unpool_that_no_rewrite_fits_is_refused_with_its_module(
    module: nn.Module, size: tuple[int, int], message: str
) -> None:
    refusal(ConversionError, lower, module.eval(), torch.zeros(1, 3, *size), match=message)


def test_a_refusal_reaches_who_writes_onnx_unchanged(tmp_path: Path) -> None:
    graph = Deployable(Inner(4, 4), PREPROCESSING["unit"], "rgb", PersonProbability("sigmoid", 3, 0)).eval()
    with pytest.raises(
        ConversionError, match=r"^max_unpool2d in network\.unpool \(MaxUnpool2d\): its pool has kernel 4x4"
    ):
        write_onnx(graph, 8, 8, tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()
