"""A folder as `save_pretrained` writes it: the files that hold its weights, and its configuration as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segexport.errors import CheckpointError, DamagedCheckpointError, shown
from segruntime.strict_json import read_json

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
"""In the order in which the libraries look for them; an index names the files that hold the tensors."""
INDEX = ".index.json"
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
ADAPTER = "adapter_config.json"
SINGLE_FILES = (".ckpt", ".pth", ".pt", ".safetensors", ".bin", ".onnx")
MAX_JSON_BYTES = 16_000_000
MAX_SHARDS = 1_000
MAX_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFolder:
    """`files` hold the weights; `weight_map` says which key lies in which of several, and is empty for one."""

    files: tuple[Path, ...]
    weight_map: Mapping[str, str]
    config: Mapping[str, object] | None
    preprocessor: Mapping[str, object] | None


def open_folder(path: Path) -> SavedFolder:
    """What lies in an existing folder; no weights are read yet.

    Raises:
        CheckpointError: no weights, a shard that is missing, or JSON that is none.
    """
    name = next((name for name in WEIGHTS if (path / name).is_file()), None)
    if name is None:
        raise CheckpointError(_no_weights(path))
    weight_map = _read_index(path, path / name) if name.endswith(INDEX) else {}
    files = dict.fromkeys(weight_map.values()) if weight_map else (name,)
    return SavedFolder(
        files=tuple(path / file for file in files),
        weight_map=weight_map,
        config=_read_object(path / CONFIG),
        preprocessor=_read_object(path / PREPROCESSOR),
    )


def _read_index(folder: Path, index: Path) -> dict[str, str]:
    """Key → file; every file is known to be there."""
    found = (_read_object(index) or {}).get("weight_map")
    if not isinstance(found, dict) or not found or not all(isinstance(file, str) for file in found.values()):
        raise DamagedCheckpointError(index, "it has no weight_map that says which file holds which tensor")
    shards = list(dict.fromkeys(found.values()))
    strange = next((file for file in shards if not _is_plain_name(file)), None)
    if strange is not None or len(shards) > MAX_SHARDS:
        what = (
            f"more than {MAX_SHARDS:,} files" if strange is None else f"{shown(strange)!r}, which is no name of a file"
        )
        raise DamagedCheckpointError(index, f"it lists {what}")
    missing = [file for file in shards if not (folder / file).is_file()]
    if missing:
        raise CheckpointError(
            f"{folder}: {index.name} lists {len(shards)} files, and {_some(missing)} {'is' if len(missing) == 1 else 'are'} "
            "missing, expected all of them in the folder. Copy or download the folder again"
        )
    return found


def _is_plain_name(file: str) -> bool:
    """No way out of the folder, on any system."""
    return file not in ("", "..") and file == Path(file).name and "\\" not in file and file.isprintable()


def _read_object(path: Path) -> dict[str, object] | None:
    """The JSON object in a file; None where there is no file."""
    if not path.is_file():
        return None
    try:
        found = read_json(path, MAX_JSON_BYTES)
        if not isinstance(found, dict):
            raise ValueError(f"a {type(found).__name__}, no object")
    except (OSError, ValueError) as error:
        raise DamagedCheckpointError(path, f"it is no JSON object ({shown(str(error))})") from error
    return found


def _no_weights(path: Path) -> str:
    """What the folder holds instead, and what to give."""
    inside = sorted(path.iterdir())
    names = [one.name for one in inside]
    single = [one.name for one in inside if one.suffix.lower() in SINGLE_FILES and one.is_file()]
    deeper = [one.name for one in inside if one.is_dir() and any((one / name).is_file() for name in WEIGHTS)]
    if ADAPTER in names:
        found, advice = "an adapter only", "Merge it into its network (merge_and_unload) and save that"
    elif deeper:
        found, advice = (
            f"folders with weights in it ({_some(deeper)})",
            f"Give one of them, such as {path / deeper[-1]}",
        )
    elif single:
        found, advice = _some(single), f"Give the file in it, such as {path / single[0]}"
    else:
        found, advice = _some(names) if names else "nothing", "Save the network with save_pretrained"
    return (
        f"{path}: is a folder without {WEIGHTS[0]} or {WEIGHTS[2]}: found {found}, expected a saved network. {advice}"
    )


def _some(names: list[str]) -> str:
    return ", ".join(shown(name) for name in names[:MAX_NAMED]) + (", …" if len(names) > MAX_NAMED else "")
