"""Where things are: one room for each word of the design's picture, none too full, and no way round in a circle."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.each_case import each_case

ROOT = Path(__file__).parents[1]
PACKAGES = {"segexport": "exporter", "segruntime": "runtime", "segbench": "benchmarks"}
MOST_FILES, MOST_LOOSE = 25, 12
MOST_LINES, MOST_PARAMETERS = 420, 6
PRESCRIBED = ["exporter/segexport/networks/exported/operators.py"]
"""Whose functions have the parameters of PyTorch's operators."""
SHARED = 3
"""So many files with one prefix are a folder."""
MAY_IMPORT = {
    "segexport": {"segexport", "segruntime"},
    "segruntime": {"segruntime"},
    "segbench": {"segbench", "segruntime"},
}

FLATBUFFERS = {"flatbuffers", "flatbuffer_utils", "schema_py_generated"}
KNOW_FLATBUFFERS = {
    "segexport": ["exporter/segexport/tflite/flatbuffer.py"],
    "segruntime": [],
    "segbench": ["benchmarks/segbench/profile/tflite/graph.py"],
}


def folder_of(package: str) -> Path:
    return ROOT / PACKAGES[package] / package


def python_folders(package: str) -> Iterator[Path]:
    top = folder_of(package)
    for folder in (top, *sorted(top.rglob("*"))):
        if folder.is_dir() and any(folder.glob("*.py")):
            yield folder


def said(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[str]:
    """Modules by their full names, those imported inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str | None:
    """The folder below the package's that a module lies in, None for the package's own files."""
    package, *inner = module.split(".")
    return inner[0] if inner and (folder_of(package) / inner[0]).is_dir() else None


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_is_too_full(package: str) -> None:
    full = {}
    for folder in python_folders(package):
        files = len(list(folder.glob("*.py")))
        has_rooms = any(any(inner.glob("*.py")) for inner in folder.iterdir() if inner.is_dir())
        if files > (MOST_LOOSE if has_rooms else MOST_FILES):
            full[said(folder)] = files
    assert not full, f"at most {MOST_FILES} files in a folder, and {MOST_LOOSE} next to subfolders"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_prefix_that_three_files_share_is_a_folder(package: str) -> None:
    prefixed = {}
    for folder in python_folders(package):
        counted = Counter(path.stem.partition("_")[0] for path in folder.glob("[!_]*.py"))
        prefixed |= {f"{said(folder)}/{prefix}_*": n for prefix, n in counted.items() if n >= SHARED}
    assert not prefixed


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_do_not_import_in_a_circle(package: str) -> None:
    """Between a package's own folders; what lies next to them (`pipeline.py`, `errors.py`) is above or below all of them."""
    arrows: dict[str, dict[str, str]] = defaultdict(dict)
    for path in folder_of(package).rglob("*.py"):
        here = room_of(".".join((package, *path.relative_to(folder_of(package)).with_suffix("").parts)))
        for module in imported(path):
            there = room_of(module) if module.split(".")[0] == package else None
            if here and there and here != there:
                arrows[here].setdefault(there, f"{said(path)} imports {module}")
    circle = circle_in({room: set(targets) for room, targets in arrows.items()})
    assert not circle, [arrows[a][b] for a, b in pairwise(circle)]


def circle_in(arrows: dict[str, set[str]]) -> list[str]:
    """Rooms, the first of them once more at the end; empty where there is no circle."""
    done: set[str] = set()

    def walk(room: str, way: list[str]) -> list[str]:
        if room in way:
            return [*way[way.index(room) :], room]
        if room in done:
            return []
        for target in sorted(arrows.get(room, ())):
            if found := walk(target, [*way, room]):
                return found
        done.add(room)
        return []

    return next((found for room in sorted(arrows) if (found := walk(room, []))), [])


@each_case(
    ("arrows", "circle"),
    [
        ({"a": {"b"}, "b": {"c"}}, []),
        ({"a": {"b"}, "b": {"a"}}, ["a", "b", "a"]),
        ({"x": {"a"}, "a": {"b"}, "b": {"c"}, "c": {"a"}}, ["a", "b", "c", "a"]),
    ],
)
def test_a_circle_is_found(arrows: dict[str, set[str]], circle: list[str]) -> None:
    assert circle_in(arrows) == circle


@pytest.mark.parametrize("package", PACKAGES)
def test_a_class_name_stands_once_in_a_package(package: str) -> None:
    where = defaultdict(list)
    for path in folder_of(package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                where[node.name].append(said(path))
    assert not {name: paths for name, paths in where.items() if len(paths) > 1}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_is_longer_than_can_be_read_at_a_sitting(package: str) -> None:
    lines = {said(path): len(path.read_text("utf-8").splitlines()) for path in folder_of(package).rglob("*.py")}
    assert not {path: count for path, count in lines.items() if count > MOST_LINES}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_function_has_at_most_six_parameters(package: str) -> None:
    many: dict[str, int] = {}
    for path in folder_of(package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and said(path) not in PRESCRIBED:
                counted = len(parameters(node.args))
                many |= {f"{said(path)}:{node.lineno} {node.name}": counted} if counted > MOST_PARAMETERS else {}
    assert not many, "what travels together is a record"


def parameters(given: ast.arguments) -> list[str]:
    """Names, `*` and `**` too; without the object or class that a method is of."""
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [one.arg for one in named if one.arg not in ("self", "cls")]


@each_case(
    ("source", "names"),
    [
        ("def f(a, b, /, c, *d, e=1, **f): ...", ["a", "b", "c", "e", "d", "f"]),
        ("def f(self, a, *, b): ...", ["a", "b"]),
    ],
)
def test_parameters_are_counted(source: str, names: list[str]) -> None:
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert parameters(function.args) == names


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_one_another_downwards_only(package: str) -> None:
    wrong = [
        f"{said(path)} imports {module}"
        for path in folder_of(package).rglob("*.py")
        for module in imported(path)
        if module.split(".")[0] in PACKAGES.keys() - MAY_IMPORT[package]
    ]
    assert not wrong


@pytest.mark.parametrize("package", PACKAGES)
def test_one_module_reads_and_writes_flatbuffers(package: str) -> None:
    found = {
        said(path)
        for path in folder_of(package).rglob("*.py")
        for module in imported(path)
        if module.rpartition(".")[2] in FLATBUFFERS
    }
    assert sorted(found) == KNOW_FLATBUFFERS[package]
