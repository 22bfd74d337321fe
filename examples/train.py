"""Train the bundled network: people against their background, from pictures with and without hand-made masks.

    python examples/train.py --outlined PAIRS --people PICTURES --teacher selfie.tflite --backgrounds PICTURES --output run

An interrupted run goes on where it was when the same command is given again; a larger --steps lengthens it. examples/README.md
says what came out, and examples/training_log.md what was tried.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from augment import Image
from pictures import Sources, iou, read_sources
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from scenes import Scenes
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from segexport.networks.families.mobile_unet import MobileUNet

SIZE = 256
TRAIN_SIZES = (160, 192, 224)
DECAYING = 0.3
"""The last share of the steps: at full size, the learning rate going down to nothing."""
WARM_UP = 300
AVERAGED = 0.999


class Batches(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Step K's batch, the same whenever it is asked for."""

    def __init__(self, scenes: Scenes, args: argparse.Namespace, first: int) -> None:
        self.scenes, self.args, self.first = scenes, args, first

    def __len__(self) -> int:
        return int(self.args.steps - self.first)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        step = self.first + index
        rng = np.random.default_rng((self.args.seed, step))
        size = SIZE if is_decaying(step, self.args.steps) else int(rng.choice(TRAIN_SIZES))
        samples = [self.scenes.sample(size, rng) for _ in range(self.args.batch)]
        images, masks, weights = (torch.from_numpy(np.stack(planes)) for planes in zip(*samples, strict=True))
        return images.permute(0, 3, 1, 2), masks[:, None], weights[:, None]


def is_decaying(step: int, steps: int) -> bool:
    return step >= steps * (1 - DECAYING)


def rate(step: int, steps: int) -> float:
    """Up, level, and down in a straight line: a run that is lengthened has lost nothing before its last part."""
    return min(1.0, (step + 1) / min(WARM_UP, 0.1 * steps + 1), (steps - step) / (steps * DECAYING))


def loss_of(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy that counts edges four times, and soft Dice (Milletari et al. 2016) where there is anybody."""
    wide = F.max_pool2d(target, 7, 1, 3) + F.max_pool2d(-target, 7, 1, 3)
    weighted = weight * (1 + 3 * (wide > 0.3))
    entropy = F.binary_cross_entropy_with_logits(logits, target, weighted, reduction="sum") / weighted.sum()
    probability = logits.sigmoid() * weight
    truth = target * weight
    common = (probability * truth).sum((1, 2, 3))
    dice = 1 - 2 * common / ((probability**2).sum((1, 2, 3)) + (truth**2).sum((1, 2, 3)) + 1)
    somebody = truth.sum((1, 2, 3)) > 20
    return entropy + 0.5 * (dice * somebody).sum() / somebody.sum().clamp(min=1)


@torch.no_grad()
def predict(model: nn.Module, image: Image) -> Image:
    small = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    x = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
    return (model(x)[0, 0].sigmoid() * 255).byte().numpy()


def validate(model: nn.Module, sources: Sources) -> dict[str, float]:
    """On pictures of kinds that training never sees: IoU by kind; where nobody is, the share of pixels above one half."""
    model.eval()
    scores: dict[str, float] = {}
    for kind, people in sources.left_out.items():
        found = [iou(predict(model, image), mask) for image, mask in people]
        scores[kind] = round(float(np.mean(found)), 4)
    false = [float((predict(model, image) > 127).mean()) for image in sources.left_out_backgrounds]
    if false:
        scores |= {"nobody": round(float(np.mean(false)), 4), "nobody, worst": round(max(false), 4)}
    return scores


class Run:
    """The network, its average, and all that is needed to go on."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(args.seed)
        self.args, self.step = args, 0
        self.model: nn.Module = MobileUNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if args.start is not None:
            self.model.load_state_dict(torch.load(args.start, weights_only=True))
        self.average = copy.deepcopy(self.model).eval()
        self.optimizer = torch.optim.AdamW(groups(self.model), lr=args.lr)
        self.state = args.output / "state.pt"
        if self.state.exists():
            kept = torch.load(self.state, weights_only=True)
            for part in ("model", "average", "optimizer"):
                getattr(self, part).load_state_dict(kept[part])
            self.step = kept["step"]

    def keep(self) -> None:
        """Whole or not at all."""
        parts = {part: getattr(self, part).state_dict() for part in ("model", "average", "optimizer")}
        for name, value in (("state.pt", {**parts, "step": self.step}), ("network.pth", plain(self.average))):
            draft = self.args.output / f".{name}"
            torch.save(value, draft)
            os.replace(draft, self.args.output / name)

    def learn(self, images: Tensor, masks: Tensor, weights: Tensor) -> float:
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.args.lr * rate(self.step, self.args.steps)
        x = (images.float() / 255).contiguous(memory_format=torch.channels_last)
        loss = loss_of(self.model(x), masks.float() / 255, (weights > 0).float())
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
        self.optimizer.step()
        self.step += 1
        decay = min(AVERAGED, 1 - 1 / (self.step / 4 + 1))
        with torch.no_grad():
            for kept, now in zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True):
                kept.copy_(now if not kept.is_floating_point() else torch.lerp(now, kept, decay))
        return float(loss.detach())


