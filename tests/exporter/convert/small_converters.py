"""Converters of a few bytes, made by `segexport setup` as it makes the real ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from tests.refusals import refusal

from segexport.cli import cli
from segexport.convert.setup.known import ConverterEnvironment
from segexport.convert.setup.make import SetupOutcome, make_converter
from segexport.convert.setup.place import converters_folder
from segexport.errors import SetupError

HERE = (3, sys.version_info[1])


def of_one_module(name: str, module: str = "tiny", **changes: Any) -> ConverterEnvironment:
    """A converter for this Python that is one module."""
    words: dict[str, Any] = {"oldest": HERE, "newest": HERE, "imports": (module,), "shown": (module,), **changes}
    return ConverterEnvironment(name=name, **words)


SMALL = of_one_module("direct")


def lock(tmp_path: Path, version: str, digest: str) -> None:
    (tmp_path / "direct.lock").write_text(f"tiny=={version} \\\n    --hash=sha256:{digest}\n")


def made_now(note: Sequence[str] = ()) -> SetupOutcome:
    """`direct`, made as the command would; nothing may be noted."""
    said: list[str] = []
    found = make_converter(SMALL, python=None, say=lambda _: None, note=said.append)
    assert said == list(note)
    return found


def fails(match: str) -> None:
    """Making it fails in one line, and nothing of it is left."""
    refusal(SetupError, made_now, match=match)
    assert entries() == []


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def entries() -> list[str]:
    """What lies in the converters' folder, lock files aside."""
    return sorted(one.name for one in converters_folder().iterdir() if one.suffix != ".lock")
