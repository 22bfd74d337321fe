"""What keeps a peer from being measured, in a line that its row shows."""

from __future__ import annotations

from segbench.errors import SegBenchError


class PeerError(SegBenchError, RuntimeError):
    """A peer cannot be installed, does not start, or gives no mask."""
