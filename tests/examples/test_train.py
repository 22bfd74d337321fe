"""Training of a MobileUNet: goes on where it was killed, begins with a checkpoint, and composes what it says it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from tests.places import ROOT

import segruntime
from segexport.networks.families.mobile_unet import MobileUNet
from segruntime.segmenter import BUNDLED, WITHOUT_INT8

Image = npt.NDArray[np.uint8]
Example = Callable[[str], ModuleType]
QUICK = ("--steps", "4", "--batch", "2", "--processes", "1", "--every", "2", "--minutes", "0")


def drawn_person(width: int, height: int, rng: np.random.Generator) -> tuple[Image, Image]:
    """A head on shoulders in one colour before another, `(H, W, 3) uint8` and its mask."""
    mask = np.zeros((height, width), np.uint8)
    x, top = int(rng.uniform(0.35, 0.65) * width), int(0.3 * height)
    cv2.circle(mask, (x, top), height // 8, 255, -1)
    cv2.ellipse(mask, (x, height), (width // 4, int(0.55 * height)), 0, 180, 360, 255, -1)
    wall, shirt = rng.uniform(0, 120, 3), rng.uniform(140, 255, 3)
    image = np.where(mask[..., None] > 0, shirt, wall) + rng.normal(0, 6, (height, width, 3))
    return np.asarray(np.clip(image, 0, 255), np.uint8), mask


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """`pairs/` of six drawn people, `rooms/` of three pictures with nobody."""
    rng = np.random.default_rng(1)
    for name in ("pairs/images", "pairs/masks", "rooms"):
        (tmp_path / name).mkdir(parents=True)
    for index in range(6):
        image, mask = drawn_person(120, 160, rng)
        cv2.imwrite(str(tmp_path / f"pairs/images/{index}.png"), image)
        cv2.imwrite(str(tmp_path / f"pairs/masks/{index}.png"), mask)
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"rooms/{index}.png"), rng.integers(0, 255, (90, 120, 3)).astype(np.uint8))
    return tmp_path


@pytest.fixture
def train(example: Example, folders: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    threads = torch.get_num_threads()
    program = example("train")
    data = ("--outlined", str(folders / "pairs"), "--backgrounds", str(folders / "rooms"))

    def run(name: str, *words: str, stop_after: int | None = None) -> Path:
        output = folders / name
        monkeypatch.setattr("sys.argv", ["train.py", *data, *QUICK, "--output", str(output), *words])
        learn = program.Run.learn

        def until(self: Any, *given: Any) -> float:
            if stop_after is not None and self.step == stop_after:
                raise KeyboardInterrupt
            return float(learn(self, *given))

        with monkeypatch.context() as patch:
            patch.setattr(program.Run, "learn", until)
            program.main()
        return output

    yield run
    torch.set_num_threads(threads)


def weights(output: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(output / "network.pth", weights_only=True)
    return found


def test_a_run_that_was_stopped_ends_as_one_that_was_not(train: Callable[..., Path]) -> None:
    whole = weights(train("whole"))
    with pytest.raises(KeyboardInterrupt):
        train("stopped", stop_after=3)
    kept = torch.load(train("stopped") / "state.pt", weights_only=True)
    assert kept["step"] == 4
    resumed = weights(train("stopped"))
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())


def test_a_teachers_maps_are_learned_from_and_its_run_goes_on_as_well(
    train: Callable[..., Path], folders: Path
) -> None:
    taught = ("--people", str(folders / "pairs/images"), "--teacher", str(WITHOUT_INT8))
    whole = train("whole", *taught)
    with pytest.raises(KeyboardInterrupt):
        train("stopped", *taught, stop_after=3)
    resumed = train("stopped", *taught)
    assert all(torch.equal(value, weights(resumed)[key]) for key, value in weights(whole).items())
    told = torch.load(whole / "state.pt", weights_only=True)["hints"]
    assert {key.split(".")[1] for key in told} == {"16", "32", "64", "128"}


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_a_teacher_without_float_maps_gives_its_masks_and_says_so(
    train: Callable[..., Path], folders: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    run = train("run", "--people", str(folders / "pairs/images"), "--teacher", str(BUNDLED[kind]))
    assert f"{BUNDLED[kind]}: its inner maps cannot be had" in capsys.readouterr().err
    assert "hints" not in torch.load(run / "state.pt", weights_only=True)


def test_where_nobody_is_no_teacher_is_asked(example: Example) -> None:
    hints, network = example("hints"), MobileUNet()
    maps = hints.TeacherMaps(WITHOUT_INT8, segruntime.load(WITHOUT_INT8).contract)
    module = hints.Hints(network, maps)
    images = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3)).astype(np.uint8)
    maps.learn_spread(images)
    network(torch.from_numpy(images).permute(0, 3, 1, 2) / 255)
    asked = np.array([True, False, True])
    before = module(images, asked)
    assert before > 0
    images[1] = 0
    assert module(images, asked) == before
    assert module(images, np.zeros(3, bool)) == 0


def test_two_processes_learn_the_same_from_pictures_of_their_own(train: Callable[..., Path]) -> None:
    one, two = (weights(train(name, "--processes", name, "--batch", "4")) for name in ("1", "2"))
    again = weights(train("again", "--processes", "2", "--batch", "4"))
    assert all(torch.equal(value, again[key]) for key, value in two.items())
    assert not all(torch.equal(value, one[key]) for key, value in two.items())


def test_begins_with_a_checkpoint_and_leaves_pictures_out(
    train: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    first = train("first")
    second = train("second", "--from", str(first / "network.pth"), "--lr", "0", "--leave-out", "pairs/5")
    assert '"pairs": ' in capsys.readouterr().out
    for (key, old), new in zip(weights(first).items(), weights(second).values(), strict=True):
        if not key.endswith(("running_mean", "running_var", "num_batches_tracked")):
            torch.testing.assert_close(new, old)


def test_begins_with_nothing_but_a_network_of_its_kind(train: Callable[..., Path], folders: Path) -> None:
    with pytest.raises(SystemExit, match=r"portrait_unet\.pth: is a unet, expected a MobileUNet"):
        train("run", "--from", str(ROOT / "examples" / "portrait_unet.pth"))
    (folders / "not.pth").write_bytes(b"nothing")
    with pytest.raises(SystemExit, match=r"--from .*not\.pth: "):
        train("run", "--from", str(folders / "not.pth"))


def test_at_full_size_it_trains_what_a_device_computes(example: Example) -> None:
    network = MobileUNet()
    x = torch.rand(2, 3, 64, 64)
    network(x)
    expected = network.eval()(x)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    example("train").fold(network)
    torch.testing.assert_close(network.train()(x), expected, atol=1e-5, rtol=1e-4)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_scenes_are_what_their_shares_say(example: Example, folders: Path) -> None:
    scenes, pictures = example("scenes"), example("pictures")
    people = [pictures.outlined_person(image, mask, None) for _, image, mask in pictures.read_pairs(folders / "pairs")]
    rooms, _ = pictures.read_folder([folders / "rooms"], [])
    maker = scenes.Scenes(people=people, faces=people, outlined=people, backgrounds=pictures.by_kind(rooms))
    rng = np.random.default_rng(0)
    samples = [maker.sample(64, rng) for _ in range(300)]
    empty = np.mean([not mask.any() for _, mask, _ in samples])
    assert scenes.EMPTY - 0.08 < empty < scenes.EMPTY + 0.2  # somebody may stand outside, or show no more than an edge
    for image, mask, weight in samples:
        assert image.shape == (64, 64, 3)
        assert mask.shape == weight.shape == (64, 64)
        assert {image.dtype, mask.dtype, weight.dtype} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("option", ["--leave-out", "--faces"])
def test_a_beginning_that_no_picture_has_is_refused(train: Callable[..., Path], option: str) -> None:
    with pytest.raises(SystemExit, match=r"images/5: no picture's folder and name begin so, for example pairs/0\.png"):
        train("run", option, "images/5")


def test_a_picture_without_its_mask_is_named(train: Callable[..., Path], folders: Path) -> None:
    (folders / "pairs/masks/3.png").unlink()
    with pytest.raises(SystemExit, match=r"3\.png: expected a mask of the picture's size, \(160, 120\)"):
        train("run")
