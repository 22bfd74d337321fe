"""What the benchmark refuses, and how it says so: what failed, got, expected, what to do.

SegBenchError
├── OptionError (ValueError)          an option has a value that cannot be used
├── PictureError (ValueError)         the input picture cannot be used
├── TruthError (ValueError)           pictures and hand-made masks do not belong together
├── ClipError (ValueError)            the clip cannot be read
├── ResultsError (ValueError)         a results file cannot be used
├── OutputError (OSError)             a file cannot be written
├── WrongMaskError (ArithmeticError)  the model gives no mask, so its speed means nothing
├── UnprovenError (ValueError)        a file does not prove the accuracy that was asked for
├── WorkerError (RuntimeError)        the measuring process refused its job or died
│   └── ChildDiedError                it ended before it answered
├── ProfileError (ValueError)         the model cannot be taken apart, or its parts do not do what the whole does
├── ComparisonError (ValueError)      two results may not be compared, or not as asked
└── MissingExtraError (ImportError)   a library of the extra is not installed
"""

from __future__ import annotations

from segruntime.errors import install_command


class SegBenchError(Exception):
    """Everything that segbench refuses on purpose."""


class OptionError(SegBenchError, ValueError):
    """An option has a value that cannot be used."""


class PictureError(SegBenchError, ValueError):
    """The input picture cannot be used."""


class TruthError(SegBenchError, ValueError):
    """Pictures and hand-made masks do not belong together."""


class ClipError(SegBenchError, ValueError):
    """The clip cannot be read."""


class ResultsError(SegBenchError, ValueError):
    """A results file cannot be used."""

    def __init__(self, path: object, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}; {remedy}")


class OutputError(SegBenchError, OSError):
    """A file cannot be written."""

    def __init__(self, path: object, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: cannot be written ({problem}); {remedy}")


class WrongMaskError(SegBenchError, ArithmeticError):
    """The model gives no mask, so its speed means nothing."""


class UnprovenError(SegBenchError, ValueError):
    """A file does not prove the accuracy that was asked for."""


class WorkerError(SegBenchError, RuntimeError):
    """The measuring process refused its job or died."""


class ChildDiedError(WorkerError):
    """A child process ended before it answered; `words`: what it said at last, "" where it said nothing."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words or f"ended with code {code} without a word")
        self.code, self.words = code, words


class ProfileError(SegBenchError, ValueError):
    """The model cannot be taken apart, or its parts do not do what the whole does."""


class ComparisonError(SegBenchError, ValueError):
    """Two results may not be compared, or not as asked."""


class MissingExtraError(SegBenchError, ImportError):
    """A library of the extra is not installed."""

    def __init__(self, what: str, package: str) -> None:
        super().__init__(f"{what} needs {package}, which is not installed: {install_command('bench')}")
