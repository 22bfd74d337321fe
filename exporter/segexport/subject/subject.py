"""What is exported: its size, where it comes from, how its ONNX is written and what it says itself of a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import nn

from segexport.checkpoint import read_checkpoint
from segexport.compare.flips import Flips, audit_flips, choices_of
from segexport.compare.reference import Reference
from segexport.convert.torch_rewrites.lower import Rewritten
from segexport.convert.trace.onnx_export import write_onnx
from segexport.convert.trace.program_export import write_program
from segexport.errors import MissingExtraError
from segexport.networks import Network
from segexport.networks.in_memory import take_module
from segexport.networks.inspection import find_network, setting_conflicts
from segexport.networks.libraries.hf import with_its_labels
from segexport.networks.network import Asked
from segexport.networks.recognise import with_its_familys_pictures
from segexport.networks.user import network_of
from segexport.options import Options
from segexport.pictures.files import Picture
from segexport.presets import COLORS, Preprocessing, choose_preprocessing
from segexport.subject.ask import ask_pytorch
from segexport.subject.deploy import Deployable, choose_head
from segexport.subject.foreign.input import OnnxSubject, is_onnx, open_onnx_subject
from segruntime.model_file.contract import Source

Say = Callable[[str], None]
Audit = Callable[[Path, npt.NDArray[np.uint8]], Flips]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxFile:
    """What was rewritten for the ONNX file, and how its argmax flips are counted; None where nothing can flip.

    `write_program` writes the same network as torch.export saves it; None where there is no PyTorch.
    """

    rewrites: tuple[Rewritten, ...] = ()
    seldom_converted: tuple[str, ...] = ()
    audit: Audit | None = None
    write_program: Callable[[Path], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """`size` is (height, width); `ask` gives the masks that every file is compared with."""

    source: Source
    variant: str
    assumed_head: str | None
    """What was put behind the network though neither the user nor the network said how it ends."""
    size: tuple[int, int]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    has_program: bool
    """Whether it is PyTorch, so that `write_onnx` gives a way to write its program too."""
    write_onnx: Callable[[Path], OnnxFile]
    ask: Callable[[Sequence[Picture], tuple[str, ...], Say], Reference]


def prepare(options: Options, module: object = None) -> Subject:
    """Read the checkpoint or the foreign ONNX file, or take `module` as it is; put preprocessing and head around it."""
    if module is not None:
        return _from_module(options, module)
    return _from_onnx(options) if is_onnx(options.checkpoint) else _from_checkpoint(options)


def _from_checkpoint(options: Options) -> Subject:
    said = _preprocessing(options)
    checkpoint = read_checkpoint(options.checkpoint)
    network = find_network(checkpoint, _asked(options))
    options, preprocessing, assumed = _as_trained(options, network, said)
    return _of_network(
        options,
        network,
        source=_source(options, checkpoint.sha256, network, preprocessing),
        preprocessing=preprocessing,
        notes=(*checkpoint.notes, *network.notes),
        warnings=(*assumed, *setting_conflicts(checkpoint, network)),
    )


def _from_module(options: Options, module: object) -> Subject:
    said = _preprocessing(options)
    asked = _asked(options)
    taken = take_module(module, asked)
    network = network_of(taken.name, taken.module, asked, reasons=("it was given in memory",), notes=taken.notes)
    network = with_its_familys_pictures(with_its_labels(network, taken.module), taken.module.state_dict())
    options, preprocessing, assumed = _as_trained(options, network, said)
    return _of_network(
        options,
        network,
        source=_source(options, taken.sha256, network, preprocessing),
        preprocessing=preprocessing,
        notes=network.notes,
        warnings=assumed,
    )


def _as_trained(
    options: Options, network: Network, said: tuple[Preprocessing, tuple[str, ...]]
) -> tuple[Options, Preprocessing, tuple[str, ...]]:
    """What the user said of the pictures, else what is known of the network's, else what is assumed, with a sentence on it."""
    if network.preprocessing is not None and (options.preprocess, options.mean, options.std) == (None, None, None):
        return replace(options, color=options.color or network.color), network.preprocessing, ()
    return options, *said


def _preprocessing(options: Options) -> tuple[Preprocessing, tuple[str, ...]]:
    preprocessing, assumed = choose_preprocessing(options.preprocess, options.mean, options.std, options.scale)
    return preprocessing, (assumed,) if assumed else ()


