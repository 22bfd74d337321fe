"""A network rebuilt from the graph in a .pt2 gives what the module that was exported gives."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import messages
from tests.refusals import refusal
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.checkpoint import read_checkpoint
from segexport.convert.trace.onnx_export import write_onnx
from segexport.errors import ArchitectureError
from segexport.networks import Network
from segexport.networks.exported.operators import ALLOWED, INPLACE, SUBSTITUTES, schema_of
from segexport.networks.families.unet import UNet
from segexport.networks.inspection import find_network, inspect, setting_conflicts
from segexport.networks.network import Asked
from segexport.presets import PREPROCESSING
from segexport.subject.deploy import Deployable, choose_head

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
SIZE = 32


class Residual(nn.Module):
    """What ResNets are made of: a padded stem pool, in-place ReLU and addition, dilation, a bilinear end."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=2, dilation=2), nn.BatchNorm2d(8)
        self.dropout, self.head = nn.Dropout(0.5), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        y = self.bn2(self.conv2(x))
        y += x
        y = self.dropout(self.relu(y))
        return F.interpolate(self.head(y), scale_factor=4, mode="bilinear", align_corners=False)


class Mobile(nn.Module):
    """MobileNetV3's parts: hard swish, squeeze and excitation, depthwise convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 1, 1), nn.Hardswish(inplace=True), nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        )
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.ReLU6(), nn.Conv2d(4, 8, 1))
        self.head = nn.Conv2d(16, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x)
        y = y * F.hardsigmoid(self.squeeze(y))
        first, second = y.chunk(2, dim=1)
        return self.head(torch.cat([first, F.silu(second), F.leaky_relu(y, 0.1)], 1))


class Attention(nn.Module):
    """SegFormer's parts: patches, layer norm, attention, linear layers, a reshape back."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.norm, self.attention = nn.LayerNorm(16), nn.MultiheadAttention(16, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.position = nn.Parameter(torch.randn(1, 64, 16))
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.patches(x)
        height, width = y.shape[-2:]
        y = y.flatten(2).transpose(1, 2) + self.position
        z = self.norm(y)
        y = y + self.attention(z, z, z, need_weights=False)[0]
        y = y + self.mlp(self.norm(y))
        y = self.head(y.permute(0, 2, 1).reshape(-1, 16, height, width))
        return F.interpolate(y, size=x.shape[-2:], mode="nearest")


class Unpooled(nn.Module):
    """SegNet's parts: pooling with indices, unpooling."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 3, padding=1)
        self.pool, self.unpool = nn.MaxPool2d(2, 2, return_indices=True), nn.MaxUnpool2d(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        y, indices = self.pool(torch.relu(self.down(x)))
        return self.up(self.unpool(y, indices))


class Odd(nn.Module):
    """Group and instance norm, transposed convolution, pixel shuffle, reflection, slices, arithmetic."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.group = nn.Conv2d(3, 8, 3, 2), nn.GroupNorm(2, 8)
        self.b, self.instance = nn.ConvTranspose2d(8, 4, 2, 2), nn.InstanceNorm2d(4, affine=True)
        self.c, self.shuffle = nn.Conv2d(4, 8, 2, 2), nn.PixelShuffle(2)
        self.prelu = nn.PReLU(4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (1, 1, 1, 1), mode="reflect")
        y = self.prelu(self.instance(self.b(F.elu(self.group(self.a(x))))))
        y = self.shuffle(self.c(y[:, :, :-2, :-2])) if y.shape[2] > SIZE else self.shuffle(self.c(y))
        y = y.clamp(-1, 1).exp().log() - y.mean(1, keepdim=True) / 2 + y.amax((2, 3), keepdim=True).sqrt()
        return torch.where(y > 0, y, y * 0.5) ** 2


class InDict(Residual):
    """torchvision's way to return."""

    def forward(self, x: Tensor) -> Any:
        y = super().forward(x)
        return OrderedDict([("aux", (y * 2, y * 3)), ("out", y)])


