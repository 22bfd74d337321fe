"""What the Markdown pages name exists: links, paths, modules, commands, options; and every option is on a page."""

from __future__ import annotations

import fnmatch
import pkgutil
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import click
import pytest
from tests.places import ROOT

import segbench.cli
import segexport.cli
import segruntime.cli
import segruntime.serve.cli

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("[!.]*/*.md"))]
TOPS = ("benchmarks", "deploy", "docs", "environments", "examples", "exporter", "runtime", "tests", "web")
NOT_HERE = re.compile(
    r"(\.venv-cpus|code|empty|images|masks|mine|my-segformer|pictures|sheets|/v1)/|(numpy|onnx)\.py$|report\.html$"
)
"""Folders of users, archives and addresses; files that a user has or gets."""
PROGRAMS: dict[str, click.Command] = {
    "segexport": segexport.cli.cli,
    "segrun": segruntime.cli.main,
    "segrun serve": segruntime.serve.cli.main,
    "segbench": segbench.cli.main,
}
OTHERS = ("segrun", "serve", "segbench", "accuracy", "benchmarking", "profiling")
OPTIONS_ARE_ON = {
    "segexport": [page.stem for page in ROOT.glob("docs/*.md") if page.stem not in OTHERS],
    "segrun": ["segrun"],
    "segrun serve": ["serve"],
    "segbench": ["segbench", "accuracy", "benchmarking", "profiling"],
}
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@cache
def existing() -> list[str]:
    """`/path` of every file and `/path/` of every folder; what builds leave behind is left out."""
    found = [f"/{path.name}" for path in ROOT.iterdir() if path.is_file()] + [f"/{top}/" for top in TOPS]
    for top in TOPS:
        found += [
            f"/{path.relative_to(ROOT).as_posix()}{'/' * path.is_dir()}"
            for path in (ROOT / top).rglob("*")
            if not {"node_modules", "__pycache__"} & set(path.parts)
        ]
    return found


def is_there(name: str) -> bool:
    """A path from the root, or the end of one; NAME stands for any name."""
    pattern = "*/" + name.removeprefix("./").replace("NAME", "*")
    return any(fnmatch.fnmatchcase(path, pattern) for path in existing())


@cache
def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text("utf-8"))


def spans(page: Path) -> Iterator[str]:
    """What stands between backticks, on one line."""
    for found in re.findall(r"`([^`]+)`", prose(page)):
        yield " ".join(found.split())


def commands(page: Path) -> Iterator[list[str]]:
    """Words of each command of ours, of `make` and of `python`, without its comment; `[…]` is taken as given."""
    blocks = re.findall(r"^ {4,}(\S.*)$", prose(page).replace("\\\n", " "), re.MULTILINE)
    for line in (*(one for block in blocks for one in re.split(r"\s#\s", block)[0].split(" && ")), *spans(page)):
        if re.match(r"(segexport|segrun|segbench|make|sudo make|python) (?!-)[^=:]", line):
            words = shlex.split(re.sub(r"[][…]", " ", line))
            yield words[words[0] == "sudo" :]


def wrong_on_pages(look: Callable[[Path], Iterable[str]]) -> dict[str, list[str]]:
    found = {page.relative_to(ROOT).as_posix(): sorted(set(look(page))) for page in PAGES}
    return {page: names for page, names in found.items() if names}


def test_links_lead_somewhere() -> None:
    def broken(page: Path) -> Iterator[str]:
        for target in re.findall(r"\]\(\s*([^)\s]+)\s*\)", prose(page)):
            path, _, anchor = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            if not re.match(r"\w+:", target) and not (there.exists() and (not anchor or anchor in anchors(there))):
                yield target

    assert not wrong_on_pages(broken)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_files_and_folders_exist() -> None:
    a_path = re.compile(r"[\w./*-]*[\w*]\.(?:py|js|mjs|c|lock|in|toml|md|html)\b(?!\()|[\w./-]*\w/(?!\S)")
    assert not wrong_on_pages(
        lambda page: [
            name
            for span in spans(page)
            for name in a_path.findall(span)
            if not NOT_HERE.match(name) and not is_there(name)
        ]
    )


