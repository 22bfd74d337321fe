"""A checkpoint file → its state dict and what is known about it. Nothing that the file names is imported or run."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segexport.checkpoint.containers import Container, container_of
from segexport.checkpoint.folder import SavedFolder, open_folder
from segexport.checkpoint.formats import legacy_container, torchscript, zip_container
from segexport.checkpoint.formats.pt2_container import SavedGraph, is_pt2, read_pt2
from segexport.checkpoint.formats.safetensors_container import read_safetensors
from segexport.checkpoint.pickle.inert import Inert, TensorRef, Unreadable, is_module, mapping_of
from segexport.checkpoint.pickle.module_tree import ModuleTree, Plain, rebuild_module
from segexport.checkpoint.prefixes import Stripped, common_prefix, prefix_levels, prefix_notes, strip_keys, strip_paths
from segexport.checkpoint.tensors import Storages, load_tensors
from segexport.checkpoint.training_dict import find_weights, hyper_parameters
from segexport.errors import CheckpointError, DamagedCheckpointError, shown
from segexport.output import files_sha256

MAX_KEY_LENGTH = 500
MAX_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A state dict on the CPU, floating tensors as contiguous float32, and where it came from."""

    path: Path
    sha256: str
    container: str  # "zip", "legacy", "safetensors", "torchscript", "pt2"
    kind: str  # "state dict", "training dict", "module", "exported program"
    entry: str | None  # key of the training dict, such as "ema.state_dict"
    prefix: str  # what was stripped from every key, such as "module._orig_mod."
    state_dict: dict[str, Tensor]  # shared tensors stand under each of their keys, as one object
    saved: dict[str, Tensor]  # the same before `prefix` was stripped, with what stands next to the network
    dtypes: dict[str, int]  # as saved: dtype → tensors
    devices: tuple[str, ...]  # as saved
    classes: dict[str, str]  # of a module: path → class, "" is the root
    settings: dict[str, dict[str, Plain]]  # of a module: path → plain attributes
    notes: tuple[str, ...]
    graph: SavedGraph | None = None  # of a .pt2, as data
    folder: SavedFolder | None = None  # what save_pretrained wrote next to the weights, as data
    hyper_parameters: Mapping[str, object] = field(default_factory=dict)  # of a Lightning checkpoint, as data

    def state_dicts(self) -> list[dict[str, Tensor]]:
        """`saved`, then with one prefix after the other taken off, `state_dict` at last."""
        return [strip_keys(self.saved, prefix) for prefix in prefix_levels(self.prefix)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weights:
    """A state dict as saved, before prefixes are stripped."""

    container: str
    tensors: dict[str, Tensor]
    dtypes: dict[str, str]
    devices: dict[str, str]
    kind: str
    entry: str | None = None
    tree: ModuleTree | None = None
    notes: tuple[str, ...] = ()
    graph: SavedGraph | None = None
    hyper_parameters: Mapping[str, object] = field(default_factory=dict)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """The weights of what torch.save, torch.jit.save, torch.export.save, safetensors or, a folder, save_pretrained wrote.

    Raises:
        CheckpointError: why the file is refused, in one line.
    """
    path = Path(path)
    folder = open_folder(path) if path.is_dir() else None
    files = folder.files if folder else (path,)
    parts = [_read(file, container_of(file)) for file in files]
    sha256 = files_sha256(files)
    weights = parts[0] if folder is None else _together(folder, parts)
    stripped = common_prefix(weights.tensors)
    state_dict = strip_keys(weights.tensors, stripped.prefix)
    kept = [key for key in weights.tensors if key.startswith(stripped.prefix)]
    dtypes = dict(Counter(weights.dtypes[key] for key in kept))
    return Checkpoint(
        path=path,
        sha256=sha256,
        container=weights.container,
        kind=weights.kind,
        entry=weights.entry,
        prefix=stripped.prefix,
        state_dict=state_dict,
        saved=weights.tensors,
        dtypes=dtypes,
        devices=tuple(dict.fromkeys(weights.devices[key] for key in kept)),
        classes=strip_paths(weights.tree.classes, stripped.prefix) if weights.tree else {},
        settings=strip_paths(weights.tree.settings, stripped.prefix) if weights.tree else {},
        notes=(
            *weights.notes,
            *prefix_notes(stripped),
            *_module_notes(weights.tree, stripped),
            *_value_notes(state_dict, dtypes),
        ),
        graph=weights.graph,
        folder=folder,
        hyper_parameters=weights.hyper_parameters,
    )


def _together(folder: SavedFolder, parts: list[_Weights]) -> _Weights:
    """The weights of a folder's files as those of one."""
    for name, key in ((name, key) for key, name in folder.weight_map.items()):
        if all(key not in part.tensors for part in parts):
            raise DamagedCheckpointError(folder.files[0].with_name(name), f"the index says that it holds {shown(key)}")
    return replace(
        parts[0],
        kind="saved folder",
        tensors={key: tensor for part in parts for key, tensor in part.tensors.items()},
        dtypes={key: name for part in parts for key, name in part.dtypes.items()},
        devices={key: name for part in parts for key, name in part.devices.items()},
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _read(path: Path, container: Container) -> _Weights:
    if container == "safetensors":
        return _from_safetensors(path)
    if container == "zip":
        with zip_container.open_archive(path) as archive:
            return _from_archive(path, archive)
    with legacy_container.map_file(path) as data:
        return _from_pickle(path, "legacy", *legacy_container.read_root(path, data))


def _from_archive(path: Path, archive: zipfile.ZipFile) -> _Weights:
    names = archive.namelist()
    if is_pt2(names):
        return _from_pt2(path, archive)
    if torchscript.is_torchscript(names):
        torchscript.refuse_ancient(path, names)
        return _from_torchscript(path, archive)
    return _from_pickle(path, "zip", *zip_container.read_root(path, archive))


def _from_pt2(path: Path, archive: zipfile.ZipFile) -> _Weights:
    saved = read_pt2(path, archive)
    return _Weights(
        container="pt2",
        tensors=saved.tensors,
        dtypes=saved.dtypes,
        devices=saved.devices,
        kind="exported program",
        tree=ModuleTree(classes={"": saved.saved_class}) if saved.saved_class else None,
        graph=saved.graph,
    )


def _from_torchscript(path: Path, archive: zipfile.ZipFile) -> _Weights:
    root, storages = zip_container.read_root(path, archive)
    tree = torchscript.rebuild_script(path, archive, storages.folder, root)
    refs, _ = _tensor_refs(path, tree.values)
    return _loaded(path, "torchscript", refs, storages, kind="module", tree=tree)


def _from_safetensors(path: Path) -> _Weights:
    saved, notes = read_safetensors(path)
    if not saved:
        raise CheckpointError(f"{path}: holds no tensors, expected a state dict. Save model.state_dict()")
    names = {key: _dtype_name(tensor.dtype) for key, tensor in saved.items()}
    distinct = {id(tensor): _plain(tensor) for tensor in saved.values()}
    tensors = {key: distinct[id(tensor)] for key, tensor in saved.items()}
    return _Weights(
        container="safetensors",
        tensors=tensors,
        dtypes=names,
        devices=dict.fromkeys(saved, "cpu"),
        kind="state dict",
        notes=notes,
    )


def _from_pickle(path: Path, container: Container, root: object, storages: Storages) -> _Weights:
    found = find_weights(path, root)
    tree = rebuild_module(path, found.holder) if isinstance(found.holder, Inert) and is_module(found.holder) else None
    refs, skipped = _tensor_refs(path, tree.values if tree else mapping_of(found.holder) or {})
    if not refs:
        raise CheckpointError(f"{path}: holds a module without parameters, expected weights. Save the trained model")
    return _loaded(
        path,
        container,
        refs,
        storages,
        kind="training dict" if found.entry is not None else "module" if tree else "state dict",
        entry=found.entry,
        tree=tree,
        notes=(*found.notes, *skipped),
        hyper_parameters=hyper_parameters(root),
    )


def _loaded(path: Path, container: str, refs: dict[str, TensorRef], storages: Storages, **known: Any) -> _Weights:
    return _Weights(
        container=container,
        tensors=load_tensors(path, refs, storages),
        dtypes={key: _dtype_name(ref.dtype) for key, ref in refs.items()},
        devices={key: ref.storage.device for key, ref in refs.items()},
        **known,
    )


def _tensor_refs(path: Path, values: Mapping[Any, object]) -> tuple[dict[str, TensorRef], tuple[str, ...]]:
    """The tensors of a state dict, and a note on its entries that are none."""
    refs: dict[str, TensorRef] = {}
    others: list[str] = []
    for key, value in values.items():
        if not isinstance(key, str) or not key.isprintable() or len(key) > MAX_KEY_LENGTH:
            raise DamagedCheckpointError(path, "a key of the state dict is no short printable text")
        if isinstance(value, Unreadable):
            raise CheckpointError(
                f"{path}: {shown(key)} is {value.reason}, expected plain floating values. Save the float model"
            )
        if isinstance(value, TensorRef):
            refs[key] = value
        else:
            others.append(shown(key))
    return refs, (
        f"{len(others)} entries that are no tensors were left out: {', '.join(others[:5])}.",
    ) if others else ()


def _module_notes(tree: ModuleTree | None, stripped: Stripped) -> tuple[str, ...]:
    if tree is None:
        return ()
    root = strip_paths(tree.settings, stripped.prefix).get("", {})
    notes = (
        ("The module was saved in training mode; it is used as in evaluation mode.",)
        if root.get("training") is True
        else ()
    )
    hooked = ", ".join(shown(place) for place in tree.hooked[:5])
    return (*notes, *((f"{len(tree.hooked)} modules have hooks, which are not run: {hooked}.",) if hooked else ()))


def _plain(tensor: Tensor) -> Tensor:
    return (tensor.to(torch.float32) if tensor.is_floating_point() else tensor).contiguous()


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _value_notes(state_dict: Mapping[str, Tensor], dtypes: Mapping[str, int]) -> Iterator[str]:
    """Notes on precision, on values that are no numbers, and on tensors that are listed several times."""
    for name in ("float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"):
        if name in dtypes:
            yield f"{dtypes[name]} tensors are {name}; they were turned into float32."
    broken = [
        key for key, tensor in state_dict.items() if tensor.is_floating_point() and not torch.isfinite(tensor).all()
    ]
    if broken:
        yield f"{len(broken)} tensors hold NaN or Inf: {_some(broken)}."
    counts = Counter(id(tensor) for tensor in state_dict.values())
    several = [key for key, tensor in state_dict.items() if counts[id(tensor)] > 1]
    if several:
        distinct = sum(count > 1 for count in counts.values())
        yield f"{distinct} tensors are shared and listed under {len(several)} keys: {_some(several)}."


def _some(keys: list[str]) -> str:
    return ", ".join(shown(key) for key in keys[:MAX_NAMED]) + (", …" if len(keys) > MAX_NAMED else "")
