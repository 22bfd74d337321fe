"""Train a MobileUNet: people against their background, from pictures with and without hand-made masks.

    python examples/train.py --outlined PAIRS --people PICTURES --teacher selfie.tflite --backgrounds PICTURES --output run

An interrupted run goes on where it was when the same command is given again; a larger --steps lengthens it. examples/README.md
says what came out, and examples/training_log.md what was tried.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from augment import Image, Numbers
from hints import Hints, TeacherMaps, teacher_maps
from pictures import Sources, iou, read_sources
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from scenes import Scenes
from torch import Tensor, nn
from torch.multiprocessing import get_context
from torch.nn import functional as F

from segexport.checkpoint import read_checkpoint
from segexport.errors import SegExportError
from segexport.networks.families.mobile_unet import MobileUNet
from segexport.networks.inspection import find_network

SIZE = 256
EARLY, LATER = (96, 128, 160), (192, 224)
"""What a person is shows in small pictures, and they cost a fraction."""
SMALL, FULL, DECAYING = 0.25, 0.4, 0.75
"""Shares of the steps: the first, at small sizes; the last, at full size, with batch norm's statistics as they are by then;
the last, the learning rate going down to nothing. With --from no step is at a small size, and batch norm's statistics stay
as the checkpoint has them from the first step on."""
WARM_UP = 300
AVERAGED = 0.997
MOMENTUM = 0.03
"""Of batch norm's statistics, from batches that differ much."""
HINT = 0.3
"""The weight of what the teacher's maps say."""
LONGEST_WAIT_S = 600
"""For another process: one that was killed is noticed so."""


class Together:
    """Gradients of several processes, averaged: on a processor each of them is as fast with one thread as one with several."""

    def __init__(self, processes: int, numbers: int) -> None:
        context = get_context("fork")
        self.processes = processes
        self.barrier = context.Barrier(processes, timeout=LONGEST_WAIT_S)
        self.shared: Tensor = torch.zeros(processes, numbers).share_memory_()  # type: ignore[no-untyped-call]

    def average(self, process: int, tensors: Sequence[Tensor]) -> None:
        """All processes are here at once, each with tensors of the same shapes, and go on with their means."""
        sizes = [one.numel() for one in tensors]
        shared = self.shared[:, : sum(sizes)]
        torch.cat([one.flatten() for one in tensors], out=shared[process])
        self.barrier.wait()
        mean = shared.mean(0)
        self.barrier.wait()
        for one, part in zip(tensors, torch.split(mean, sizes), strict=True):
            one.copy_(part.view_as(one))


def norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [one for one in model.modules() if isinstance(one, nn.BatchNorm2d)]


def folded(pair: nn.Sequential, x: Tensor) -> Tensor:
    """A convolution with its batch norm's factors in its weights, from the statistics so far: what a device computes."""
    convolution: Any = pair[0]
    norm: Any = pair[1]
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight, bias = convolution.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale
    how = (convolution.stride, convolution.padding, convolution.dilation, convolution.groups)
    y = F.conv2d(x, weight, bias, *how)
    activated: Tensor = y if len(pair) == 2 else pair[2](y)
    return activated


def fold(model: nn.Module) -> None:
    """From here on the statistics of batch norm stay as they are, and cost nothing: a quarter of a step."""
    for pair in model.modules():
        if isinstance(pair, nn.Sequential) and len(pair) > 1 and isinstance(pair[1], nn.BatchNorm2d):
            pair.forward = partial(folded, pair)  # type: ignore[method-assign]


