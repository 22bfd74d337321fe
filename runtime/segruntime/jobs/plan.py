"""What a job has to do: the files of its input, the names of their results, and what makes two jobs the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import fields
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from segruntime.errors import ModelFileError, PictureError
from segruntime.jobs.unit import Unit, digest
from segruntime.picture_files.kinds import FOREIGN, SUFFIXES, VIDEO_SUFFIXES
from segruntime.run.command import RunOptions
from segruntime.run.pictures.names import result_name
from segruntime.run.stages import Mode

_NOT_IN_THE_RESULT = {"source", "output", "backend", "threads", "preview", "overwrite", "camera_size", "span"}
_BLOCK_BYTES = 1 << 20


def what_it_is(options: RunOptions, segment_s: float | None) -> dict[str, Any]:
    """All that decides about the results but the files of the input: a job goes on under the same only.

    Raises:
        ModelFileError: the model's file cannot be read.
    """
    chosen = {one.name: getattr(options, one.name) for one in fields(options) if one.name not in _NOT_IN_THE_RESULT}
    background = Path(options.background)
    stamp = stamp_of(background.stat()) if background.is_file() else None
    return {**chosen, "background_file": stamp, "model": _sha256(Path(str(options.model))), "segment": segment_s}


def stamp_of(status: os.stat_result) -> list[int]:
    """Size in bytes and the time of the last change in nanoseconds."""
    return [status.st_size, status.st_mtime_ns]


def units_of(source: Path, options: str) -> Iterator[Unit]:
    """A unit for each file that may be a picture or a video, folder by folder in the order of names; its `name` is the file's.

    Hidden files and folders are passed over. `options`: the digest of `what_it_is`.

    Raises:
        PictureError: the folder cannot be read.
    """
    root = str(source if source.is_dir() else source.parent)
    cut = len(os.path.join(root, ""))
    for path, status in _files(root) if source.is_dir() else [(os.path.join(root, source.name), source.stat())]:
        name = path[cut:].replace(os.sep, "/")
        size_bytes, changed_ns = status.st_size, status.st_mtime_ns
        key = digest(name, size_bytes, changed_ns, options)
        yield Unit(id=key, source=path, name=name, size_bytes=size_bytes, changed_ns=changed_ns)


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(folder) as found:
            entries = sorted((one for one in found if not one.name.startswith(".")), key=lambda one: one.name)
        for one in entries:
            if one.is_dir(follow_symlinks=False):
                yield from _files(one.path)
            elif os.path.splitext(one.name)[1].lower() in _WANTED and one.is_file():
                yield one.path, one.stat()
    except OSError as error:
        raise PictureError(f"{folder}: cannot be read ({error.strerror}); check its rights") from error


_WANTED = SUFFIXES | VIDEO_SUFFIXES | FOREIGN.keys()


def foreign_kind(unit: Unit) -> str | None:
    """What a file is called that people take for a picture, and that is not read; None for all others."""
    return FOREIGN.get(os.path.splitext(unit.source)[1].lower())


class Names:
    """The names of results below the output folder, two of which are never the same.

    A result whose kind is another than its file's, and whose name another has already, keeps the file's own ending before
    the new one: `a.avi.mp4` next to `a.mp4`.
    """

    def __init__(self, source: Path, taken: Iterable[str], mode: Mode) -> None:
        """`source`: the input folder, whose files may keep their names; `taken`: the names of results that are there."""
        self._source, self._taken, self._mode = source, set(taken), mode

    def __call__(self, unit: Unit) -> str:
        name = PurePosixPath(unit.name)
        result = name.with_name(result_name(Path(unit.source), self._mode))
        if result != name and (str(result) in self._taken or (self._source / result).exists()):
            result = name.with_name(name.name + result.suffix)
        self._taken.add(str(result))
        return str(result)


def _sha256(path: Path) -> str:
    made = sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                made.update(block)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror}), expected a .tflite or .onnx file") from error
    return made.hexdigest()
