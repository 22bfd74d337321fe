"""What keeps the zoo from running, in a line."""

from __future__ import annotations

from segbench.errors import SegBenchError


class ZooError(SegBenchError, RuntimeError):
    """The libraries' environment is missing, or a network cannot be made."""
