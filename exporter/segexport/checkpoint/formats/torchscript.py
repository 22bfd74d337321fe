"""TorchScript archives (`torch.jit.save`): parameters and buffers under the names that the original module had.

`data.pkl` holds a tree of objects of classes `__torch__.…`; submodules and tensors are plain attributes there. The program
next to it (`code/`, `bytecode.pkl`) is never run.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from segexport.checkpoint.formats.script_classes import Declared, ScriptClasses
from segexport.checkpoint.pickle.inert import Inert, Name, TensorRef, Unreadable
from segexport.checkpoint.pickle.module_tree import MAX_DEPTH, MAX_MODULES, ModuleTree, plain_attributes
from segexport.errors import CheckpointError, DamagedCheckpointError, NotACheckpointError, shown

ROOT = "__torch__"
MANGLED = re.compile(r"(^|\.)___torch_mangle_\d+(?=\.|$)")
QUANTIZED = re.compile(r"(^|\.)quantized(\.|$)")


def is_torchscript(names: Iterable[str]) -> bool:
    """Whether a zip with these entries is what `torch.jit.save` writes."""
    return any(name.endswith("/constants.pkl") or "/code/" in name for name in names)


def refuse_ancient(path: Path, names: list[str]) -> None:
    """PyTorch before 1.4 kept the tree in model.json, or the tensors apart from data.pkl."""
    if not any(name.rpartition("/")[2] == "data.pkl" for name in names):
        raise NotACheckpointError(
            path,
            "a TorchScript archive without data.pkl, as PyTorch before 1.4 wrote it",
            "Load it with torch.jit.load and torch.save its state_dict()",
        )


def rebuild_script(path: Path, archive: zipfile.ZipFile, folder: str, root: object) -> ModuleTree:
    """Walk the script modules in the order of `state_dict()`: own parameters, own buffers, then children."""
    if not isinstance(root, Inert) or not _is_script_object(root):
        raise DamagedCheckpointError(path, "its data.pkl holds no TorchScript module")
    classes = ScriptClasses(path, archive, folder)
    tree = ModuleTree()
    for place, module, declared in _modules(path, root, classes):
        prefix = f"{place}." if place else ""
        tree.values.update({prefix + key: value for key, value in _own_values(module, declared)})
        tree.classes[place] = original_name(module.kind)
        tree.settings[place] = {**(declared.settings if declared else {}), **dict(plain_attributes(module))}
    if not tree.values:
        _refuse_without_weights(path, archive, folder)
    return tree


def original_name(kind: Name) -> str:
    """`__torch__.pkg.___torch_mangle_3.UNet` → `pkg.UNet`."""
    name = MANGLED.sub("", f"{kind.module}.{kind.name}").removeprefix(f"{ROOT}.")
    return shown(name)


def _modules(path: Path, root: Inert, classes: ScriptClasses) -> Iterator[tuple[str, Inert, Declared | None]]:
    """Every (path, module, its declaration); a shared module once under each of its paths, a cycle is refused."""
    waiting: list[tuple[str, Inert, int]] = [("", root, 0)]
    count = 0
    while waiting:
        place, module, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_MODULES:
            limit = f"nested deeper than {MAX_DEPTH}" if depth > MAX_DEPTH else f"more than {MAX_MODULES:,}"
            raise DamagedCheckpointError(path, f"its modules are {limit}, or contain themselves")
        _refuse_quantized(path, place, module)
        declared = classes.declared(module.kind)
        if declared is not None and declared.base != "Module":
            continue  # a named tuple or a script class: no part of a state dict
        yield place, module, declared
        prefix = f"{place}." if place else ""
        children = [(key, child) for key, child in module.attributes.items() if isinstance(key, str)]
        waiting += [
            (prefix + key, child, depth + 1)
            for key, child in reversed(children)
            if isinstance(child, Inert) and _is_script_object(child)
        ]


def _is_script_object(value: Inert) -> bool:
    return value.kind.module == ROOT or value.kind.module.startswith(f"{ROOT}.")


def _own_values(module: Inert, declared: Declared | None) -> Iterator[tuple[str, object]]:
    """Tensors of one module; where the class text is missing, every tensor counts."""
    tensors = {
        key: value
        for key, value in module.attributes.items()
        if isinstance(key, str) and isinstance(value, (TensorRef, Unreadable))
    }
    names = (*declared.parameters, *declared.buffers) if declared else tuple(tensors)
    yield from ((name, tensors[name]) for name in dict.fromkeys(names) if name in tensors)


def _refuse_quantized(path: Path, place: str, module: Inert) -> None:
    if QUANTIZED.search(module.kind.module):
        raise CheckpointError(
            f"{path}: {shown(place) or 'the network'} is {original_name(module.kind)}, which holds quantised weights; "
            "expected plain floating values. Save the float model"
        )


def _refuse_without_weights(path: Path, archive: zipfile.ZipFile, folder: str) -> None:
    if any(name.startswith(f"{folder}constants/") for name in archive.NameToInfo):
        raise CheckpointError(
            f"{path}: is a frozen TorchScript archive: torch.jit.freeze made its weights constants that have no names any "
            "more, expected named parameters. Save the module before torch.jit.freeze or optimize_for_inference, "
            "or torch.save the original model's state_dict()"
        )
    raise CheckpointError(
        f"{path}: is a TorchScript archive without parameters, expected weights. Save the trained model"
    )
