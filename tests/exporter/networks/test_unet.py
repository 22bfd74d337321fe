"""U-Net: any widths, depth, outputs and sizes, against a forward pass written out on the state dict."""

from __future__ import annotations

import pytest
import torch
from tests.exporter.golden.agreement import assert_same_as, weights_of
from tests.exporter.golden.lively_weights import picture
from torch import Tensor
from torch.nn import functional as F

from segexport.errors import ArchitectureError
from segexport.networks.families.unet import UNet, UNetWidths
from segexport.networks.network import LARGEST_WIDTH
from segexport.networks.recognise import recognise

UNEVEN = UNetWidths(downs=((5, 8), (12, 9), (16, 16)), bottleneck=(20, 27), ups=((11, 14, 13), (6, 10, 10), (8, 8, 7)))


def reference(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """The forward pass of the README, straight from the tensors."""

    def block(x: Tensor, name: str) -> Tensor:
        for conv, norm in (("0", "1"), ("3", "4")):
            x = F.conv2d(x, weights[f"{name}.conv.{conv}.weight"], padding=1)
            mean, var, gamma, beta = (
                weights[f"{name}.conv.{norm}.{kind}"] for kind in ("running_mean", "running_var", "weight", "bias")
            )
            x = F.relu(F.batch_norm(x, mean, var, gamma, beta, eps=1e-5))
        return x

    levels = sum(key.startswith("downs.") and key.endswith("conv.0.weight") for key in weights)
    skips = []
    for level in range(levels):
        skips.append(block(x, f"downs.{level}"))
        x = F.max_pool2d(skips[-1], 2)
    x = block(x, "bottle_neck")
    for index, skip in enumerate(skips[::-1]):
        x = F.conv_transpose2d(x, weights[f"ups.{2 * index}.weight"], weights[f"ups.{2 * index}.bias"], stride=2)
        if x.shape != skip.shape:
            x = F.interpolate(x, skip.shape[2:], mode="bilinear")
        x = block(torch.cat([skip, x], 1), f"ups.{2 * index + 1}")
    return F.conv2d(x, weights["final_conv.weight"], weights["final_conv.bias"])


@pytest.mark.parametrize("out_channels", [1, 3])
@pytest.mark.parametrize("size", [(250, 200), (64, 48), (17, 31)])
@pytest.mark.parametrize("widths", [(8, 16, 24, 32), UNEVEN, (4,)], ids=["even", "uneven", "one_level"])
def test_same_logits_as_the_reference(
    widths: tuple[int, ...] | UNetWidths, size: tuple[int, int], out_channels: int
) -> None:
    """The same operators on the same numbers: only their order of summing may differ."""
    network = assert_same_as(reference, UNet(widths, out_channels=out_channels), size, rtol=1e-5)
    assert (network.name, network.out_channels) == ("unet", out_channels)


def test_variant_names_widths_and_bottleneck() -> None:
    assert recognise(weights_of(UNet((8, 16)))).variant == "widths 8-16, bottleneck 32"
    uneven = recognise(weights_of(UNet(UNEVEN)))
    assert uneven.variant == "widths 8-9-16, bottleneck 27, uneven inside"


def test_size_below_one_pixel_at_the_bottom_is_refused() -> None:
    network = recognise(weights_of(UNet((4, 4, 4, 4))))
    network.check_size(16, 250)
    with pytest.raises(ArchitectureError, match=r"at least 16 pixels each way, got 15x250; give --size 256x256"):
        network.check_size(15, 250)


def test_other_than_three_input_channels_is_refused_clearly() -> None:
    with pytest.raises(ArchitectureError, match=r"this unet takes 1 input channels .* expected 3 \(RGB\)"):
        recognise(weights_of(UNet((8, 16), in_channels=1)))


@pytest.mark.parametrize("shape", [(), (10**9,), (10**9, 3, 3, 3), (LARGEST_WIDTH, 3, 3, 3), (0, 3, 3, 3), (8, 3, 3)])
def test_absurd_shapes_are_compared_and_never_allocated(shape: tuple[int, ...]) -> None:
    weights = weights_of(UNet((8, 16)))
    weights["downs.0.conv.0.weight"] = torch.empty(shape, device="meta")
    with pytest.raises(ArchitectureError, match=r"downs\.0\.conv\.0\.weight has shape \(.*\), expected \(8, 3, 3, 3\)"):
        recognise(weights)


def test_tensors_that_all_claim_absurd_widths_are_refused_before_any_copy() -> None:
    with torch.device("meta"):
        shapes = {key: tensor.shape for key, tensor in UNet((30_000, 30_000)).state_dict().items()}
    one = torch.zeros(1, dtype=torch.float16)
    with pytest.raises(ArchitectureError, match=r"holds 2 bytes, its shape .* needs"):
        recognise({key: one[0].expand(shape) for key, shape in shapes.items()})


def test_level_with_an_absurd_number_is_no_level() -> None:
    weights = weights_of(UNet((8, 16))) | {"downs.99.conv.0.weight": torch.zeros(8, 3, 3, 3)}
    with pytest.raises(ArchitectureError, match="nearest is unet"):
        recognise(weights)


def test_can_be_exported() -> None:
    module = recognise(weights_of(UNet((4, 8)))).module
    image = torch.from_numpy(picture(30, 22))
    exported = torch.export.export(module, (image,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(image), module(image))
