"""What a teacher's inner maps say of a training picture (hints: Romero et al. 2015): far more numbers than its mask."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import flatbuffers
import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from augment import Image, Numbers
from scenes import Scenes
from torch import Tensor, nn
from torch.nn import functional as F

from segruntime.model_file.contract import Contract, require_contract
from segruntime.model_file.entries import model_kind
from segruntime.preprocess import Preprocessor

SMALLEST = 8
"""Of the maps; what is smaller may be weights."""
SPREAD_OVER = 100
"""Pictures that tell the mean and the spread of each channel."""


def last_maps(graph: schema.SubGraphT) -> dict[int, int]:
    """Height of the map → index of the last square float32 map of that height; the mask itself and the input are none."""
    shapes = [tuple(tensor.shape) for tensor in graph.tensors]
    outputs = [int(operator.outputs[0]) for operator in graph.operators]
    made = [index for index in outputs if graph.tensors[index].type == schema.TensorType.FLOAT32]
    largest = shapes[int(graph.inputs[0])][1]
    return {
        int(shapes[index][1]): index
        for index in made
        if len(shapes[index]) == 4 and shapes[index][1] == shapes[index][2] and SMALLEST <= shapes[index][1] < largest
    }


class TeacherMaps:
    """A TFLite file that gives its inner maps away: the last one of each size, float32."""

    def __init__(self, path: Path, contract: Contract) -> None:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
        graph = model.subgraphs[0]
        self.maps = last_maps(graph)
        graph.outputs = list(self.maps.values())
        model.signatureDefs = []
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        self.file = bytes(builder.Output())
        self.channels = {height: int(graph.tensors[index].shape[3]) for height, index in self.maps.items()}
        self.preprocess = Preprocessor(contract.input)
        self.height = contract.input.height
        self.mean: dict[int, Tensor] = {}
        self.spread: dict[int, Tensor] = {}
        self.interpreter: Interpreter | None = None

    def opened(self) -> Interpreter:
        """Each process has an interpreter of its own."""
        interpreter = Interpreter(model_content=self.file, num_threads=1)
        interpreter.allocate_tensors()
        return interpreter

    def learn_spread(self, images: Iterable[Image]) -> None:
        seen = [self.raw(image) for image in images]
        for height in self.maps:
            values = torch.stack([maps[height] for maps in seen])
            self.mean[height] = values.mean((0, 2, 3), keepdim=True)
            self.spread[height] = values.std((0, 2, 3), keepdim=True) + 1e-3

    def raw(self, image: Image) -> dict[int, Tensor]:
        """`(H, W, 3) uint8 RGB` → height of the map → `(C, h, w)`"""
        self.interpreter = interpreter = self.interpreter or self.opened()
        x = self.preprocess(np.ascontiguousarray(image[..., ::-1]))
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        tensors = {height: interpreter.get_tensor(index)[0] for height, index in self.maps.items()}
        return {height: torch.from_numpy(tensor).permute(2, 0, 1) for height, tensor in tensors.items()}

    def __call__(self, images: Iterable[Image]) -> dict[int, Tensor]:
        """Height of the map → `(N, C, h, w)`, channels of mean 0 and spread 1 over many pictures."""
        seen = [self.raw(image) for image in images]
        return {
            height: (torch.stack([maps[height] for maps in seen]) - self.mean[height]) / self.spread[height]
            for height in self.maps
        }


class Hints(nn.Module):
    """What a MobileUNet's last map of each size tells of the teacher's, through one 1x1 convolution each."""

    def __init__(self, network: nn.Module, teacher: TeacherMaps) -> None:
        super().__init__()
        self.teacher = teacher
        self.seen: dict[str, Tensor] = {}
        tell = {}
        for index, blend in enumerate(network.blend):  # type: ignore[arg-type]
            height = teacher.height >> (len(network.blend) - index)  # type: ignore[arg-type]
            if height in teacher.channels:
                width = [part.num_features for part in blend.modules() if isinstance(part, nn.BatchNorm2d)][-1]
                tell[str(height)] = nn.Conv2d(width, teacher.channels[height], 1)
                blend.register_forward_hook(partial(self._see, str(height)))
        self.tell = nn.ModuleDict(tell)

    def _see(self, height: str, _module: nn.Module, _given: object, made: Tensor) -> None:
        self.seen[height] = made

    def forward(self, images: Image, asked: Numbers) -> Tensor:
        """Mean squared difference, for those that are `asked` for of the pictures that the network has just seen."""
        if not self.tell or not asked.any():
            return sum((one.sum() * 0 for one in self.parameters()), torch.zeros(()))
        wanted = self.teacher(images[asked])
        losses = []
        for height, tell in self.tell.items():
            told = tell(self.seen[height][torch.from_numpy(asked)])
            target = F.interpolate(wanted[int(height)], size=told.shape[2:], mode="area")
            losses.append(F.mse_loss(told, target))
        return torch.stack(losses).mean()


def teacher_maps(path: Path, scenes: Scenes) -> TeacherMaps | None:
    """Of a .tflite that computes in float32; another file's maps cannot be had, and it says so."""
    maps = TeacherMaps(path, require_contract(path, None)) if model_kind(path) == "tflite" else None
    if maps is None or not maps.maps:
        print(
            f"{path}: its inner maps cannot be had, expected a float .tflite; only its masks are learned",
            file=sys.stderr,
        )
        return None
    rng = np.random.default_rng(0)
    samples = [scenes.sample(maps.height, rng) for _ in range(SPREAD_OVER)]
    maps.learn_spread(image for image, mask, _ in samples if mask.any())
    maps.interpreter = None
    return maps