def test_modules_can_be_imported() -> None:
    def missing(page: Path) -> Iterator[str]:
        for name in re.findall(r"\bseg(?:export|runtime|bench)(?:\.(?!md\b)[A-Za-z_]\w*)+", page.read_text("utf-8")):
            try:
                pkgutil.resolve_name(name)
            except (ImportError, AttributeError):
                yield name

    assert not wrong_on_pages(missing)


def test_commands_have_the_options_that_they_are_given() -> None:
    def refused(page: Path) -> Iterator[str]:
        for words in commands(page):
            try:
                check_command(words)
            except (click.UsageError, LookupError) as error:
                yield f"{' '.join(words)}: {error}"

    assert not wrong_on_pages(refused)


def check_command(words: list[str]) -> None:
    """An error where a command, option, choice, script or target does not exist; files are not looked for."""
    program, *rest = words
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        if missing := [word for word in rest if "=" not in word and word not in targets]:
            raise LookupError(missing)
    elif program == "python":
        check_script(*rest)
    elif words[:2] == ["segrun", "serve"]:
        check_options(PROGRAMS["segrun serve"], rest[1:])
    else:
        check_options(PROGRAMS[program], rest)


def check_script(script: str, *words: str) -> None:
    path = ROOT / script
    if not path.exists():
        raise LookupError(script)
    sources = "".join(one.read_text("utf-8") for one in ([path] if path.is_file() else path.rglob("*.py")))
    for option in (word for word in words if word.startswith("--") and word != "--help"):
        if not re.search(rf"[\"/ ](--)?{option.removeprefix('--')}[\" ]", sources):
            raise LookupError(option)


def check_options(command: click.Command, words: list[str]) -> None:
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        check_options(command.commands[words[0]], words[1:])
        return
    context = click.Context(command)
    given, _, _ = command.make_parser(context).parse_args(list(words))
    for param in command.params:
        value = given.get(str(param.name))
        for one in value if isinstance(value, list) else [value]:
            if isinstance(param.type, click.Choice) and isinstance(one, str) and not one.isupper():
                param.type.convert(one, param, context)


@pytest.mark.parametrize(
    "words",
    [
        ["segexport", "convert", "ckpt.pth"],
        ["segexport", "tflite", "ckpt.pth", "--calibrate", "pictures/"],
        ["segexport", "tflite", "ckpt.pth", "--golden", "photographs"],
        ["segrun", "serve", "--crf", "3"],
        ["segbench", "--model"],
        ["python", "benchmarks/peer", "run"],
        ["python", "benchmarks/claims/cold_start.py", "--models"],
        ["make", "demos"],
    ],
)
def test_a_command_that_is_not_there_is_seen(words: list[str]) -> None:
    with pytest.raises((click.UsageError, LookupError)):
        check_command(words)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_is_on_a_page_about_its_program(program: str) -> None:
    text = "".join((ROOT / "docs" / f"{page}.md").read_text("utf-8") for page in OPTIONS_ARE_ON[program])
    command = PROGRAMS[program]
    missing = [
        param.opts
        for one in (command, *(command.commands.values() if isinstance(command, click.Group) else ()))
        for param in one.params
        if isinstance(param, click.Option)
        and not {"--help", "--version"} & set(param.opts)
        and not any(re.search(rf"(?<![\w-]){option}(?![\w-])", text) for option in param.opts)
    ]
    assert not missing


def test_lines_are_short_and_what_lies_next_to_the_checkout_is_not_named() -> None:
    """Tables, generated lines and blocks of programs are as long as they are."""

    def long_or_foreign(page: Path) -> Iterator[str]:
        text = re.sub(r"^<!-- table.*?^<!-- end -->$", "", prose(page), flags=re.MULTILINE | re.DOTALL)
        yield from (line for line in text.splitlines() if len(line) > 120 and not line.startswith(("|", "    ")))
        yield from re.findall(r".*\.\./shared.*", page.read_text("utf-8"))

    assert not wrong_on_pages(long_or_foreign)