def batch_of(scenes: Scenes, args: argparse.Namespace, step: int, process: int) -> tuple[Image, Image, Image]:
    """A process's part of a step's batch, the same whenever it is asked for; of one size for all of them."""
    size = size_of(step, args)
    rng = np.random.default_rng((args.seed, step, process))
    samples = [scenes.sample(size, rng) for _ in range(args.batch // args.processes)]
    images, masks, weights = (np.stack(planes) for planes in zip(*samples, strict=True))
    return images, masks, weights


def full_from(steps: int) -> int:
    return round(steps * (1 - FULL))


def folded_from(args: argparse.Namespace) -> int:
    return full_from(args.steps) if args.start is None else 0


def size_of(step: int, args: argparse.Namespace) -> int:
    if step >= full_from(args.steps):
        return SIZE
    sizes = EARLY if args.start is None and step < args.steps * SMALL else LATER
    return int(np.random.default_rng((args.seed, step)).choice(sizes))


def rate(step: int, steps: int) -> float:
    """Up, level, and down in a straight line: a run that is lengthened has lost nothing before its last part."""
    return min(1.0, (step + 1) / min(WARM_UP, 0.1 * steps + 1), (steps - step) / (steps * DECAYING))


def edges_of(mask: Image) -> Image:
    """Where a mask changes within three pixels."""
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((7, 7), np.uint8)) > 76)


def plane(masks: Numbers) -> Tensor:
    """`(N, H, W)` → `(N, 1, H, W) float32`"""
    return torch.from_numpy(masks)[:, None].float()


def loss_of(logits: Tensor, target: Tensor, weight: Tensor, edge: Tensor) -> Tensor:
    """Cross-entropy that counts edges four times, and soft Dice (Milletari et al. 2016); where nobody is, the mean twice."""
    weighted = weight * (1 + 3 * edge)
    entropy = F.binary_cross_entropy_with_logits(logits, target, weighted, reduction="sum") / weighted.sum()
    probability = logits.sigmoid() * weight
    truth = target * weight
    common = (probability * truth).sum((1, 2, 3))
    dice = 1 - 2 * common / ((probability**2).sum((1, 2, 3)) + (truth**2).sum((1, 2, 3)) + 1)
    somebody = truth.sum((1, 2, 3)) > 20
    return entropy + 0.5 * torch.where(somebody, dice, 2 * probability.mean((1, 2, 3))).mean()


@torch.no_grad()
def predict(model: nn.Module, image: Image) -> Image:
    small = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    x = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
    return np.asarray((model(x)[0, 0].sigmoid() * 255).byte().numpy(), np.uint8)


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


def read_network(path: Path) -> nn.Module:
    """A checkpoint's MobileUNet of whatever widths, to be trained on."""
    try:
        network = find_network(read_checkpoint(path))
    except SegExportError as error:
        raise SystemExit(f"--from {path}: {error}") from error
    if network.name != "mobile_unet":
        raise SystemExit(f"--from {path}: is a {network.name}, expected a MobileUNet such as examples/mobile_unet.pth")
    return network.module.requires_grad_(True)