class InTuple(Residual):
    def forward(self, x: Tensor) -> Any:
        y = super().forward(x)
        return y, y * 2


class WithConstant(nn.Module):
    """Tensors that are no parameters: a plain one, and a buffer that no state dict holds."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.mean = nn.Conv2d(3, 1, 1), torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)
        self.register_buffer("std", torch.full((1, 3, 1, 1), 2.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv((x - self.mean) / self.std)


class Grid(nn.Module):
    """Tensors that the graph itself makes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(5, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        rows = torch.linspace(-1, 1, SIZE).view(1, 1, SIZE, 1).expand(x.shape[0], 1, SIZE, SIZE)
        columns = (torch.arange(SIZE) / SIZE).view(1, 1, 1, SIZE).repeat(x.shape[0], 1, SIZE, 1)
        return self.conv(torch.cat([x, rows, columns], 1)) + torch.zeros_like(rows)


NETWORKS: dict[str, type[nn.Module]] = {
    "residual": Residual,
    "mobile": Mobile,
    "attention": Attention,
    "unpooled": Unpooled,
    "odd": Odd,
    "constants": WithConstant,
    "grid": Grid,
}


def made(kind: type[nn.Module], seed: int = 5) -> nn.Module:
    """Random weights, lively batch norms, eval mode."""
    torch.manual_seed(seed)
    module = kind()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-0.5, 0.5)  # type: ignore[union-attr]
            part.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return module.eval()


def exported(
    module: nn.Module, path: Path, image: Tensor | None = None, *, decomposed: bool = False, **options: Any
) -> Path:
    program = torch.export.export(module, (torch.zeros(1, 3, SIZE, SIZE) if image is None else image,), **options)
    torch.export.save(program.run_decompositions() if decomposed else program, path)
    return path


def rebuilt(path: Path) -> Network:
    return find_network(read_checkpoint(path))


def picture(height: int = SIZE, width: int = SIZE) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(9))


@pytest.mark.parametrize(
    ("name", "decomposed"),
    [(name, False) for name in NETWORKS] + [(name, True) for name in NETWORKS if name != "unpooled"],
)
def test_a_rebuilt_graph_gives_what_the_module_gives(tmp_path: Path, name: str, decomposed: bool) -> None:
    module = made(NETWORKS[name])
    network = rebuilt(exported(module, tmp_path / "net.pt2", decomposed=decomposed))
    with torch.no_grad():
        expected = module(picture())
        torch.testing.assert_close(network.module(picture()), expected)
    assert (network.name, network.out_channels, network.default_size) == (
        "exported_graph",
        expected.shape[1],
        (SIZE, SIZE),
    )
    assert network.parameters == sum(parameter.numel() for parameter in module.parameters())
    state = network.module.state_dict()
    assert {key: value.shape for key, value in state.items()} == {
        key: value.shape for key, value in module.state_dict().items() if key in state
    }
    assert {key for key, _ in module.named_parameters()} == {key for key, _ in network.module.named_parameters()}
    assert "no known network has these keys" in network.reasons
    assert network.notes[0].startswith("Rebuilt from the file's own graph of ")


@pytest.mark.parametrize(("kind", "output"), [(InDict, None), (InDict, "out"), (InTuple, "0")])
def test_of_several_outputs_the_one_that_is_meant_is_taken(
    tmp_path: Path, kind: type[nn.Module], output: str | None
) -> None:
    module = made(kind)
    checkpoint = read_checkpoint(exported(module, tmp_path / "net.pt2"))
    network = find_network(checkpoint, Asked(output=output))
    with torch.no_grad():
        expected = module(picture())
        torch.testing.assert_close(network.module(picture()), expected["out"] if kind is InDict else expected[0])
    assert any("is used" in note for note in network.notes)


