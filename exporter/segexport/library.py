"""`segexport.export`, `inspect` and `verify`: what the commands do, for a training script."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from segexport.compare.verify import Verified, require_all_within, require_same, verify_file, verify_folder
from segexport.console import Console
from segexport.errors import OptionError, SegExportError
from segexport.options import AnyPath, Chosen, NetworkWords, Options, parse_network
from segexport.process.child import find_tools
from segexport.report.outcome import Export
from segruntime.model_file.self_test import SelfTest

if TYPE_CHECKING:
    from torch import nn
    from typing_extensions import Unpack

    from segexport.networks.inspection import Inspection


def export(
    network: nn.Module | AnyPath, options: Options | None = None, *, quiet: bool = False, **chosen: Unpack[Chosen]
) -> Export:
    """Write `network` as ONNX and TFLite, each file compared with PyTorch; `network` stays as it is.

    Args:
        network: a module, in whatever state training left it, or the path of a checkpoint.
        options: as `Options.of` made them of the keywords, for example before training began.
        quiet: no progress on standard error; warnings still are.
        chosen: the command's options, see `Chosen` and docs/python.md.

    Raises:
        SegExportError: whatever the command refuses, in one line; nothing unfinished is left behind.
        SegRuntimeError: a new file cannot be run.
        KeyboardInterrupt: nothing is left behind then either, but the best file so far of a search within `max_iou_drop`.
    """
    find_tools("torch")
    from segexport.pipeline import export as make

    path = Path(network) if isinstance(network, (str, os.PathLike)) else None
    if options is None:
        options = Options.of(network, **chosen)
    elif chosen:
        raise OptionError(f"{next(iter(chosen))} and options: expected one of both; make options with Options.of")
    elif path is not None:
        options = replace(options, checkpoint=path)
    try:
        with _usual_torch():
            made = make(options, Console(quiet=quiet), network if path is None else None)
    except SegExportError:
        raise
    except ValueError as error:
        raise OptionError(str(error)) from error
    if made.interrupted:
        raise KeyboardInterrupt
    made.require_complete()
    return made


def inspect(checkpoint: AnyPath, **said: Unpack[NetworkWords]) -> Inspection:
    """What a checkpoint holds and which network that is; nothing of it is run.

    `network` is None where none fits, and `problem` says why.

    Raises:
        CheckpointError: the file cannot be read.
        OptionError: what was said of the network has no meaning.
    """
    find_tools("torch")
    from segexport.networks.inspection import inspect as look
    from segexport.networks.network import Asked

    try:
        words = parse_network(said)
    except SegExportError:
        raise
    except ValueError as error:
        raise OptionError(str(error)) from error
    if "output_index" in words:
        words["output"] = words.pop("output_index")
    return look(Path(checkpoint), Asked(**words))


def verify(path: AnyPath) -> Verified | SelfTest:
    """Whether files still give the same mask, on this machine; needs the runtime only.

    Args:
        path: an export's folder, whose files are compared with the masks that it stored, or one file, which is compared with
            the golden pictures inside.

    Raises:
        InaccurateError: one gives another mask.
        OutputError: no report, a missing or changed file, or nothing that could be compared.
        SegRuntimeError: a file does not load, or carries no pictures.
    """
    path = Path(path)
    if path.is_file():
        test = verify_file(path)
        require_same(path, test)
        return test
    found = verify_folder(path, lambda _: None)
    require_all_within(found.rows)
    return found


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
