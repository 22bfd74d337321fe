"""`segexport vectors`: a folder by which a port to another language checks each of its steps. Needs the runtime only.

`index.json` describes it: the models, for each its contract, tolerances, single frames and one stream of frames, and for each
array its file, dtype, shape, layout and meaning. The folder appears whole or not at all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

import segruntime
from segexport.compare.rows import FILE_NAME as REPORT
from segexport.compare.rows import read_report
from segexport.errors import OutputError
from segexport.output import Staging
from segexport.vectors.frames import drawn_frames, moving_frames, picture_frames
from segexport.vectors.steps import tolerances, write_frame, write_stream
from segruntime import Segmenter, load
from segruntime.errors import MissingExtraError
from segruntime.model_file.entries import model_sha256
from segruntime.strict_json import Fields, read_json

INDEX = "index.json"
FORMAT, VERSION = "segedge.vectors", 1
COUNT = 4
MOST_INDEX_BYTES = 16 << 20
_SUFFIXES = (".onnx", ".tflite")


def write_vectors(
    path: Path,
    output: Path | None,
    *,
    images: Path | None = None,
    count: int = COUNT,
    overwrite: bool = False,
    say: Callable[[str], None],
) -> tuple[Path, dict[str, Any], list[str]]:
    """Vectors of a model file, or of every model file in a folder.

    Args:
        output: default `FOLDER/vectors`, and `NAME_vectors` next to a single file.
        images: a folder of pictures; drawn frames where not given.

    Returns:
        The folder, its index, and a sentence for each file that was left out because its interpreter is not installed.

    Raises:
        OutputError: no model there, or the folder cannot be written or replaced.
        CalibrationError: see `picture_frames`.
        SegRuntimeError: a file does not load.
    """
    files = model_files(path)
    target = (output or default_output(path)).absolute()
    _require_free(target, overwrite)
    with Staging(target.parent, (), overwrite=False) as staging:
        draft = staging.path / "vectors"
        draft.mkdir()
        models, skipped = _write_models(files, draft, images, count, say)
        index = {"format": FORMAT, "version": VERSION, "made_with": _made_with(), "models": models}
        (draft / INDEX).write_text(json.dumps(index, indent=1, allow_nan=False) + "\n", "utf-8")
        _publish(draft, target, staging.path / "before")
    return target, index, skipped


def model_files(path: Path) -> tuple[Path, ...]:
    """The file itself, the kept files that an export's report lists, or the model files of another folder.

    Raises:
        OutputError: nothing there, a file is missing, or no model among them.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise OutputError(f"{path}: nothing there, expected a .tflite or .onnx file or an export's folder; give one")
    if (path / REPORT).is_file():
        files = [path / Path(row.name).name for row in read_report(path)[1] if row.kept]
    else:
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        raise OutputError(f"{path}: {missing[0] if missing else 'a model file'} is not in it; export again")
    return tuple(files)


def default_output(path: Path) -> Path:
    return path / "vectors" if path.is_dir() else path.with_name(f"{path.stem}_vectors")


def read_index(folder: Path) -> dict[str, Any]:
    """The parsed `index.json` of a folder of vectors; only format and version are held to be right.

    Raises:
        OutputError: no index, damaged, larger than 16 MiB, or of another format or version.
    """
    path = folder / INDEX
    try:
        index: dict[str, Any] = read_json(path, MOST_INDEX_BYTES)
        Fields(index).header(FORMAT, VERSION)
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{path}: cannot be read as vectors of version {VERSION} ({error}); make them with `segexport vectors MODEL`"
        ) from error
    return index


def _write_models(
    files: tuple[Path, ...], draft: Path, images: Path | None, count: int, say: Callable[[str], None]
) -> tuple[list[dict[str, Any]], list[str]]:
    models, skipped = [], []
    for place, file in enumerate(files):
        say(f"{file.name} {place + 1}/{len(files)}")
        try:
            segmenter = load(file, threads=1)
        except MissingExtraError as error:
            skipped.append(f"{file.name}: {error}")
            continue
        models.append(_write_model(segmenter, draft / file.name, images, count))
    if not models:
        raise OutputError(f"no vectors: {'; '.join(skipped)}")
    return models, skipped


def _write_model(segmenter: Segmenter, folder: Path, images: Path | None, count: int) -> dict[str, Any]:
    folder.mkdir()
    contract = segmenter.contract
    size = contract.input.width, contract.input.height
    frames = drawn_frames(count, *size) if images is None else picture_frames(images, count)
    entries = [write_frame(segmenter, frame, folder) for frame in frames]
    stream = write_stream(segmenter, moving_frames(frames[0]), folder)
    outputs = [entry["arrays"]["output"] for entry in entries]
    span = float(min(one["least"] for one in outputs)), float(max(one["most"] for one in outputs))
    return {
        "file": segmenter.path.name,
        "folder": folder.name,
        "model_sha256": model_sha256(segmenter.path.read_bytes()),
        "backend": segmenter.backend,
        "library": segmenter.library,
        "contract": contract.to_json(),
        "tolerances": tolerances(contract, span),
        "frames": entries,
        "stream": stream,
    }


def _made_with() -> dict[str, str]:
    return {"segedge": segruntime.__version__, "opencv": cv2.__version__}


def _require_free(target: Path, overwrite: bool) -> None:
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise OutputError(f"{target}: is already there; nothing was changed. Give --overwrite or --output DIR")
    if target.is_symlink() or not target.is_dir():
        raise OutputError(f"{target}: is no folder; nothing was changed. Move it away or give another --output")
    if any(target.iterdir()):
        try:
            read_index(target)
        except OutputError as error:
            raise OutputError(
                f"{target}: holds something else than vectors; nothing was changed. Give another --output"
            ) from error


def _publish(draft: Path, target: Path, before: Path) -> None:
    replaced = target.exists()
    if replaced:
        os.replace(target, before)
    try:
        os.replace(draft, target)
    except BaseException:
        if replaced:
            os.replace(before, target)
        raise
