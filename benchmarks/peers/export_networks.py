"""The networks that are exported next to others: a checkpoint, what of it is deployed, and how far a file is from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

import segruntime
from segbench.frames.drawn import Frame, drawn_frame
from segbench.latency.mask_check import check_mask
from segexport.checkpoint import read_checkpoint
from segexport.networks import ARCHITECTURES
from segexport.networks.inspection import find_network
from segexport.pictures.files import draw_pictures
from segexport.presets import PREPROCESSING
from segexport.subject.deploy import Deployable, choose_head
from segruntime.model_file.contract import EXAMPLE, Contract

NETWORKS = ("demo", "unet31m")
LARGEST_DIFFERENCE = 2e-3
"""Of a probability: a file further away than this is another network."""
_DEMO = Path(__file__).resolve().parents[2] / "examples" / "portrait_unet.pth"


def checkpoint_of(name: str, size: int, folder: Path) -> Path:
    """`demo`: the trained one of examples/. `unet31m`: random weights, written into `folder`."""
    if name == "demo":
        return _DEMO
    path = folder / f"{name}.pth"
    save_random("unet", size, path)
    return path


def save_random(architecture: str, size: int, path: Path) -> int:
    """The architecture's usual member with random weights; gives its number of parameters.

    Its batch norms have seen pictures, so that no layer fades out.
    """
    torch.manual_seed(3)
    module = ARCHITECTURES[architecture].plan({}).module.to_empty(device="cpu")
    for part in module.modules():
        if callable(reset := getattr(part, "reset_parameters", None)):
            reset()
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None  # plain averages
    pictures = drawn_pictures(2, size).transpose(0, 3, 1, 2) / np.float32(127.5) - 1
    with torch.inference_mode():
        module.train()(torch.from_numpy(pictures))
    torch.save(module.state_dict(), path)
    return count_parameters(module)


def count_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def drawn_pictures(count: int, size: int) -> npt.NDArray[np.uint8]:
    """`(count, size, size, 3) uint8, RGB`: those that segexport draws, at the network's size."""
    shrunk: Sequence[Frame] = [np.asarray(cv2.resize(one, (size, size)), np.uint8) for one in draw_pictures(count)]
    return np.stack(shrunk)[..., ::-1]


def load_graph(checkpoint: Path) -> Deployable:
    """The network with what is needed around it, as `segexport tflite CKPT --preprocess imagenet` makes it."""
    network = find_network(read_checkpoint(checkpoint))
    head = choose_head("auto", network, None)
    return Deployable(network.module, PREPROCESSING["imagenet"], "rgb", head).eval().requires_grad_(False)


def difference(graph: Deployable, tflite: Path, size: int) -> float:
    """The largest difference of the probability between PyTorch and a float32 .tflite, on a drawn frame."""
    frame = drawn_frame(size, size)
    segmenter = segruntime.load(tflite, contract=_contract(size))
    found = segmenter.probability(segmenter.invoke(segmenter.preprocess(frame)))
    rgb = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.float32) / np.float32(255)
    with torch.inference_mode():
        wanted = np.asarray(graph(torch.from_numpy(rgb.transpose(2, 0, 1)[None]))[0, 0].numpy(), np.float32)
    check_mask(wanted, "the network", "the drawn frame")
    return float(np.abs(found - wanted).max())


def _contract(size: int) -> Contract:
    return replace(
        EXAMPLE,
        input=replace(EXAMPLE.input, width=size, height=size),
        output=replace(EXAMPLE.output, width=size, height=size),
    )
