"""Where the converters' environments lie, and whether one is there and of this segedge's lock."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from segexport.convert.setup.known import ENVIRONMENTS, ConverterEnvironment
from segexport.errors import MissingConverterError
from segruntime.strict_json import Fields, read_json

VARIABLE = "SEGEDGE_CONVERTERS"
MARKER = "segedge.json"
"""Written last into an environment: what it was made from."""
_MOST_MARKER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An environment as its marker tells it. `versions`: distribution → version, of those that decide over its files."""

    lock: str
    python: str
    versions: dict[str, str]
    size_bytes: int


def converters_folder() -> Path:
    """The folder of all of them: SEGEDGE_CONVERTERS, or in this virtual environment, or else in the user's data."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).absolute()
    if sys.prefix != sys.base_prefix or (Path(sys.prefix) / "conda-meta").is_dir():
        return Path(sys.prefix) / "share" / "segedge" / "converters"
    return _user_data() / "segedge" / "converters"


def interpreter_of(name: str) -> Path:
    """The Python of the converter's environment.

    Raises:
        MissingConverterError: it is not there, or was made from another lock or for another Python.
    """
    if problem := problem_of(name):
        raise _missing(name, problem)
    return _interpreter(converters_folder() / name)


def is_ready(name: str) -> bool:
    """Is it there, complete, and of this lock?"""
    return problem_of(name) is None


def versions_of(name: str) -> dict[str, str]:
    """Distribution → version, of those that decide over its files.

    Raises:
        MissingConverterError: it is not there.
    """
    made = read_marker(converters_folder() / name)
    if made is None:
        raise _missing(name, _MISSING)
    return dict(made.versions)


_MISSING = "is not installed here"


def _missing(name: str, problem: str) -> MissingConverterError:
    return MissingConverterError(f"converter {name} {problem}: segexport setup {name}")


def problem_of(name: str) -> str | None:
    """Why the converter cannot be used, in words that follow its name; nothing where it can."""
    environment, folder = ENVIRONMENTS[name], converters_folder() / name
    made = read_marker(folder)
    if made is None or not _interpreter(folder).exists():
        return _MISSING
    if made.lock != environment.lock_digest():
        return "was made from another lock than this segedge's"
    return _other_python(environment, made)


def _other_python(environment: ConverterEnvironment, made: Made) -> str | None:
    ours = "{}.{}".format(*sys.version_info)
    if environment.borrows is None or made.python.startswith(f"{ours}."):
        return None
    return f"was made with Python {made.python} and takes {environment.borrows} from here, which is Python {ours}"


def read_marker(folder: Path) -> Made | None:
    """What the environment in the folder was made from; nothing where there is none, or its marker is damaged."""
    try:
        f = Fields(read_json(folder / MARKER, _MOST_MARKER_BYTES))
        return Made(
            lock=f.string("lock"),
            python=f.string("python"),
            versions=f.string_map("versions"),
            size_bytes=f.integer("size_bytes", 0, 1 << 60),
        )
    except (OSError, ValueError):
        return None


def _interpreter(folder: Path) -> Path:
    return folder / "bin" / "python"


def _user_data() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
