"""`.pt2` archives (`torch.export.save`): weights by name as raw bytes, and the graph as JSON.

Three layouts: raw weights with a JSON list of them (PyTorch 2.9 on), `data/weights/model.pt` (2.8), and
`serialized_state_dict.pt` at the top (2.2 to 2.7). The last two are pickles, which the inert machine reads. Example inputs and
pickled objects are never opened, compiled code (AOTInductor) is refused.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from segexport.checkpoint.formats.pt2_tensors import refs_of
from segexport.checkpoint.formats.zip_container import (
    ZipStorages,
    check_byte_order,
    open_archive,
    read_entry,
    read_root,
)
from segexport.checkpoint.pickle.inert import TensorRef, Unreadable, mapping_of
from segexport.checkpoint.tensors import MAX_GROWTH, SMALL_BYTES, load_tensors
from segexport.errors import CheckpointError, DamagedCheckpointError, NotACheckpointError, shown
from segruntime.strict_json import parse_json

MAX_JSON_BYTES = 32 * 2**20  # DeepLabV3-ResNet101 takes 2
MAX_ASKED = 20
OLD_PROGRAM = "serialized_exported_program.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedGraph:
    """A graph that was saved next to its weights: plain data, nothing of it was run.

    `program` is the parsed JSON of torch's `ExportedProgram`; `tensors` are the weights under their full names, prefixes not
    stripped; `constants` the tensors that are no part of a state dict.
    """

    program: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    constants: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pt2:
    """What a .pt2 holds; `dtypes` and `devices` by key are as saved."""

    tensors: dict[str, Tensor]
    dtypes: dict[str, str]
    devices: dict[str, str]
    graph: SavedGraph
    saved_class: str


def is_pt2(names: Iterable[str]) -> bool:
    """Whether a zip with these entries is what `torch.export.save` writes, or AOTInductor."""
    return any(name.rpartition("/")[2] in ("archive_format", OLD_PROGRAM) and name.count("/") < 2 for name in names)


def read_pt2(path: Path, archive: zipfile.ZipFile) -> Pt2:
    """Weights, constants and graph of an open archive.

    Raises:
        CheckpointError: see `read_checkpoint`.
    """
    folder, model = _program_entry(path, archive)
    check_byte_order(path, archive, folder)
    program = _json(path, archive, model)
    name = model.rpartition("/")[2].removesuffix(".json")
    refs, load = _weights(path, archive, folder, name)
    if not refs:
        raise CheckpointError(f"{path}: holds a graph without weights, expected a trained network. Export it again")
    tensors = load(refs)
    graph = SavedGraph(program=program, tensors=tensors, constants=_constants(path, archive, folder, name))
    return Pt2(
        tensors=tensors,
        dtypes={key: str(ref.dtype).removeprefix("torch.") for key, ref in refs.items()},
        devices={key: ref.storage.device for key, ref in refs.items()},
        graph=graph,
        saved_class=_saved_class(program),
    )


def _program_entry(path: Path, archive: zipfile.ZipFile) -> tuple[str, str]:
    """The folder of everything, with its slash, and the name of the graph's entry."""
    names = archive.namelist()
    if OLD_PROGRAM in names:
        return "", OLD_PROGRAM
    folder = next(name for name in names if name.rpartition("/")[2] == "archive_format").removesuffix("archive_format")
    models = [name for name in names if name.startswith(f"{folder}models/") and name.endswith(".json")]
    if not models:
        raise NotACheckpointError(
            path,
            "a .pt2 without a graph (compiled machine code of AOTInductor)",
            "Give what torch.export.save wrote, or the checkpoint",
        )
    if len(models) > 1 and f"{folder}models/model.json" not in models:
        raise CheckpointError(
            f"{path}: holds {len(models)} networks, {', '.join(shown(n.rpartition('/')[2]) for n in models[:5])}; "
            "expected one. Save each with torch.export.save"
        )
    return folder, f"{folder}models/model.json" if len(models) > 1 else models[0]


