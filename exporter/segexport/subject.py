"""What is exported: its size, where it comes from, how its ONNX is written and what it says itself of a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from segexport.checkpoint import Checkpoint, read_checkpoint
from segexport.convert.onnx_export import write_onnx
from segexport.deploy import Deployable, choose_head
from segexport.inspection import find_network, setting_conflicts
from segexport.networks import Network
from segexport.options import Options
from segexport.pictures import Picture
from segexport.presets import Preprocessing, choose_preprocessing
from segexport.reference import Reference, ask_pytorch
from segruntime.contract import Source

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """`size` is (height, width); `ask` gives the masks that every file is compared with."""

    source: Source
    variant: str
    size: tuple[int, int]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    write_onnx: Callable[[Path], None]
    ask: Callable[[Sequence[Picture], tuple[str, ...], Say], Reference]


def prepare(options: Options) -> Subject:
    """Read the checkpoint, find its network, and put preprocessing and head around it."""
    preprocessing, assumed = choose_preprocessing(options.preprocess, options.mean, options.std)
    checkpoint = read_checkpoint(options.checkpoint)
    network = find_network(checkpoint, options.arch)
    size = options.size or network.default_size
    network.check_size(*size)
    graph = Deployable(
        network.module, preprocessing, options.color, choose_head(options.head, network, options.person)
    ).eval()
    return Subject(
        source=_source(options, checkpoint, network, preprocessing),
        variant=network.variant,
        size=size,
        notes=(*checkpoint.notes, *network.notes),
        warnings=(*([assumed] if assumed else []), *setting_conflicts(checkpoint, network)),
        write_onnx=lambda path: write_onnx(graph, *size, path),
        ask=lambda pictures, names, say: ask_pytorch(graph, pictures, names, size, say),
    )


def _source(options: Options, checkpoint: Checkpoint, network: Network, preprocessing: Preprocessing) -> Source:
    return Source(
        checkpoint=options.checkpoint.name,
        sha256=checkpoint.sha256,
        architecture=network.name,
        parameters=network.parameters,
        preprocessing=preprocessing.name,
        mean=preprocessing.mean,
        std=preprocessing.std,
        color=options.color,
    )
