"""What the exporter refuses, and how it says so: what failed, got, expected, what to do.

SegExportError
├── CheckpointError (ValueError)          the checkpoint cannot be read
│   ├── NotACheckpointError               it is another kind of file
│   ├── DamagedCheckpointError            cut off, or made to harm: its parts do not fit together
│   └── UnsafePickleError                 it asks for something that would run code
├── ArchitectureError (ValueError)        no network fits its keys and shapes
├── CalibrationError (ValueError)         the calibration folder is of no use
├── RecipeError (ValueError)              a recipe cannot be read, or belongs to another network
├── ConversionError (RuntimeError)        a converter failed, or ran out of time
├── OptionError (ValueError)              options that have no meaning, or none together
├── InaccurateError (ArithmeticError)     a file was written and does not give the same mask
├── OutputError (OSError)                 the files cannot be put where they were asked for
├── MissingExtraError (ImportError)       an extra is not installed
├── MissingConverterError (ImportError)   a converter's environment is not there, or is another version's
└── SetupError (RuntimeError)             an environment cannot be made
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_SHOWN, MOST_SHOWN = 120, 5


class SegExportError(Exception):
    """Everything that segexport refuses on purpose."""


class CheckpointError(SegExportError, ValueError):
    """The checkpoint cannot be read."""


class NotACheckpointError(CheckpointError):
    """The file is something else than weights that PyTorch or safetensors wrote."""

    def __init__(self, path: object, found: str, advice: str) -> None:
        super().__init__(f"{path}: no PyTorch checkpoint: found {found}, expected .pth, .pt or .safetensors. {advice}")


class DamagedCheckpointError(CheckpointError):
    """The parts of the checkpoint do not fit together: cut off on the way, or made to harm."""

    def __init__(self, path: object, found: str) -> None:
        super().__init__(
            f"{path}: damaged checkpoint: {found}. "
            "Expected a file as torch.save or safetensors wrote it. Copy or download it again, or save it anew"
        )


class UnsafePickleError(CheckpointError):
    """The pickle names something other than tensors and inert modules; nothing of it was run."""

    def __init__(self, path: object, name: str) -> None:
        self.name = name
        super().__init__(
            f"{path}: refused, the pickle asks for {name!r}, which is neither a tensor nor a module; nothing was run. "
            "Expected a state dict, a training dict or a saved module. Save model.state_dict() instead"
        )


class ArchitectureError(SegExportError, ValueError):
    """No known network fits."""


class CalibrationError(SegExportError, ValueError):
    """The calibration pictures are of no use."""


class RecipeError(SegExportError, ValueError):
    """The recipe cannot be read, or belongs to another network."""


class ConversionError(SegExportError, RuntimeError):
    """A converter failed, or ran out of time."""


class OptionError(SegExportError, ValueError):
    """What was asked for has no meaning, or none together with the rest."""


class InaccurateError(SegExportError, ArithmeticError):
    """A file does not give PyTorch's mask within its bound."""


class OutputError(SegExportError, OSError):
    """The output cannot be written."""


class MissingExtraError(SegExportError, ImportError):
    """A library that belongs to an extra is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        from segruntime.errors import install_command  # children that have no runtime know these errors too

        super().__init__(f"{module} is not installed; this step needs it: {install_command(extra)}")


class MissingConverterError(SegExportError, ImportError):
    """A converter's environment is not there, or was made from another lock."""


class SetupError(SegExportError, RuntimeError):
    """An environment cannot be made: no Python for it, pip failed, no room."""


def shown(text: str) -> str:
    """A name out of a file for a one-line message: at most LONGEST_SHOWN characters, and `\\n` for what is not printable."""
    printable = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:LONGEST_SHOWN])
    return printable + ("…" if len(text) > LONGEST_SHOWN else "")


def first_few(phrases: Sequence[str]) -> str:
    """`a; b; and 3 more`, MOST_SHOWN of them."""
    more = len(phrases) - MOST_SHOWN
    return "; ".join([*phrases[:MOST_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def plural(count: int, one: str, many: str = "") -> str:
    """`1 channel`, `2 channels`."""
    return f"{count} {one if count == 1 else many or one + 's'}"