def _asked(options: Options) -> Asked:
    return Asked(
        arch=options.arch,
        arch_args=options.arch_args,
        forward_args=options.forward_args,
        output=options.output_index,
        size=options.size,
        layout=options.layout,
    )


def _of_network(
    options: Options,
    network: Network,
    *,
    source: Source,
    preprocessing: Preprocessing,
    notes: tuple[str, ...],
    warnings: tuple[str, ...],
) -> Subject:
    size = options.size or network.default_size
    network.check_size(*size)
    head = choose_head(options.head, network, options.person)
    graph = Deployable(network.module, preprocessing, options.color or COLORS[0], head).eval()
    return Subject(
        source=source,
        variant=network.variant,
        assumed_head=head.head if options.head == "auto" and network.end is None else None,
        size=size,
        notes=notes,
        warnings=warnings,
        has_program=True,
        write_onnx=partial(_write, graph, size),
        ask=lambda pictures, names, say: ask_pytorch(graph, pictures, names, size, say),
    )


def _write(graph: Deployable, size: tuple[int, int], path: Path) -> OnnxFile:
    lowered = write_onnx(graph, *size, path)
    can_flip = bool(choices_of(lowered.module))
    audit: Audit | None = partial(_audit, graph, lowered.module) if can_flip else None
    return OnnxFile(
        rewrites=lowered.rewrites,
        seldom_converted=lowered.seldom_converted,
        audit=audit,
        write_program=partial(write_program, lowered.program),
    )


def _audit(graph: nn.Module, lowered: nn.Module, path: Path, frames: npt.NDArray[np.uint8]) -> Flips:
    return audit_flips(path, graph, lowered, frames)


def _source(options: Options, sha256: str, network: Network, preprocessing: Preprocessing) -> Source:
    return Source(
        checkpoint=options.name if options.checkpoint.is_dir() else options.checkpoint.name,
        sha256=sha256,
        architecture=network.name,
        parameters=network.parameters,
        preprocessing=preprocessing.name,
        mean=preprocessing.mean,
        std=preprocessing.std,
        color=options.color or COLORS[0],
    )


def _from_onnx(options: Options) -> Subject:
    given = {
        "--arch": options.arch is not None,
        "--arch-args": bool(options.arch_args),
        "--set": bool(options.forward_args),
        "--layout": options.layout != "NCHW",
    }
    for option in (name for name, is_given in given.items() if is_given):
        raise ValueError(f"{option}: an ONNX file holds its network; leave {option} out")
    said = options.preprocess is not None or options.mean is not None or options.std is not None
    preprocessing, assumed = (
        choose_preprocessing(options.preprocess, options.mean, options.std, options.scale) if said else (None, None)
    )
    subject = open_onnx_subject(
        options.checkpoint,
        preprocessing=preprocessing,
        color=options.color or COLORS[0],
        head=options.head,
        person=options.person,
        size=options.size,
        output=options.output_index,
    )
    return Subject(
        source=_source_of_onnx(subject),
        variant=f"the graph of {subject.name}",
        assumed_head=subject.assumed_head,
        size=subject.size,
        notes=subject.notes,
        warnings=(assumed,) if assumed else (),
        has_program=False,
        write_onnx=partial(_write_foreign, subject),
        ask=subject.reference,
    )


def _write_foreign(subject: OnnxSubject, path: Path) -> OnnxFile:
    """The file as it was made deployable, in forms that converters get right; `ask` asks it without them."""
    try:
        import onnx_ir
    except ImportError as error:
        raise MissingExtraError("onnx_ir", "export") from error
    from segexport.convert.rewrites.rewrite import rewrite_onnx
    from segexport.convert.seldom import seldom_converted

    subject.write(path)
    model = onnx_ir.load(path)
    rewrites = rewrite_onnx(model)
    if rewrites:
        onnx_ir.save(model, path)
    return OnnxFile(rewrites=rewrites, seldom_converted=seldom_converted(model))


def _source_of_onnx(subject: OnnxSubject) -> Source:
    """As its own contract says, where it is a file of ours; else what can be seen."""
    if subject.contract is not None and subject.contract.source is not None:
        return subject.contract.source
    preprocessing = subject.preprocessing
    return Source(
        checkpoint=subject.path.name,
        sha256=subject.sha256,
        architecture="onnx",
        parameters=subject.parameters,
        preprocessing="inside the file" if preprocessing is None else preprocessing.name,
        mean=None if preprocessing is None else preprocessing.mean,
        std=None if preprocessing is None else preprocessing.std,
        color=subject.color,
    )
