"""What the user asked for, checked once."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Union

from segexport.convert.converters import AUTO, CONVERTERS
from segexport.errors import CalibrationError, OptionError
from segexport.pictures.calibration import MOST
from segexport.precisions import PRECISIONS
from segexport.presets import COLORS, GOLDEN, HEADS, OUTPUTS, PREPROCESSING, SCALES, TWO_CHANNEL

if TYPE_CHECKING:
    from torch import nn
    from typing_extensions import Unpack

AnyPath = Union[str, "os.PathLike[str]"]

LARGEST_SIDE = 4096
LAYOUTS = ("NCHW", "NHWC")
_NAMED: dict[str, object] = {"true": True, "false": False, "none": None, "null": None}


_CHOICES: dict[str, Sequence[str]] = {
    "preprocess": list(PREPROCESSING),
    "color": COLORS,
    "scale": SCALES,
    "layout": LAYOUTS,
    "golden": GOLDEN,
    "converter": [AUTO, *CONVERTERS],
}
_RANGES: dict[str, tuple[float, float]] = {
    "pictures": (2, float("inf")),
    "timeout_s": (1, float("inf")),
    "max_iou_drop": (0, 100),
}
_PATHS = ("calibration", "masks", "recipe")


class NetworkWords(TypedDict, total=False):
    """What may be said of a network besides its checkpoint."""

    arch: str
    arch_args: Mapping[str, object]
    forward_args: Mapping[str, object]
    output_index: int | str
    layout: str
    size: int | str | tuple[int, int]


class _ExportWords(TypedDict, total=False):
    output: AnyPath
    overwrite: bool
    name: str
    calibration: AnyPath
    pictures: int
    masks: AnyPath
    precisions: str | Sequence[str]
    max_iou_drop: float
    recipe: AnyPath
    preprocess: str
    mean: float | Sequence[float]
    std: float | Sequence[float]
    scale: str | int
    color: str
    person: int
    head: str
    converter: str
    golden: str
    allow_inaccurate: bool
    timeout_s: float


class Chosen(_ExportWords, NetworkWords, total=False):
    """The command's options as keywords; what is left out is as the command has it.

    `--precision` is `precisions`, `--set` is `forward_args`, `--timeout` is `timeout_s`, and `name` is what the files of a
    network in memory are called, its class otherwise.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One export. `size` is (height, width); None everywhere means: as the checkpoint or the default says."""

    checkpoint: Path
    output: Path
    precisions: tuple[str, ...]
    arch: str | None = None
    arch_args: Mapping[str, object] = field(default_factory=dict)
    forward_args: Mapping[str, object] = field(default_factory=dict)
    output_index: str | None = None
    layout: str = "NCHW"
    preprocess: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    scale: str | None = None
    color: str | None = None
    size: tuple[int, int] | None = None
    person: int | None = None
    head: str = "auto"
    two_channel: bool = False
    calibration: Path | None = None
    pictures: int = MOST
    masks: Path | None = None
    max_iou_drop: float | None = None
    recipe: Path | None = None
    converter: str = AUTO
    golden: str = "drawn"
    overwrite: bool = False
    allow_inaccurate: bool = False
    timeout_s: float = 1800.0
    command: tuple[str, ...] = ()
    """What the report says that was typed; empty: what this process was started with."""

    @classmethod
    def of(cls, network: nn.Module | AnyPath, **chosen: Unpack[Chosen]) -> Options:
        """Keywords as the command would have parsed its options, for a module in memory or a checkpoint's path.

        Raises:
            OptionError, CalibrationError: what has no meaning, in one line.
        """
        try:
            options = cls(**_parsed(network, chosen))
            check_budget(options)
        except (OptionError, CalibrationError):
            raise
        except ValueError as error:
            raise OptionError(str(error)) from error
        return options

    @property
    def name(self) -> str:
        return _name_of(self.checkpoint)

    @property
    def says_pictures(self) -> bool:
        """Whether the user said how training prepared its pictures."""
        return (self.preprocess, self.mean, self.std) != (None, None, None)


def default_output(checkpoint: Path) -> Path:
    return (checkpoint.resolve() if checkpoint.is_dir() else checkpoint).parent / f"{_name_of(checkpoint)}_export"


def _name_of(checkpoint: Path) -> str:
    """A folder's name is all of it, also where it was given as `.`; a file's is without its ending."""
    return checkpoint.resolve().name if checkpoint.is_dir() else checkpoint.stem


def parse_size(text: str) -> tuple[int, int]:
    """`"256"` or `"HxW"` → (height, width).

    Raises:
        ValueError: neither form, or a side outside 1 to 4096.
    """
    found = re.fullmatch(r"(\d{1,5})(?:[xX](\d{1,5}))?", text.strip())
    height = int(found.group(1)) if found else 0
    width = int(found.group(2) or found.group(1)) if found else 0
    if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE):
        raise ValueError(f"got {text!r}, expected N or HxW with sides from 1 to {LARGEST_SIDE}, such as 256 or 256x192")
    return height, width


def choose_precisions(text: str | None, calibration: Path | None) -> tuple[str, ...]:
    """`"float32,int8"` → those; None → float32 and float16, and int8 where there are pictures to calibrate with.

    Raises:
        ValueError: an unknown precision, or none.
        CalibrationError: int8 without `--calibration`.
    """
    if text is None:
        return tuple(
            name
            for name, kind in PRECISIONS.items()
            if kind.default and (calibration is not None or not kind.calibrated)
        )
    names = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    unknown = [name for name in names if name not in PRECISIONS]
    if unknown or not names:
        raise ValueError(f"got {text!r}, expected some of {', '.join(PRECISIONS)}, separated by commas")
    for name in names:
        if PRECISIONS[name].calibrated and calibration is None:
            raise CalibrationError(
                f"--precision {name}: needs pictures to measure the ranges of its activations, got none; "
                "add --calibration DIR with 32 or more pictures as the camera will see them"
            )
    return tuple(names)


def check_budget(options: Options) -> None:
    """Raise ValueError where the options of the accuracy budget do not go together."""
    if options.max_iou_drop is not None and options.recipe is not None:
        raise ValueError("--max-iou-drop searches for a recipe and --recipe applies one: give one of them")
    for name, value in (("--max-iou-drop", options.max_iou_drop), ("--recipe", options.recipe)):
        if value is not None and "int8" not in options.precisions:
            raise ValueError(f"{name} is about the int8 file; add int8 to --precision, and --calibration DIR")
    if options.masks is not None and options.max_iou_drop is None:
        raise ValueError("--masks is what --max-iou-drop measures against; give --max-iou-drop POINTS too")


def parse_head(text: str) -> tuple[str, bool]:
    """`"softmax"`, `"two-channel"` or `"softmax,two-channel"` → (how the network ends, whether the file gives two channels).

    Raises:
        ValueError: an unknown word, or two that say the same thing.
    """
    words = [word.strip() for word in text.split(",")]
    ends, outputs = [w for w in words if w in HEADS], [w for w in words if w in OUTPUTS]
    if len(ends) > 1 or len(outputs) > 1 or len(ends) + len(outputs) != len(words):
        raise ValueError(
            f"got {text!r}, expected one of {', '.join(HEADS)} for the network's end, one of {', '.join(OUTPUTS)} "
            "for the file's output, or both separated by a comma"
        )
    return (ends or HEADS[:1])[0], outputs == [TWO_CHANNEL]


def parse_arguments(texts: Iterable[str]) -> dict[str, object]:
    """`["widths=8,16", "classes=2,norm=batch"]` → `{"widths": [8, 16], "classes": 2, "norm": "batch"}`.

    Numbers, texts, True, False, None, and lists of them; nothing is evaluated.

    Raises:
        ValueError: not NAME=VALUE, or a name twice.
    """
    found: dict[str, object] = {}
    for text in texts:
        for pair in re.split(r",(?=\s*[A-Za-z_]\w*\s*=)", text):
            name, equals, value = (part.strip() for part in pair.partition("="))
            if not (equals and name.isidentifier()):
                raise ValueError(f"got {pair!r}, expected NAME=VALUE, such as widths=8,16")
            if name in found:
                raise ValueError(f"{name} is given twice")
            found[name] = _value(value)
    return found


def _value(text: str) -> object:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        words = [word.strip() for word in text.split(",")]
        return [_value(word) for word in words] if len(words) > 1 else _NAMED.get(text.lower(), text)
    return list(value) if isinstance(value, tuple) else value


def parse_triple(text: str) -> tuple[float, ...]:
    """`"0.5,0.5,0.5"` or one number for all three.

    Raises:
        ValueError: not one or three numbers.
    """
    try:
        values = tuple(float(word) for word in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in (1, 3) or any(value != value or abs(value) == float("inf") for value in values):
        raise ValueError(f"got {text!r}, expected one number or three separated by commas, such as 0.485,0.456,0.406")
    return values * 3 if len(values) == 1 else values


def _parsed(network: nn.Module | AnyPath, chosen: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(chosen) - set(Chosen.__annotations__))
    if unknown:
        raise OptionError(f"export has no {unknown[0]}; it takes {', '.join(Chosen.__annotations__)}")
    words = {key: value for key, value in chosen.items() if value is not None}
    if "scale" in words:
        words["scale"] = str(words["scale"])
    _check(words)
    command = ["segexport.export", *(f"{key}={value}" for key, value in words.items())]
    checkpoint = _checkpoint(network, words)
    command.insert(1, str(checkpoint))
    words |= parse_network({key: words[key] for key in NetworkWords.__annotations__ if key in words})
    for key in _PATHS:
        if key in words:
            words[key] = Path(words[key])
    for key in ("mean", "std"):
        if key in words:
            words[key] = parse_triple(_joined(words[key], ","))
    if "head" in words:
        words["head"], words["two_channel"] = parse_head(words["head"])
    words["precisions"] = _precisions(words.get("precisions"), words.get("calibration"))
    output = Path(words.pop("output", default_output(checkpoint)))
    return {**words, "checkpoint": checkpoint, "output": output, "command": tuple(command)}


def parse_network(words: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of `NetworkWords` as the fields of `Options` hold them.

    Raises:
        ValueError: a size or layout that is none.
    """
    parsed = {key: value for key, value in words.items() if value is not None}
    _check(parsed)
    if "size" in parsed:
        parsed["size"] = parse_size(_joined(parsed["size"], "x"))
    if "output_index" in parsed:
        parsed["output_index"] = str(parsed["output_index"])
    return parsed


