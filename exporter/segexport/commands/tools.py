"""`segexport inspect --tools`: what the exporter works with here, in its own environment and in those of the converters."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from segexport.console import print_table
from segexport.convert.setup.known import ENVIRONMENTS, ConverterEnvironment
from segexport.convert.setup.make import NoPythonError, choose_python
from segexport.convert.setup.place import converters_folder, problem_of, read_marker

OWN = ("torch", "onnx", "onnxscript", "onnxruntime", "ai-edge-litert", "litert-quantizer")


def show_tools(as_json: bool) -> None:
    """Print them, as tables or for machines."""
    found = find_tools()
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        print_tools(found)


def find_tools() -> dict[str, Any]:
    """Versions of the tools here, null where one is missing, and how each converter stands; ready for JSON."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in OWN},
        "folder": str(converters_folder()),
        "converters": [_converter(one) for one in ENVIRONMENTS.values()],
    }


def print_tools(found: dict[str, Any]) -> None:
    """The two tables of `find_tools`."""
    rows = [("Python", found["python"]), *((name, one or "missing") for name, one in found["packages"].items())]
    print_table(None, ("", ""), rows)
    print_table(None, ("converter", " ", "Python", "MB", " "), [_cells(one) for one in found["converters"]])
    click.echo(f"converters lie in {found['folder']}")


def _converter(environment: ConverterEnvironment) -> dict[str, Any]:
    folder = converters_folder() / environment.name
    problem, made = problem_of(environment.name), read_marker(folder)
    state, why = ("there", None) if problem is None else _trouble(environment, problem, made is not None)
    return {
        "name": environment.name,
        "state": state,
        "why": why,
        "python": made and made.python,
        "versions": made.versions if made else {},
        "size_bytes": made and made.size_bytes,
        "folder": str(folder) if made else None,
    }


def _trouble(environment: ConverterEnvironment, problem: str, is_made: bool) -> tuple[str, str]:
    """(state, why and what to do)."""
    try:
        choose_python(environment, None)
    except NoPythonError as error:
        return "cannot be here", str(error)
    return "of another lock" if is_made else "missing", f"{problem}: segexport setup {environment.name}"


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    size = f"{one['size_bytes'] / 1e6:.0f}" if one["size_bytes"] else ""
    versions = ", ".join(f"{name} {found}" for name, found in one["versions"].items())
    return one["name"], one["state"], one["python"] or "", size, one["why"] or versions


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
