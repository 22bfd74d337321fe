"""Read what the user gave, recognise it, and put preprocessing and head around it."""

from __future__ import annotations

from segexport.checkpoint import read_checkpoint
from segexport.networks import Network
from segexport.networks.in_memory import take_module
from segexport.networks.inspection import find_network, setting_conflicts
from segexport.networks.libraries.hf import with_its_labels
from segexport.networks.network import Asked
from segexport.networks.recognise import with_its_familys_pictures
from segexport.networks.user import network_of
from segexport.options import Options
from segexport.presets import COLORS, Preprocessing, choose_preprocessing
from segexport.subject.deploy import Deployable, choose_head
from segexport.subject.foreign.open import is_onnx, open_onnx_subject
from segexport.subject.pytorch import PyTorchSubject
from segexport.subject.subject import Subject
from segruntime.model_file.contract import Source

Said = tuple[Preprocessing, tuple[str, ...]]
"""What the user said of the pictures, else what is assumed, with a sentence on it."""


def prepare(options: Options, module: object = None) -> Subject:
    """The checkpoint or the foreign ONNX file of the options, or `module` as it is."""
    if module is not None:
        return _from_module(options, module)
    return _from_onnx(options) if is_onnx(options.checkpoint) else _from_checkpoint(options)


def _from_checkpoint(options: Options) -> Subject:
    said = _said(options)
    checkpoint = read_checkpoint(options.checkpoint)
    network = find_network(checkpoint, _asked(options))
    conflicts = setting_conflicts(checkpoint, network)
    return _of_network(options, network, checkpoint.sha256, said, notes=checkpoint.notes, conflicts=conflicts)


def _from_module(options: Options, module: object) -> Subject:
    said, asked = _said(options), _asked(options)
    taken = take_module(module, asked)
    network = network_of(taken.name, taken.module, asked, reasons=("it was given in memory",), notes=taken.notes)
    network = with_its_familys_pictures(with_its_labels(network, taken.module), taken.module.state_dict())
    return _of_network(options, network, taken.sha256, said)


def _from_onnx(options: Options) -> Subject:
    given = {
        "--arch": options.arch is not None,
        "--arch-args": bool(options.arch_args),
        "--set": bool(options.forward_args),
        "--layout": options.layout != "NCHW",
    }
    for option in (name for name, is_given in given.items() if is_given):
        raise ValueError(f"{option}: an ONNX file holds its network; leave {option} out")
    preprocessing, warnings = _said(options) if options.says_pictures else (None, ())
    return open_onnx_subject(options, preprocessing, warnings)


def _said(options: Options) -> Said:
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
    sha256: str,
    said: Said,
    *,
    notes: tuple[str, ...] = (),
    conflicts: list[str] | None = None,
) -> Subject:
    (preprocessing, assumed), color = said, options.color or COLORS[0]
    if network.preprocessing is not None and not options.says_pictures:
        preprocessing, color, assumed = network.preprocessing, options.color or network.color, ()
    size = options.size or network.default_size
    network.check_size(*size)
    head = choose_head(options.head, network, options.person)
    return PyTorchSubject(
        graph=Deployable(network.module, preprocessing, color, head).eval(),
        source=Source(
            checkpoint=options.name if options.checkpoint.is_dir() else options.checkpoint.name,
            sha256=sha256,
            architecture=network.name,
            parameters=network.parameters,
            preprocessing=preprocessing.name,
            mean=preprocessing.mean,
            std=preprocessing.std,
            color=color,
        ),
        variant=network.variant,
        assumed_head=head.head if options.head == "auto" and network.end is None else None,
        size=size,
        notes=(*notes, *network.notes),
        warnings=(*assumed, *(conflicts or ())),
    )
