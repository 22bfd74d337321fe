"""A stream from an address: a transport stream over TCP from a server in the test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.video.child import LIMIT_S, until
from tests.video.clips import frames, make, packets, times

from segruntime.run import command
from segruntime.run.source import join_packets
from segruntime.run.stations import Decoded
from segruntime.run.statistics import Statistics

Run = Callable[..., Statistics]


@contextmanager
def served(path: Path) -> Iterator[str]:
    """The address at which a file is sent once."""
    server = socket.create_server(("127.0.0.1", 0))
    data = path.read_bytes()

    def send() -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):  # nobody listens any more
            for at in range(0, len(data), 188 * 7):
                connection.sendall(data[at : at + 188 * 7])

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()
        thread.join(timeout=LIMIT_S)


def test_every_frame_of_a_live_stream_is_done_or_counted_as_dropped(
    everywhere: object, tmp_path: Path, segrun: Run
) -> None:
    clip = make(tmp_path / "in.ts", frames=50, sound=["aac"], options={"crf": "10", "g": "5", "bf": "0"})
    with served(clip) as address:
        statistics = segrun(address, tmp_path / "out.mkv")
    assert statistics.frames + statistics.dropped == 50
    assert len(frames(tmp_path / "out.mkv")) == statistics.frames
    assert len(packets(tmp_path / "out.mkv")[0]) == len(packets(clip)[0])


def test_a_live_stream_that_is_too_fast_drops_frames_and_keeps_all_sound(
    everywhere: Any, tmp_path: Path, segrun: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network is at one frame until ten that came meanwhile have given way."""
    mask, joined = everywhere.mask, []

    def slow(*_: Any) -> Any:
        until(lambda: len(joined) >= 10)
        return mask.copy()

    def counted(older: Decoded, newer: Decoded) -> Decoded:
        joined.append(newer)
        return join_packets(older, newer)

    monkeypatch.setattr(type(everywhere), "coarse", slow)
    monkeypatch.setattr(command, "join_packets", counted)
    clip = make(tmp_path / "in.ts", frames=50, sound=["aac"], options={"crf": "10", "g": "5", "bf": "0"})
    with served(clip) as address:
        statistics = segrun(address, tmp_path / "out.mkv")
    assert statistics.dropped == len(joined)
    assert statistics.frames + statistics.dropped == 50
    shown = times(tmp_path / "out.mkv")
    assert shown == sorted(shown)
    assert len(packets(tmp_path / "out.mkv")[0]) == len(packets(clip)[0])


def test_the_newer_frame_takes_over_the_packets_of_the_older() -> None:
    older, newer = Decoded(pixels=(), pts=1, packets=("a", "b")), Decoded(pixels=(), pts=2, packets=("c",))
    joined = join_packets(older, newer)
    assert (joined.pts, tuple(joined.packets)) == (2, ("a", "b", "c"))
