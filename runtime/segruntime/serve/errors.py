"""What the service answers when it refuses a request: one line, and the status that goes with it.

SegRuntimeError
└── RefusedError (ValueError)      a request is refused; the service goes on
"""

from __future__ import annotations

from segruntime.errors import SegRuntimeError


class RefusedError(SegRuntimeError, ValueError):
    """A request is refused: its HTTP status, the line for its sender, and when another try makes sense."""

    def __init__(self, status: int, line: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(line)
        self.status = status
        self.headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
