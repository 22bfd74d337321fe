"""Argmax flips are counted as what they are; with the same choices only rounding is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.compare.flips import _find, audit_flips, choices_of, injected, recorded
from segexport.convert.torch_rewrites.lower import Lowered, lower
from segexport.convert.trace.onnx_export import write_onnx
from segexport.errors import ConversionError
from segexport.pictures.files import draw_pictures

HEIGHT, WIDTH = 24, 32


class TwoPools(nn.Module):
    """A 2x2 pool around an overlapping one; `nudge` is added to what is pooled and moves no value by more than itself."""

    def __init__(self, nudge: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.mix = nn.Conv2d(4, 1, 3, padding=1)
        pattern = torch.zeros(1, 1, HEIGHT, WIDTH)
        pattern[:, :, 1::2, 1::2] = nudge
        self.register_buffer("nudge", pattern)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x)) + self.nudge
        a, first = F.max_pool2d(x, 2, return_indices=True)
        b, second = F.max_pool2d(a, 3, 2, 1, return_indices=True)
        a = F.max_unpool2d(b - 1, second, 2, output_size=a.shape[2:])
        out: Tensor = self.mix(F.max_unpool2d(a, first, 2)).sigmoid()
        return out


@pytest.fixture(scope="module")
def frames() -> npt.NDArray[np.uint8]:
    """Two pictures of which each block of two by two has one colour: every window of the first pool is a tie, or nearly."""
    small = np.stack(draw_pictures(2, size=max(HEIGHT, WIDTH) // 2))[:, : HEIGHT // 2, : WIDTH // 2]
    return np.ascontiguousarray(small.repeat(2, 1).repeat(2, 2))


@pytest.fixture(scope="module")
def lowered() -> Lowered:
    return lower(TwoPools().eval(), torch.zeros(1, 3, HEIGHT, WIDTH))


def image() -> Tensor:
    return torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))


def test_choices_that_are_given_back_change_nothing(lowered: Lowered) -> None:
    choices = choices_of(lowered.module)
    assert [type(choice).__name__ for choice in choices] == ["WindowChoice", "OverlappingChoice"]
    with torch.inference_mode():
        out, made = recorded(lowered.module, choices, image())
        assert torch.equal(out, lowered.module(image()))
        assert torch.equal(injected(lowered.module, choices, made, image()), out)
        assert torch.equal(lowered.module(image()), out)  # the hooks are gone


def test_choices_that_are_given_are_used(lowered: Lowered) -> None:
    choices = choices_of(lowered.module)
    with torch.inference_mode():
        out, made = recorded(lowered.module, choices, image())
        turned = [made[0], tuple(mask.flip(1) for mask in made[1])]
        assert not torch.equal(injected(lowered.module, choices, turned, image()), out)


def test_a_comparison_with_ties_beside_the_choice_is_not_taken_for_it(lowered: Lowered) -> None:
    """In float16 so many places flip that the comparison which a choice is made of is more alike than the choice itself."""
    choice, *_ = choices_of(lowered.module)
    with torch.inference_mode():
        _, ((mask,), *_) = recorded(lowered.module, choices_of(lowered.module), image())
    ours = mask.bool()
    with_ties = ours.clone()
    with_ties[0, 0, :2, :2] = True
    n, c, height, width = ours.shape
    flipped = ours.view(n, c, height // 2, 2, width // 2, 2).flip(3).reshape(ours.shape)
    assert int((with_ties != ours).sum()) < int((flipped != ours).sum())
    ((found,),) = _find(Path("a.tflite"), [choice], [(ours,)], [with_ties, flipped])
    assert torch.equal(found, flipped)


def test_a_faithful_file_has_no_flips(lowered: Lowered, frames: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    network = TwoPools().eval()
    write_onnx(network, HEIGHT, WIDTH, tmp_path / "a.onnx")
    flips = audit_flips(tmp_path / "a.onnx", network, lowered.module, frames)
    assert flips.windows == 2 * 4 * (HEIGHT // 2 * WIDTH // 2 + HEIGHT // 4 * WIDTH // 4)
    assert flips.pictures == 2
    assert flips.lowering_difference == 0
    assert flips.flipped <= 0.02 * flips.windows  # onnxruntime may round ties of a convolution apart
    assert flips.max_difference_same_choices <= 1e-5


def test_a_file_that_rounds_otherwise_has_flips_and_is_equal_with_the_same_choices(
    lowered: Lowered, frames: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    """The file's network adds 1e-6 to one place of each window, as rounding might: ties go there."""
    write_onnx(TwoPools(nudge=1e-6).eval(), HEIGHT, WIDTH, tmp_path / "a.onnx")
    flips = audit_flips(tmp_path / "a.onnx", TwoPools().eval(), lowered.module, frames)
    assert flips.flipped > 0.1 * flips.windows
    assert flips.max_difference > 1e-2
    assert flips.max_difference_same_choices <= 1e-5
    assert f"{flips.flipped} of {flips.windows} pool windows chose another place" in str(flips)


def test_a_file_with_other_unpools_is_refused(lowered: Lowered, frames: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    class OnePool(TwoPools):
        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.conv(x))
            pooled, indices = F.max_pool2d(x, 2, return_indices=True)
            out: Tensor = self.mix(F.max_unpool2d(pooled, indices, 2)).sigmoid()
            return out

    write_onnx(OnePool().eval(), HEIGHT, WIDTH, tmp_path / "a.onnx")
    with pytest.raises(ConversionError, match=r"a\.onnx: no GREATER_EQUAL of shape \(1, 4, 12, 16\) \(NCHW\) is left"):
        audit_flips(tmp_path / "a.onnx", TwoPools().eval(), lowered.module, frames)


def test_a_file_whose_windows_have_no_place_is_refused(
    lowered: Lowered, frames: npt.NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segexport.compare import flips
    from segexport.tflite import readable

    def broken(path: Path) -> Callable[..., readable.Answer]:
        run = readable.open_readable(path)

        def nothing_won(picture: readable.Image) -> readable.Answer:
            probability, said = run(picture)
            return probability, [np.zeros_like(array) for array in said]

        return nothing_won

    write_onnx(TwoPools().eval(), HEIGHT, WIDTH, tmp_path / "a.onnx")
    monkeypatch.setattr(flips, "open_readable", broken)
    with pytest.raises(ConversionError, match=r"a\.onnx: 0 places won in 768 windows of a pool, expected one in each"):
        audit_flips(tmp_path / "a.onnx", TwoPools().eval(), lowered.module, frames)
