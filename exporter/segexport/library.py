"""`segexport.export(…)`: what the command does, for a training script, with a network in memory or a checkpoint's path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Union

from segexport.console import Console
from segexport.convert.converters import AUTO, CONVERTERS
from segexport.errors import MissingExtraError, OptionError, SegExportError
from segexport.options import LAYOUTS, Options, choose_precisions, default_output, parse_head, parse_size, parse_triple
from segexport.presets import COLORS, GOLDEN, PREPROCESSING, SCALES
from segexport.report.outcome import Result, interrupted, require_complete, result_of

if TYPE_CHECKING:
    from torch import nn
    from typing_extensions import Unpack

AnyPath = Union[str, "os.PathLike[str]"]

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


class Chosen(TypedDict, total=False):
    """The command's options as keywords; what is left out is as the command has it.

    `--precision` is `precisions`, `--set` is `forward_args`, `--timeout` is `timeout_s`, and `name` is what the files of a
    network in memory are called, its class otherwise.
    """

    output: AnyPath
    overwrite: bool
    name: str
    calibration: AnyPath
    pictures: int
    masks: AnyPath
    precisions: str | Sequence[str]
    max_iou_drop: float
    recipe: AnyPath
    size: int | str | tuple[int, int]
    preprocess: str
    mean: float | Sequence[float]
    std: float | Sequence[float]
    scale: str | int
    color: str
    person: int
    head: str
    arch: str
    arch_args: Mapping[str, object]
    forward_args: Mapping[str, object]
    output_index: int | str
    layout: str
    converter: str
    golden: str
    allow_inaccurate: bool
    timeout_s: float


def export(network: nn.Module | AnyPath, *, quiet: bool = False, **chosen: Unpack[Chosen]) -> Result:
    """Write `network` as ONNX and TFLite, each file compared with PyTorch; `network` stays as it is.

    Args:
        network: a module, in whatever state training left it, or the path of a checkpoint.
        quiet: no progress on standard error; warnings still are.
        chosen: the command's options, see `Chosen` and docs/python.md.

    Raises:
        SegExportError: whatever the command refuses, in one line; nothing unfinished is left behind.
        SegRuntimeError: a new file cannot be run.
        KeyboardInterrupt: nothing is left behind then either, but the best file so far of a search within `max_iou_drop`.
    """
    if find_spec("torch") is None:
        raise MissingExtraError("torch", "export")
    from segexport.pipeline import export as make

    module = None if isinstance(network, (str, os.PathLike)) else network
    try:
        options = _options(network, chosen)
        with _usual_torch():
            body, rows = make(options, Console(quiet=quiet), module)
    except SegExportError:
        raise
    except ValueError as error:
        raise OptionError(str(error)) from error
    if interrupted(body):
        raise KeyboardInterrupt
    require_complete(rows, body)
    return result_of(options.output, rows, body)


def _options(network: nn.Module | AnyPath, chosen: Chosen) -> Options:
    """The keywords as the command would have parsed them."""
    unknown = sorted(set(chosen) - set(Chosen.__annotations__))
    if unknown:
        raise OptionError(f"export has no {unknown[0]}; it takes {', '.join(Chosen.__annotations__)}")
    words: dict[str, Any] = {key: value for key, value in chosen.items() if value is not None}
    if "scale" in words:
        words["scale"] = str(words["scale"])
    _check(words)
    command = ["segexport.export", *(f"{key}={value}" for key, value in words.items())]
    checkpoint = _checkpoint(network, words)
    command.insert(1, str(checkpoint))
    for key in _PATHS:
        if key in words:
            words[key] = Path(words[key])
    if "size" in words:
        words["size"] = parse_size(_joined(words["size"], "x"))
    for key in ("mean", "std"):
        if key in words:
            words[key] = parse_triple(_joined(words[key], ","))
    if "head" in words:
        words["head"], words["two_channel"] = parse_head(words["head"])
    if "output_index" in words:
        words["output_index"] = str(words["output_index"])
    words["precisions"] = _precisions(words.get("precisions"), words.get("calibration"))
    output = Path(words.pop("output", default_output(checkpoint)))
    return Options(checkpoint=checkpoint, output=output, command=tuple(command), **words)


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


@contextmanager
def _usual_torch() -> Iterator[None]:
    """PyTorch as a new process has it; the caller's modes, defaults and random numbers are as before when it ends."""
    import torch

    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
        if torch.are_deterministic_algorithms_enabled():  # some kernels refuse to run then, alike as they are on a CPU
            warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
            stack.callback(torch.use_deterministic_algorithms, True, warn_only=warn_only)
            torch.use_deterministic_algorithms(False)
        yield
