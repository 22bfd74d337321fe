"""What keeps a peer from being measured, in a line that its row shows."""

from __future__ import annotations

import re

from segbench.errors import SegBenchError

_LONGEST = 250


class PeerError(SegBenchError, RuntimeError):
    """A peer cannot be installed, does not start, or gives no mask."""


def reason(text: str) -> str:
    """`text` in one line, short, without paths and addresses: it goes into results, which others read."""
    return re.sub(r"\S*[/\\]\S*", "…", " ".join(text.split()))[:_LONGEST]
