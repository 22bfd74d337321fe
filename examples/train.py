"""Train the demo network: a U-Net of widths 8-16-32-64 on portraits with masks.

    python examples/train.py --data ../shared/data/portraits --output examples/portrait_unet.pth

Needs torch, numpy and opencv-python, about an hour on two cores. The model card beside this file says what came out.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from augment import Image, augment, clean_plate
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from segexport.networks.families.unet import UNet

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
SIZE = 256
TRAIN_SIZES = (192, 224, 256)


def read_pairs(folder: Path) -> list[tuple[Image, Image]]:
    """Every image with its mask: `(H, W, 3) uint8 RGB` and `(H, W) uint8`."""
    pairs = []
    for path in sorted((folder / "images").iterdir()):
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        mask = cv2.imread(str(folder / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        if image is None or mask is None:
            raise SystemExit(f"{path}: the picture or its mask cannot be read")
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        pairs.append((np.asarray(rgb, np.uint8), np.asarray(mask, np.uint8)))
    return pairs


class Portraits(Dataset[tuple[Tensor, Tensor]]):
    """Augmented samples; one item is a whole batch, so that all of it has one size."""

    def __init__(self, pairs: list[tuple[Image, Image]], *, batch: int, seed: int) -> None:
        self.pairs = pairs
        self.plates = [clean_plate(image, mask) for image, mask in pairs]
        self.batch, self.seed, self.epoch, self.last = batch, seed, 0, False

    def __len__(self) -> int:
        return len(self.pairs) // self.batch

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.pairs))
        rng = np.random.default_rng((self.seed, self.epoch, index))
        size = SIZE if self.last else int(rng.choice(TRAIN_SIZES))
        swap = 0.15 if self.last else 0.35
        samples = []
        for k in order[index * self.batch : (index + 1) * self.batch]:
            plate = self.plates[int(rng.integers(len(self.plates)))]
            image, mask = self.pairs[k]
            samples.append(augment(image, mask, plate, size, rng, swap=swap))
        images = torch.from_numpy(np.stack([s[0] for s in samples])).permute(0, 3, 1, 2)
        masks = torch.from_numpy(np.stack([s[1] for s in samples]))[:, None]
        return images, masks


def loss_of(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy plus soft Dice, each averaged over the pictures."""
    probability = logits.sigmoid()
    overlap = (probability * target).sum((1, 2, 3))
    dice = 1 - (2 * overlap + 1) / (probability.sum((1, 2, 3)) + target.sum((1, 2, 3)) + 1)
    return F.binary_cross_entropy_with_logits(logits, target) + dice.mean()


@torch.no_grad()
def mean_iou(model: nn.Module, pairs: list[tuple[Image, Image]]) -> float:
    """Mean over pictures of the person's IoU at 256x256, threshold 0.5, the picture stretched as the runtime does."""
    model.eval()
    scores = []
    for image, mask in pairs:
        small = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
        truth = cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR) > 127
        x = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
        person = (model((x - MEAN) / STD)[0, 0] > 0).numpy()
        scores.append(float((person & truth).sum() / max(1, (person | truth).sum())))
    return float(np.mean(scores))


def train(args: argparse.Namespace) -> nn.Module:
    """Gives the exponential moving average of the weights."""
    torch.manual_seed(args.seed)
    data = Portraits(read_pairs(args.data / "training"), batch=args.batch, seed=args.seed)
    held_out = read_pairs(args.data / "calibration")
    model: nn.Module = UNet(args.widths).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.02)
    steps = args.epochs * len(data)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, steps, pct_start=0.15)
    step = 0
    for epoch in range(args.epochs):
        data.epoch, data.last = epoch, epoch >= args.epochs - args.last_epochs
        started, total = time.time(), 0.0
        model.train()
        for images, masks in DataLoader(data, batch_size=None, num_workers=1, prefetch_factor=4):
            x = ((images.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(x)
            loss = loss_of(logits.float(), masks.float() / 255)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimizer.step()
            schedule.step()
            step += 1
            decay = min(0.998, 1 - 1 / (step + 1))
            with torch.no_grad():
                for kept, now in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
                    kept.copy_(now if not kept.is_floating_point() else torch.lerp(now, kept, decay))
            total += loss.item()
        line = f"epoch {epoch + 1}/{args.epochs}  loss {total / len(data):.4f}  {time.time() - started:.0f} s"
        if (epoch + 1) % 5 == 0 or epoch + 1 == args.epochs:
            line += f"  IoU on calibration/ {mean_iou(average, held_out):.4f}"
            save(average, args.output)
        print(line, flush=True)
        if not math.isfinite(total):
            raise SystemExit("the loss is not finite; lower --lr")
    return average


def save(model: nn.Module, path: Path) -> None:
    """A plain float32 state dict, contiguous, so that the file is no larger than its numbers."""
    state = {key: value.detach().contiguous().clone() for key, value in model.state_dict().items()}
    torch.save(state, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with training/ and calibration/")
    parser.add_argument("--output", type=Path, default=Path("portrait_unet.pth"))
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--epochs", type=int, default=110)
    parser.add_argument("--last-epochs", type=int, default=12, help="at full size, with fewer background swaps")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    save(train(args), args.output)


if __name__ == "__main__":
    main()