class Run:
    """The network, its average, and all that is needed to go on."""

    def __init__(self, args: argparse.Namespace, maps: TeacherMaps | None) -> None:
        torch.manual_seed(args.seed)
        self.args, self.step = args, 0
        begun = MobileUNet() if args.start is None else read_network(args.start)
        self.model: nn.Module = begun.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).eval()
        self.is_folded = False
        for norm in norms(self.model):
            norm.momentum = MOMENTUM
        self.hints = Hints(self.model, maps) if maps is not None else None
        self.parts = {"model": self.model, "average": self.average}
        trained = [self.model]
        if self.hints is not None:
            self.parts["hints"] = self.hints
            trained.append(self.hints)
        self.trained = [one for module in trained for one in module.parameters()]
        self.optimizer = torch.optim.AdamW(groups(self.trained), lr=args.lr)
        self.together = Together(args.processes, sum(one.numel() for one in self.trained))
        self.state = args.output / "state.pt"
        if self.state.exists():
            kept = torch.load(self.state, weights_only=True)
            for name, part in (*self.parts.items(), ("optimizer", self.optimizer)):
                part.load_state_dict(kept[name])
            self.step = kept["step"]

    def keep(self) -> None:
        """Whole or not at all."""
        parts = {name: part.state_dict() for name, part in (*self.parts.items(), ("optimizer", self.optimizer))}
        for name, value in (("state.pt", {**parts, "step": self.step}), ("network.pth", plain(self.average))):
            draft = self.args.output / f".{name}"
            torch.save(value, draft)
            os.replace(draft, self.args.output / name)

    def learn(self, scenes: Scenes, process: int) -> float:
        images, masks, weights = batch_of(scenes, self.args, self.step, process)
        self.model.train()
        if self.step >= folded_from(self.args) and not self.is_folded:
            statistics = [one for norm in norms(self.model) for one in (norm.running_mean, norm.running_var)]
            self.together.average(process, [one for one in statistics if one is not None])
            fold(self.model)
            self.is_folded = True
        for group in self.optimizer.param_groups:
            group["lr"] = self.args.lr * rate(self.step, self.args.steps)
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255  # in memory as channels_last has it
        edges = np.stack([edges_of(mask) for mask in masks])
        loss = loss_of(self.model(x), plane(masks) / 255, plane(weights > 0), plane(edges))
        total = loss
        if self.hints is not None:
            # a teacher sees people where nobody is
            total = loss + HINT * self.hints(images, masks.any((1, 2)))
        self.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.together.average(process, [one.grad for one in self.trained if one.grad is not None])
        nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
        self.optimizer.step()
        self.step += 1
        decay = min(AVERAGED, 1 - 1 / (self.step / 4 + 1))
        with torch.no_grad():
            for kept, now in zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True):
                kept.copy_(now if not kept.is_floating_point() else torch.lerp(now, kept, decay))
        return float(loss.detach())


def groups(parameters: Sequence[nn.Parameter]) -> list[dict[str, object]]:
    """Weight decay for the convolutions only."""
    return [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": 0.02},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]


def plain(model: nn.Module) -> dict[str, Tensor]:
    """A float32 state dict, contiguous, so that the file is no larger than its numbers."""
    return {key: value.detach().contiguous().clone() for key, value in model.state_dict().items()}


def help_out(run: Run, scenes: Scenes, process: int) -> None:
    """What the processes but the first do: the same steps, with pictures of their own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    with suppress(threading.BrokenBarrierError):
        while run.step < run.args.steps:
            run.learn(scenes, process)


def steps_of(run: Run, scenes: Scenes) -> Iterator[float]:
    context = get_context("fork")
    for process in range(1, run.args.processes):
        context.Process(target=help_out, args=(run, scenes, process), daemon=True).start()
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("steps", total=run.args.steps, completed=run.step)
        while run.step < run.args.steps:
            yield run.learn(scenes, 0)
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
    parser.add_argument(
        "--teacher", type=Path, help="model file, a contract next to it, that gives --people their masks"
    )
    parser.add_argument("--backgrounds", type=Path, action="append", default=[], help="pictures with nobody in them")
    parser.add_argument("--measured", type=Path, action="append", default=[], help="as --outlined, never trained on")
    parser.add_argument("--leave-out", action="append", default=[], help="beginning of names never trained on")
    parser.add_argument(
        "--faces", action="append", default=[], help="beginning of names that are at most half of --people"
    )
    parser.add_argument("--from", dest="start", type=Path, help="a checkpoint to begin with")
    parser.add_argument("--output", type=Path, default=Path("run"))
    parser.add_argument("--steps", type=int, default=40_000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, help="default: 0.003, with --from 0.0005")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--processes", type=int, default=min(4, len(os.sched_getaffinity(0))), help="default: the cores, at most 4"
    )
    parser.add_argument("--every", type=int, default=500, help="steps between two measurements")
    parser.add_argument("--minutes", type=float, default=3, help="between two checkpoints")
    args = parser.parse_args()
    if args.lr is None:
        args.lr = 3e-3 if args.start is None else 5e-4
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    args.output.mkdir(parents=True, exist_ok=True)
    sources = read_sources(args)
    train(Run(args, teacher_maps(args.teacher, sources.scenes) if args.teacher else None), sources)


if __name__ == "__main__":
    main()
