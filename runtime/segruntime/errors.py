"""What the runtime refuses, and how it says so: what failed, got, expected, what to do.

SegRuntimeError
├── ModelFileError (ValueError)       the model file is missing, cut off, or of no known kind
├── ContractError (ValueError)        the contract is missing, broken, or does not fit the model
├── GoldenError (ValueError)          the file holds no golden pictures to test itself with, or they are too large for one
├── BackendError (RuntimeError)       the interpreter refuses the model
├── FrameError (ValueError)           the frame, mask or background has a shape or dtype that cannot be used
├── OptionError (ValueError)          an option has a value that cannot be used
├── PictureError (ValueError)         a still picture cannot be read
├── VideoError (ValueError)           a video, stream or camera cannot be opened, or holds no frame
├── OutputError (OSError)             the result cannot be written where it should go
├── ClusterError (RuntimeError)       a cluster cannot be reached, or its machines do not fit one another
└── MissingExtraError (ImportError)   a library that this needs is not installed

DelegateWarning (RuntimeWarning)      a file runs, without the delegate that makes it fast
"""

from __future__ import annotations

import re


class SegRuntimeError(Exception):
    """Everything that segruntime refuses on purpose."""


class ModelFileError(SegRuntimeError, ValueError):
    """The model file is missing, cut off, or of no known kind."""


class ContractError(SegRuntimeError, ValueError):
    """The contract is missing, broken, or does not fit the model."""


class GoldenError(SegRuntimeError, ValueError):
    """The file holds no golden pictures to test itself with, or they are too large for one."""


class BackendError(SegRuntimeError, RuntimeError):
    """The interpreter refuses the model."""


class FrameError(SegRuntimeError, ValueError):
    """A frame, mask or background cannot be used."""


class OptionError(SegRuntimeError, ValueError):
    """An option has a value that cannot be used."""


class PictureError(SegRuntimeError, ValueError):
    """A still picture cannot be read."""


class VideoError(SegRuntimeError, ValueError):
    """A video, stream or camera cannot be opened, or holds no frame."""


class OutputError(SegRuntimeError, OSError):
    """The result cannot be written where it should go."""


class ClusterError(SegRuntimeError, RuntimeError):
    """A cluster cannot be reached, or its machines do not fit one another."""


class MissingExtraError(SegRuntimeError, ImportError):
    """A library that this needs is not installed."""

    def __init__(self, what: str, packages: str, extra: str) -> None:
        super().__init__(f"{what} needs {packages}, which is not installed: {install_command(extra)}")


def install_command(extra: str) -> str:
    """What brings the libraries of an extra, wherever segedge itself came from: they are named one by one."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        listed = [one.partition(";") for one in requires("segedge") or ()]
    except PackageNotFoundError:
        listed = []
    wanted = [name.strip() for name, _, only in listed if re.search(rf"""extra == ['"]{extra}['"]""", only)]
    quoted = " ".join(f'"{name}"' for name in wanted)
    return f"pip install {quoted}" if wanted else f'pip install ".[{extra}]" in a checkout of segedge'


class DelegateWarning(RuntimeWarning):
    """A file runs without XNNPACK; `reason` is what that said."""

    def __init__(self, path: object, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{path}: the XNNPACK delegate failed to prepare ({reason}); running without it, slower")