def _json(path: Path, archive: zipfile.ZipFile, entry: str) -> dict[str, Any]:
    size = archive.NameToInfo[entry].file_size
    if size > MAX_JSON_BYTES:
        raise DamagedCheckpointError(path, f"{shown(entry)} has {size:,} bytes, the limit is {MAX_JSON_BYTES:,}")
    try:
        value = parse_json(read_entry(path, archive, entry).decode("utf-8"))
    except ValueError as error:
        raise DamagedCheckpointError(path, f"{shown(entry)} is no valid JSON ({shown(str(error))})") from error
    if not isinstance(value, dict):
        raise DamagedCheckpointError(path, f"{shown(entry)} is no JSON object")
    return value


Loader = Callable[[dict[str, TensorRef]], dict[str, Tensor]]


def _weights(path: Path, archive: zipfile.ZipFile, folder: str, name: str) -> tuple[dict[str, TensorRef], Loader]:
    listed = f"{folder}data/weights/{name}_weights_config.json"
    if listed in archive.NameToInfo:
        return _listed(path, archive, folder, listed, "weights")
    for pickled in ("serialized_state_dict.pt", f"{folder}data/weights/{name}.pt"):
        if pickled in archive.NameToInfo:
            return _pickled(path, archive, pickled)
    raise DamagedCheckpointError(path, "a .pt2 whose weights are missing, or are those of PyTorch before 2.2")


def _constants(path: Path, archive: zipfile.ZipFile, folder: str, name: str) -> dict[str, Tensor]:
    listed = f"{folder}data/constants/{name}_constants_config.json"
    if listed in archive.NameToInfo:
        refs, load = _listed(path, archive, folder, listed, "constants")
        return load(refs)
    for pickled in ("serialized_constants.pt", f"{folder}data/constants/{name}.pt"):
        if pickled in archive.NameToInfo:
            refs, load = _pickled(path, archive, pickled)
            return load(refs)
    return {}


def _listed(
    path: Path, archive: zipfile.ZipFile, folder: str, entry: str, kind: str
) -> tuple[dict[str, TensorRef], Loader]:
    storages = ZipStorages(path, archive, folder)
    refs = refs_of(path, _json(path, archive, entry), kind, storages)
    return refs, lambda wanted: load_tensors(path, wanted, storages)


def _pickled(path: Path, archive: zipfile.ZipFile, entry: str) -> tuple[dict[str, TensorRef], Loader]:
    """The state dict of an archive in the archive; its values are copied, so that nothing of it stays open."""
    size, limit = archive.NameToInfo[entry].file_size, SMALL_BYTES + MAX_GROWTH * path.stat().st_size
    if size > limit:
        raise DamagedCheckpointError(path, f"{shown(entry)} declares {size:,} bytes, the limit is {limit:,}")
    inner = open_archive(path, read_entry(path, archive, entry))
    root, storages = read_root(path, inner)
    refs = {}
    for key, value in (mapping_of(root) or {}).items():
        if not isinstance(key, str):
            raise DamagedCheckpointError(path, f"a key of {shown(entry)} is no text")
        if isinstance(value, Unreadable):
            raise CheckpointError(
                f"{path}: {shown(key)} is {value.reason}, expected plain floating values. Export the float model"
            )
        if isinstance(value, TensorRef):
            refs[key] = value
    return refs, lambda wanted: load_tensors(path, wanted, storages)


def _saved_class(program: Mapping[str, Any]) -> str:
    """The class of the network, as the first nodes remember where they came from; "" where they do not."""
    try:
        nodes = program["graph_module"]["graph"]["nodes"][:MAX_ASKED]
        stacks = [node["metadata"].get("nn_module_stack", "") for node in nodes]
        first = next((stack for stack in stacks if stack.startswith("L__self__,,")), "")
        return shown(first.split(";")[0].removeprefix("L__self__,,"))
    except (KeyError, TypeError, AttributeError):
        return ""
