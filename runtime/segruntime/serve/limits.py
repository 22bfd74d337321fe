"""What the service takes and for how long: every bound in one place."""

from __future__ import annotations

from dataclasses import dataclass, fields

from segruntime.errors import OptionError

_MEGA = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes and pixels, counts, and times in seconds; all above zero, only `queue` and `drain_s` may be 0.

    body_bytes, pixels: of one picture by POST. frame_bytes, frame_pixels: of one frame on a socket.
    held_bytes: of all bodies and replies together that are in memory. connections: open ones of any kind, sockets: WebSockets.
    queue: requests that wait for a worker. header_s: until a request's head is there, also the second on a connection.
    body_s: until its body is. work_s: waiting for a worker, and then its work, each. reply_s: until the client has taken the
    reply. idle_s: between two frames of a socket. linger_s: how long the rest of a refused body is thrown away.
    drain_s: how long a service that was told to stop goes on, so that a proxy sees by its health that it leaves.
    """

    body_bytes: int = 16 * _MEGA
    pixels: int = 24 * _MEGA
    frame_bytes: int = 4 * _MEGA
    frame_pixels: int = 9 * _MEGA
    held_bytes: int = 256 * _MEGA
    connections: int = 512
    sockets: int = 32
    queue: int = 32
    header_s: float = 10.0
    body_s: float = 30.0
    work_s: float = 20.0
    reply_s: float = 60.0
    idle_s: float = 60.0
    linger_s: float = 2.0
    drain_s: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (value > 0 or (field.name in ("queue", "drain_s") and value == 0)):
                raise OptionError(f"{field.name}: got {value!r}, expected a number above 0")