def groups(model: nn.Module) -> list[dict[str, object]]:
    """Weight decay for the convolutions only."""
    parameters = list(model.parameters())
    return [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": 0.02},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]


def plain(model: nn.Module) -> dict[str, Tensor]:
    """A float32 state dict, contiguous, so that the file is no larger than its numbers."""
    return {key: value.detach().contiguous().clone() for key, value in model.state_dict().items()}


def steps_of(run: Run, scenes: Scenes) -> Iterator[float]:
    batches = Batches(scenes, run.args, run.step)
    loader = DataLoader(batches, batch_size=None, num_workers=run.args.workers)
    total, done = run.args.steps, run.step
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("steps", total=total, completed=done)
        for batch in loader:
            yield run.learn(*batch)
            progress.advance(task)


def train(run: Run, sources: Sources) -> None:
    args, losses = run.args, []
    seen, kept = time.monotonic(), time.monotonic()
    for loss in steps_of(run, sources.scenes):
        losses.append(loss)
        if not np.isfinite(loss):
            raise SystemExit("the loss is not finite; lower --lr")
        last = run.step == args.steps
        if last or time.monotonic() - kept > 60 * args.minutes:
            run.keep()
            kept = time.monotonic()
        if last or run.step % args.every == 0:
            line = {"step": run.step, "loss": round(float(np.mean(losses)), 4), "s": round(time.monotonic() - seen, 1)}
            line |= validate(run.average, sources)
            print(json.dumps(line), flush=True)
            with (args.output / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            losses, seen = [], time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outlined", type=Path, action="append", default=[], help="folder with images/ and masks/")
    parser.add_argument("--people", type=Path, action="append", default=[], help="pictures of people without masks")
    parser.add_argument("--teacher", type=Path, help="model file, a contract beside it, that gives --people their masks")
    parser.add_argument("--backgrounds", type=Path, action="append", default=[], help="pictures with nobody in them")
    parser.add_argument("--measured", type=Path, action="append", default=[], help="as --outlined, never trained on")
    parser.add_argument("--leave-out", action="append", default=[], help="beginning of names never trained on")
    parser.add_argument("--faces", action="append", default=[], help="beginning of names that are at most half of --people")
    parser.add_argument("--from", dest="start", type=Path, help="a checkpoint to begin with")
    parser.add_argument("--output", type=Path, default=Path("run"))
    parser.add_argument("--steps", type=int, default=40_000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, help="default: 0.003, with --from 0.0005")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--every", type=int, default=500, help="steps between two measurements")
    parser.add_argument("--minutes", type=float, default=3, help="between two checkpoints")
    args = parser.parse_args()
    if args.lr is None:
        args.lr = 3e-3 if args.start is None else 5e-4
    cv2.setNumThreads(1)
    torch.set_num_threads(args.threads)
    args.output.mkdir(parents=True, exist_ok=True)
    train(Run(args), read_sources(args))


if __name__ == "__main__":
    main()
