"""What a profile refuses beyond `segbench.errors`."""

from __future__ import annotations

from segbench.errors import SegBenchError


class ProfileError(SegBenchError, ValueError):
    """The model cannot be taken apart, or its parts do not do what the whole does."""
