"""A result as a file: JSON with a format, a version, and a digest that shows whether somebody edited it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from segbench.errors import ResultsError
from segbench.results.output_file import write_whole
from segruntime.strict_json import Fields, parse_json

R = TypeVar("R")

_LARGEST_BYTES = 256 * 1024 * 1024
_RUN_AGAIN = "run segbench again"


def digest_of(content: Mapping[str, object]) -> str:
    """The SHA-256 of a result's canonical JSON without `digest`.

    Canonical: keys sorted, no whitespace, everything beyond ASCII escaped, floats as the shortest text that gives them back.

    Raises:
        ValueError: a number in it is not finite.
    """
    signed = {key: value for key, value in content.items() if key != "digest"}
    canonical = json.dumps(signed, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def write_results(path: Path, content: Mapping[str, object]) -> None:
    """Write the JSON of a result with its digest, whole or not at all; a file that is there is replaced.

    Raises:
        OutputError: it cannot be written. ValueError: a number in it is not finite.
    """
    sealed = {**content, "digest": digest_of(content)}
    write_whole(path, (json.dumps(sealed, indent=1, allow_nan=False) + "\n").encode("ascii"))


def read_result(path: Path, form: str, version: int, read: Callable[[Fields], R], *, command: str) -> R:
    """What `read` makes of the object in `path`, of the format `form` in `version`; `command` writes such files.

    Raises:
        ResultsError: missing, empty, too large, not JSON, another format or version, edited, or a field is missing or wrong.
    """
    try:
        return read(Fields(_whole_object(path, form, version)))
    except ResultsError:
        raise
    except ValueError as error:
        raise ResultsError(path, str(error), f"it was not written by segbench; run {command} again") from error


def _whole_object(path: Path, form: str, version: int) -> object:
    result = _parse(path, _text(path))
    if not isinstance(result, dict) or result.get("format") != form:
        found = result.get("format") if isinstance(result, dict) else type(result).__name__
        problem = f"is JSON of another kind, expected format {form!r}, got {_short(found)}"
        raise ResultsError(path, problem, "give a file that segbench wrote")
    _check_version(path, result.get("version"), version)
    if "digest" not in result:
        raise ResultsError(path, "has no digest, so nobody can tell whether it is whole", _RUN_AGAIN)
    if result["digest"] != digest_of(result):
        raise ResultsError(path, "was edited after it was written: its digest does not fit its content", _RUN_AGAIN)
    return result


def format_of(path: Path) -> str | None:
    """The format that the file in `path` names; None where it names none.

    Raises:
        ResultsError: missing, empty, too large, or not JSON.
    """
    result = _parse(path, _text(path))
    found = result.get("format") if isinstance(result, dict) else None
    return found if isinstance(found, str) else None


def _check_version(path: Path, found: object, known: int) -> None:
    if type(found) is int and found > known:
        raise ResultsError(path, f"has version {found}, this segbench knows {known}", "update segedge")
    if type(found) is int and 0 < found < known:
        raise ResultsError(path, f"has version {found}, which was replaced by {known}", _RUN_AGAIN)
    if type(found) is not int or found != known:
        raise ResultsError(path, f"has version {_short(found)}, expected {known}", _RUN_AGAIN)


def _text(path: Path) -> str:
    if path.is_dir():
        raise ResultsError(path, "is a folder, expected a results file", "give the file in it")
    try:
        size_bytes = path.stat().st_size
        if size_bytes > _LARGEST_BYTES:
            problem = f"has {size_bytes} bytes, expected at most {_LARGEST_BYTES}"
            raise ResultsError(path, problem, "give a file that segbench wrote")
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ResultsError(path, "is no text, expected JSON", "give a file that segbench wrote") from error
    except (OSError, ValueError) as error:
        if isinstance(error, ResultsError):
            raise
        problem = f"cannot be read ({getattr(error, 'strerror', None) or error}), expected a results file"
        raise ResultsError(path, problem, "check the path") from error
    if not text.strip():
        raise ResultsError(path, "is empty, expected a results file", _RUN_AGAIN)
    return text


def _parse(path: Path, text: str) -> object:
    try:
        parsed: object = parse_json(text)
        json.dumps(parsed, allow_nan=False)  # a number like 1e999 is read as infinity
    except ValueError as error:
        raise ResultsError(path, f"is no JSON that segbench writes ({error}); it may be cut off", _RUN_AGAIN) from error
    return parsed


def _short(value: object) -> str:
    return repr(value)[:60]
