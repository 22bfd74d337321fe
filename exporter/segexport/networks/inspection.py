"""What a checkpoint holds and which network that is; nothing of it is run."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import torch

from segexport.checkpoint import Checkpoint, read_checkpoint
from segexport.errors import ArchitectureError, MissingExtraError
from segexport.networks import Network
from segexport.networks.exported.graph import NAME as EXPORTED_GRAPH
from segexport.networks.exported.graph import rebuild_graph
from segexport.networks.libraries import described_network, prepared_as_trained, recognised_network
from segexport.networks.network import NOTHING_ASKED, Asked
from segexport.networks.recognise import recognise
from segexport.networks.user import load_user_network

_COMPARED = (
    "eps", "stride", "padding", "dilation", "groups", "output_padding", "ceil_mode", "kernel_size", "mode", "align_corners"
)  # fmt: skip
_MOST_NAMED = 3
_TOLERANCE = 1e-3


class RecognisedNetwork(TypedDict):
    """What a checkpoint was recognised as; `default_size` is [height, width]."""

    name: str
    variant: str
    reasons: list[str]
    parameters: int
    out_channels: int
    person_channel: int | None
    default_size: list[int]
    size_rule: str


class Inspection(TypedDict):
    """Container, weights and network of a checkpoint, ready for JSON. `network` is None where none fits, `problem` says why."""

    path: str
    sha256: str
    size_bytes: int
    container: str
    kind: str
    entry: str | None
    prefix: str | None
    saved_class: str | None
    tensors: int
    values: int
    dtypes: dict[str, int]
    devices: list[str]
    network: RecognisedNetwork | None
    problem: str | None
    notes: list[str]


def inspect(path: Path, asked: Asked = NOTHING_ASKED) -> Inspection:
    """What the checkpoint holds, and which network that is.

    Raises:
        CheckpointError: the file cannot be read.
    """
    checkpoint = read_checkpoint(path)
    problem, network = None, None
    try:
        network = find_network(checkpoint, asked)
    except (ArchitectureError, MissingExtraError) as error:
        problem = str(error)
    odd = [*checkpoint.notes]
    if network is not None:
        odd += [*network.notes, *setting_conflicts(checkpoint, network)]
    return {
        "path": str(path),
        "sha256": checkpoint.sha256,
        "size_bytes": sum(file.stat().st_size for file in (checkpoint.folder.files if checkpoint.folder else (path,))),
        "container": checkpoint.container,
        "kind": checkpoint.kind,
        "entry": checkpoint.entry,
        "prefix": checkpoint.prefix,
        "saved_class": checkpoint.classes.get(""),
        "tensors": len(checkpoint.state_dict),
        "values": _distinct_values(checkpoint),
        "dtypes": checkpoint.dtypes,
        "devices": list(checkpoint.devices),
        "network": None if network is None else _describe(network),
        "problem": problem,
        "notes": odd,
    }


def find_network(checkpoint: Checkpoint, asked: Asked = NOTHING_ASKED) -> Network:
    """The network that the user named, or that was described next to the weights, or else the one that keys and shapes fit:
    one of ours, the graph in the file, or an installed library's.

    Raises:
        ArchitectureError: none fits, or the named one does not.
        MissingExtraError: it is a library's, which is not installed.
    """
    described = described_network(checkpoint, asked)
    if described is not None:
        return prepared_as_trained(checkpoint, described)
    if asked.arch is not None:
        return load_user_network(asked, checkpoint.state_dicts())
    for option, given in (("--arch-args", asked.arch_args), ("--set", asked.forward_args)):
        if given:
            raise ArchitectureError(f"{option} is for your own class; give --arch package.module:factory too")
    try:
        return prepared_as_trained(checkpoint, recognise(checkpoint.state_dict, checkpoint.classes))
    except ArchitectureError:
        if checkpoint.graph is not None:
            return rebuild_graph(checkpoint.graph, asked)
        recognised = recognised_network(checkpoint, asked)
        if recognised is None:
            raise
    return prepared_as_trained(checkpoint, recognised)


def setting_conflicts(checkpoint: Checkpoint, network: Network) -> list[str]:
    """Where a saved module's own settings (eps, stride, dilation …) differ from the network that was rebuilt.

    Keys and shapes do not show such settings, so a module that was changed by hand would otherwise run differently unseen.
    """
    found = []
    for path, module in network.module.named_modules():
        saved = checkpoint.settings.get(path, {})
        for name in _COMPARED:
            ours = getattr(module, name, None)
            if name in saved and ours is not None and _pair(saved[name]) != _pair(ours):
                found.append(f"{path}.{name} is {saved[name]} in the saved module, {ours} in {network.name}")
    if not found:
        return _graph_conflicts(checkpoint, network)
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    shown = "; ".join(found[:_MOST_NAMED])
    return [f"the saved module has settings of its own, so the mask may differ from yours: {shown}{more}; give --arch"]


def _graph_conflicts(checkpoint: Checkpoint, network: Network) -> list[str]:
    """Where a `.pt2` was recognised by its keys, and its own graph gives other values for one picture, a ramp of -1..1."""
    if checkpoint.graph is None or network.name == EXPORTED_GRAPH:
        return []
    try:
        own = rebuild_graph(checkpoint.graph)
        height, width = own.default_size
        network.check_size(height, width)
    except ArchitectureError:
        return []  # a graph that cannot be rebuilt cannot be compared
    picture = torch.linspace(-1, 1, height * width).reshape(1, 1, height, width).expand(1, 3, height, width)
    with torch.inference_mode():
        theirs, ours = own.module(picture), network.module(picture)
    if theirs.shape == ours.shape and torch.allclose(theirs, ours, rtol=_TOLERANCE, atol=_TOLERANCE):
        return []
    return [
        f"the file's own graph gives other values than {network.name} with these weights; give --arch with your class"
    ]


def _describe(network: Network) -> RecognisedNetwork:
    return {
        "name": network.name,
        "variant": network.variant,
        "reasons": list(network.reasons),
        "parameters": network.parameters,
        "out_channels": network.out_channels,
        "person_channel": network.person_channel,
        "default_size": list(network.default_size),
        "size_rule": network.size_rule,
    }


def _distinct_values(checkpoint: Checkpoint) -> int:
    return sum(tensor.numel() for tensor in {id(t): t for t in checkpoint.state_dict.values()}.values())


def _pair(value: object) -> object:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return (value, value)
    return tuple(value) if isinstance(value, (list, tuple)) else value
