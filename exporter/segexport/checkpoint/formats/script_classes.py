"""What a TorchScript archive's class texts declare: which tensors are parameters, which buffers, which settings are fixed.

The texts are the program of the archive. They are never compiled or run: lines of a few known forms are picked out, the
rest is skipped.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from segexport.checkpoint.formats.zip_container import read_entry
from segexport.checkpoint.pickle.inert import Name
from segexport.checkpoint.pickle.module_tree import Plain

MAX_TEXT_BYTES = 4 * 2**20
MAX_TOTAL_BYTES = 32 * 2**20
MAX_LINE = 4096
_CLASS = re.compile(r"class (\w+)(?:\((\w+)\))?:")
_LISTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_NUMBER = r"-?\d{1,20}(?:\.\d{0,40})?(?:e[+-]?\d{1,3})?"
_SETTING = re.compile(rf"  (\w+) : Final\[[^=]*\] = (?:({_NUMBER})|\(({_NUMBER}), ({_NUMBER})\)|(True|False))$")


@dataclass(slots=True)
class Declared:
    """One class: its base (`Module`, `NamedTuple`, "" for a plain class), its tensors by kind, its `Final` numbers."""

    base: str
    parameters: tuple[str, ...] = ()
    buffers: tuple[str, ...] = ()
    settings: dict[str, Plain] = field(default_factory=dict)


class ScriptClasses:
    """The declarations of an open archive, each text read once; None where a class has no text (mobile archives)."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, folder: str) -> None:
        self.path, self.archive, self.folder = path, archive, folder
        self.left = MAX_TOTAL_BYTES
        self.texts: dict[str, dict[str, Declared]] = {}

    def declared(self, kind: Name) -> Declared | None:
        if kind.module not in self.texts:
            self.texts[kind.module] = self._read(f"{self.folder}code/{kind.module.replace('.', '/')}.py")
        return self.texts[kind.module].get(kind.name)

    def _read(self, entry: str) -> dict[str, Declared]:
        info = self.archive.NameToInfo.get(entry)
        if info is None or info.file_size > min(MAX_TEXT_BYTES, self.left):
            return {}
        self.left -= info.file_size
        return declarations(read_entry(self.path, self.archive, entry).decode("utf-8", errors="replace"))


def declarations(text: str) -> dict[str, Declared]:
    """Class name → what its head declares; lines of any other form are skipped."""
    found: dict[str, Declared] = {}
    current = Declared("")
    for line in text.split("\n"):
        if len(line) > MAX_LINE:
            continue
        if head := _CLASS.match(line):
            current = found.setdefault(head[1], Declared(head[2] or ""))
        elif line.startswith("  __parameters__ = ["):
            current.parameters = tuple(_LISTED.findall(line))
        elif line.startswith("  __buffers__ = ["):
            current.buffers = tuple(_LISTED.findall(line))
        elif setting := _SETTING.match(line):
            current.settings[setting[1]] = _value(setting)
    return found


def _value(setting: re.Match[str]) -> Plain:
    number, first, second, truth = setting.group(2, 3, 4, 5)
    if truth is not None:
        return truth == "True"
    if number is not None:
        return _number(number)
    return (_number(first), _number(second))


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