def test_several_outputs_are_never_guessed(tmp_path: Path) -> None:
    with pytest.raises(
        ArchitectureError, match=r"gives 2 outputs: 0: shape .*; 1: shape .*give --output-index N or NAME"
    ):
        rebuilt(exported(made(InTuple), tmp_path / "net.pt2"))


@pytest.mark.parametrize("name", ["residual", "mobile", "attention"])
def test_a_rebuilt_graph_becomes_onnx(tmp_path: Path, name: str) -> None:
    import onnxruntime

    module = made(NETWORKS[name])
    network = rebuilt(exported(module, tmp_path / "net.pt2"))
    head = choose_head("auto", network, None)
    graph = Deployable(network.module, PREPROCESSING["imagenet"], "rgb", head).eval()
    write_onnx(graph, SIZE, SIZE, tmp_path / "net.onnx")
    (got,) = onnxruntime.InferenceSession(tmp_path / "net.onnx").run(None, {"image": picture().numpy()})
    with torch.no_grad():
        expected = Deployable(module, PREPROCESSING["imagenet"], "rgb", head)(picture())
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-5)


# sizes


def test_a_fixed_graph_takes_its_own_size_only(tmp_path: Path) -> None:
    network = rebuilt(exported(made(Residual), tmp_path / "net.pt2"))
    network.check_size(SIZE, SIZE)
    assert network.size_rule == f"{SIZE}x{SIZE} only"
    with pytest.raises(ArchitectureError, match="takes pictures 32 high only, got 64"):
        network.check_size(64, SIZE)


def test_a_graph_whose_sides_vary_takes_other_sizes(tmp_path: Path) -> None:
    module = made(Residual)
    auto = torch.export.Dim.DYNAMIC
    path = exported(
        module, tmp_path / "net.pt2", torch.zeros(2, 3, SIZE, 64), dynamic_shapes=({0: auto, 2: auto, 3: auto},)
    )
    network = rebuilt(path)
    assert network.default_size == (SIZE, 64)
    assert "The graph's batch may vary; a batch of 1 is used." in network.notes
    network.check_size(96, 128)
    with torch.no_grad():
        torch.testing.assert_close(network.module(picture(96, 128)), module(picture(96, 128)))


def test_ranges_and_squares_of_a_graph_are_kept(tmp_path: Path) -> None:
    side = torch.export.Dim("side", min=16, max=64)
    path = exported(made(Mobile), tmp_path / "net.pt2", dynamic_shapes=({2: side, 3: side},))
    network = rebuilt(path)
    network.check_size(48, 48)
    for size, message in {(128, 128): "16 to 64 high", (8, 8): "16 to 64 high", (32, 48): "squares only"}.items():
        with pytest.raises(ArchitectureError, match=message):
            network.check_size(*size)


# what is said, and what is refused


class Ending(nn.Module):
    def __init__(self, end: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.conv, self.end = nn.Conv2d(3, 2, 1), end

    def forward(self, x: Tensor) -> Any:
        return self.end(self.conv(x))


@pytest.mark.parametrize(("end", "word"), [(torch.sigmoid, "sigmoid"), (lambda x: x.softmax(1), "softmax")])
def test_an_end_that_may_be_a_probability_is_said(tmp_path: Path, end: Any, word: str) -> None:
    network = rebuilt(exported(Ending(end).eval(), tmp_path / "net.pt2"))
    assert any(f"ends in a {word}" in note and "--head none" in note for note in network.notes)


REFUSED: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "an unknown operator": (lambda x: torch.fft.fft2(x).real, "fft"),
    "classes": (lambda x: x.argmax(1, keepdim=True), "aten.argmax.default"),
    "random": (lambda x: x + torch.rand_like(x), "aten.rand"),
    "a mask of another form": (lambda x: F.avg_pool2d(x, 3), r"shape \(1, 2, 10, 10\)"),
    "no picture": (lambda x: x.mean((2, 3)), r"shape \(1, 2\)"),
    "a dict of two": (lambda x: {"mask": x, "edges": -x}, "gives 2 outputs: mask: shape .*; edges: shape "),
    "double": (lambda x: x.double(), "float64"),
    "memory as it is": (
        lambda x: x + torch.empty(1, 2, SIZE, SIZE),
        "whatever the memory holds; .* without torch.empty",
    ),
}


