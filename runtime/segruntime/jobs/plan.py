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
    """A unit for each file that may be a picture or a video, in the order of their names, the name of the input for the result.

    Hidden files and folders are passed over. `options`: the digest of `what_it_is`.

    Raises:
        PictureError: the folder cannot be read.
    """
    root = source if source.is_dir() else source.parent
    for path, status in sorted(_files(str(root))) if source.is_dir() else [(str(source), source.stat())]:
        name = Path(os.path.relpath(path, root)).as_posix()
        stamp = stamp_of(status)
        yield Unit(id=digest(name, stamp, options), source=path, name=name, size_bytes=stamp[0], changed_ns=stamp[1])


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(folder) as found:
            for one in found:
                if one.name.startswith("."):
                    continue
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

    def __init__(self, inputs: Iterable[str], taken: Iterable[str], mode: Mode) -> None:
        """`inputs`: the names of all files; `taken`: those of results that are there."""
        self._inputs, self._taken, self._mode = set(inputs), set(taken), mode

    def __call__(self, unit: Unit) -> str:
        name = PurePosixPath(unit.name)
        result = name.with_name(result_name(Path(unit.source), self._mode))
        if result != name and (str(result) in self._taken or str(result) in self._inputs):
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