def _check(words: Mapping[str, Any]) -> None:
    if not isinstance(words.get("person", 0), int):
        raise OptionError(f"person={words['person']!r}: expected the index of a channel")
    for key, known in _CHOICES.items():
        if key in words and words[key] not in known:
            raise OptionError(f"{key}={words[key]!r}: expected one of {', '.join(known)}")
    for key, (low, high) in _RANGES.items():
        value = words.get(key, low)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            limits = f"at least {low:g}" if high == float("inf") else f"{low:g} to {high:g}"
            raise OptionError(f"{key}={value!r}: expected a number, {limits}")


def _checkpoint(network: nn.Module | AnyPath, words: dict[str, Any]) -> Path:
    """The path, or for a module what stands for one: the name of its class, or the one that was given."""
    name = words.pop("name", None)
    if isinstance(network, (str, os.PathLike)):
        if name is not None:
            raise OptionError(f"name={name!r}: the files of a checkpoint are named after it; leave name out")
        return Path(network)
    for key in ("arch", "arch_args"):
        if key in words:
            raise OptionError(f"{key}={words[key]!r}: a module in memory is its own class; leave {key} out")
    if name is not None and not re.fullmatch(r"[\w-]+", str(name)):
        raise OptionError(f"name={name!r}: expected letters, digits, _ and -, without a folder or an ending")
    from segexport.networks.in_memory.wrappers import unwrapped

    return Path(name or type(unwrapped(network)[0]).__name__)


def _precisions(named: str | Sequence[str] | None, calibration: Path | None) -> tuple[str, ...]:
    if named is not None and not named:
        return ()  # the ONNX file alone
    return choose_precisions(None if named is None else _joined(named, ","), calibration)


def _joined(value: object, separator: str) -> str:
    parts = [value] if isinstance(value, str) or not isinstance(value, Sequence) else value
    return separator.join(map(str, parts))