def test_a_map_without_channels_may_come_from_nowhere(tmp_path: Path) -> None:
    """segmentation_models_pytorch's encoders of timm and SegFormer give one to their decoders."""
    network = Ending(lambda x: torch.cat([torch.empty(1, 0, SIZE, SIZE), x], 1)).eval()
    with torch.no_grad():
        found = rebuilt(exported(network, tmp_path / "net.pt2")).module(picture())
        torch.testing.assert_close(found, network(picture()))


@pytest.mark.parametrize("why", REFUSED)
def test_what_a_graph_cannot_be_is_refused_in_one_line(tmp_path: Path, why: str) -> None:
    end, message = REFUSED[why]
    path = exported(Ending(end).eval(), tmp_path / "net.pt2")
    assert messages.OWN_CLASS in refusal(ArchitectureError, rebuilt, path, match=message)


def test_a_batch_of_two_and_a_network_in_training_mode_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError, match="exported for a batch of 2; export it with a batch of 1"):
        rebuilt(exported(made(Mobile), tmp_path / "net.pt2", torch.zeros(2, 3, SIZE, SIZE)))
    with pytest.raises(ArchitectureError, match=r"training mode|call eval\(\)"):
        rebuilt(exported(made(Residual).train(), tmp_path / "net.pt2"))


def test_two_inputs_and_other_channels_are_refused(tmp_path: Path) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 1, 1)

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.conv(x + y)

    program = torch.export.export(Two(), (torch.zeros(1, 3, 8, 8),) * 2)
    torch.export.save(program, tmp_path / "two.pt2")
    with pytest.raises(ArchitectureError, match="takes 2 inputs, expected one image"):
        rebuilt(tmp_path / "two.pt2")
    grey = exported(nn.Sequential(nn.Conv2d(1, 1, 1)).eval(), tmp_path / "grey.pt2", torch.zeros(1, 1, 8, 8))
    with pytest.raises(ArchitectureError, match=r"input has shape \(1, 1, 8, 8\), expected \(1, 3, H, W\)"):
        rebuilt(grey)


class WritesThroughAView(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        y[:, :1].mul_(2)
        return y


class WritesTwice(WritesThroughAView):
    """The first name is used again after the write: it has to mean the new value."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        z = F.relu_(y)
        z.add_(1.0)
        return y * 2 + z


def test_a_write_that_another_name_sees_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError, match=r"writes in place what .* shows too"):
        rebuilt(exported(made(WritesThroughAView), tmp_path / "net.pt2"))


def test_a_name_means_the_new_value_after_a_write(tmp_path: Path) -> None:
    module = made(WritesTwice)
    network = rebuilt(exported(module, tmp_path / "net.pt2"))
    before = picture()
    with torch.no_grad():
        torch.testing.assert_close(network.module(before), module(before.clone()))
    assert torch.equal(before, picture())


# known networks keep their own way


def test_a_known_network_whose_graph_differs_is_told(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = UNet([4, 8]).eval()
    plain = read_checkpoint(exported(network, tmp_path / "plain.pt2"))
    assert setting_conflicts(plain, find_network(plain)) == []
    next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d)).eps = 0.25
    found = inspect(exported(network, tmp_path / "net.pt2"))
    assert found["network"]["name"] == "unet"
    assert any("own graph gives other values than unet" in note for note in found["notes"])


def test_every_operator_of_the_list_is_torchs_own_and_pure() -> None:
    assert not [name for name in (*ALLOWED, *SUBSTITUTES) if schema_of(name).is_mutable]
    assert all(schema_of(name).is_mutable for name in INPLACE)
    assert set(INPLACE.values()) <= ALLOWED
