"""Which converter: the first whose file passes the proof. None is right for every network, and none knows where it is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segexport.convert.converters import AUTO, CONVERTERS
from segexport.convert.float32 import Float32Converter
from segexport.convert.setup.place import is_ready, versions_of
from segexport.errors import ConversionError, MissingConverterError
from segexport.process.child import Progress

Source = Callable[[], Path]
"""Gives the file that a converter reads; written now where it is not there yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How far one float32 file is from the reference; `fault`, one line, where it is not the same network."""

    difference: float
    fault: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenConverter:
    """The converter that was taken, the packages that it consists of, and those before it with why they were not."""

    converter: str
    versions: Mapping[str, str]
    refused: Mapping[str, str]

    def __str__(self) -> str:
        made_of = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"{self.converter} ({made_of})" if made_of else self.converter


@dataclass(slots=True, kw_only=True)
class _Tried:
    refused: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[float, Path]] = field(default_factory=dict)
    """Of those that were refused after they ran: the largest difference, and the file."""


class Chooser:
    """A context: the first converter loads from the start, the others only where the ones before them are refused.

    `asked`: `auto` or a converter's name; `readable`: the kinds of source that there will be.

    Raises:
        MissingConverterError: there is no converter here, or not the one that was asked for.
        ConversionError: the one that was asked for cannot read what there is.
    """

    def __init__(self, asked: str, readable: Collection[str], playground: Path, *, limit_s: float) -> None:
        self._playground, self._limit_s = playground, limit_s
        self._sources: Mapping[str, Source] = {}
        self._left_out = _left_out(asked, readable)
        self._names = [name for name in (CONVERTERS if asked == AUTO else [asked]) if name not in self._left_out]
        if not self._names:
            raise _nobody(asked, self._left_out)
        self._running = self._start(self._names[0])

    def begin(self, sources: Mapping[str, Source]) -> None:
        """The first converter begins; `sources`: how each kind is got."""
        self._sources = sources
        self._give(self._running)

    def finish(
        self, target: Path, prove: Callable[[Path], Proof], progress: Progress, *, nearest: bool = False
    ) -> ChosenConverter:
        """Put the first file that passes at `target`; `nearest`: where none does, the one that differs least.

        Raises:
            AllRefusedError: no file passed; its `reasons` say why, converter by converter.
        """
        tried = _Tried()
        for name in self._names:
            if name != self._running.name:
                self._running.close()
                self._running = self._start(name)
                self._give(self._running)
            fault = self._try(self._running, prove, progress, tried)
            if fault is None:
                return self._take(name, target, tried)
            tried.refused[name] = fault
        if nearest and tried.files:
            name = min(tried.files, key=lambda one: tried.files[one][0])
            del tried.refused[name]
            return self._take(name, target, tried)
        raise AllRefusedError({**tried.refused, **self._left_out})

    def _try(
        self, running: Float32Converter, prove: Callable[[Path], Proof], progress: Progress, tried: _Tried
    ) -> str | None:
        """Why this converter's file is not taken."""
        try:
            running.finish(progress)
            proof = prove(self._file(running.name))
        except ConversionError as error:
            return str(error).removeprefix(f"{running.name}: ")
        if proof.fault is not None:
            tried.files[running.name] = (proof.difference, self._file(running.name))
        return proof.fault

    def _take(self, name: str, target: Path, tried: _Tried) -> ChosenConverter:
        os.replace(self._file(name), target)
        return ChosenConverter(converter=name, versions=versions_of(name), refused=tried.refused)

    def _start(self, name: str) -> Float32Converter:
        return Float32Converter(name, self._playground, limit_s=self._limit_s)

    def _give(self, running: Float32Converter) -> None:
        running.begin(self._sources[CONVERTERS[running.name].source](), self._file(running.name))

    def _file(self, name: str) -> Path:
        return self._playground / f"{name}.tflite"

    def __enter__(self) -> Chooser:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()


class AllRefusedError(ConversionError):
    """No converter made a file that gives the same mask; `reasons`: name → why; `seldom`: operators to look at first."""

    def __init__(self, reasons: Mapping[str, str], seldom: Sequence[str] = ()) -> None:
        self.reasons = dict(reasons)
        if len(self.reasons) == 1:
            told = "by {}: {}".format(*next(iter(self.reasons.items())))
        else:
            told = (
                f"none of {len(self.reasons)} converters gives this network, see the reasons above; expected one whose file "
                "passes the comparison. Try another --size, `segexport setup` for those that are not installed, or the ONNX "
                "file alone: segexport onnx"
            )
        look = f". Converters seldom know {'; '.join(seldom)}: compute that with other operators" if seldom else ""
        super().__init__(f"TFLite float32: {told}{look}")


def _left_out(asked: str, readable: Collection[str]) -> dict[str, str]:
    """Which cannot be tried, and why."""
    left_out = {}
    for name, converter in CONVERTERS.items():
        if converter.source not in readable:
            left_out[name] = "reads a PyTorch checkpoint's program, not an ONNX file"
        elif asked == AUTO and not is_ready(name):
            left_out[name] = f"is not installed here: segexport setup {name}"
    return left_out


def _nobody(asked: str, left_out: Mapping[str, str]) -> Exception:
    if asked == AUTO:
        return MissingConverterError("no converter from ONNX to TFLite is installed here: segexport setup")
    return ConversionError(f"--converter {asked}: it {left_out[asked]}; expected one of those that do, or {AUTO}")
