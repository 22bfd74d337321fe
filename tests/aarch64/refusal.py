"""How `make test-aarch64` says that it cannot run."""

from __future__ import annotations


class CannotRunError(RuntimeError):
    """One line: what failed, got, expected, what to do."""
