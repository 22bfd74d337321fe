"""A stream from an address: a transport stream over TCP from a server in the test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.video.clips import frames, make, packets, times

from segruntime.run.stations import Decoded
from segruntime.run.statistics import Statistics
from segruntime.run.video_source import join_sound

Run = Callable[..., Statistics]


@contextmanager
def served(path: Path, seconds: float) -> Iterator[str]:
    """The address at which a file is sent once, spread over `seconds`."""
    server = socket.create_server(("127.0.0.1", 0))
    data = path.read_bytes()

    def send() -> None:
        connection, _ = server.accept()
        pieces = [data[at : at + 188 * 7] for at in range(0, len(data), 188 * 7)]
        with connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(seconds / len(pieces))
            except OSError:
                pass  # nobody listens any more

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()
        thread.join(timeout=10)


def test_a_live_stream_that_is_kept_up_with_loses_nothing(everywhere: object, tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.ts", frames=50, sound=["aac"], options={"crf": "10", "g": "5", "bf": "0"})
    with served(clip, 1.0) as address:
        statistics = segrun(address, tmp_path / "out.mkv")
    assert statistics.frames + statistics.dropped == 50
    assert len(frames(tmp_path / "out.mkv")) == statistics.frames
    assert len(packets(tmp_path / "out.mkv")[0]) == len(packets(clip)[0])


def test_a_live_stream_that_is_too_fast_drops_frames_and_keeps_all_sound(
    everywhere: Any, tmp_path: Path, segrun: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = everywhere.mask

    def slow(*_: Any) -> Any:
        time.sleep(0.06)
        return mask.copy()

    monkeypatch.setattr(type(everywhere), "coarse", slow)
    clip = make(tmp_path / "in.ts", frames=50, sound=["aac"], options={"crf": "10", "g": "5", "bf": "0"})
    with served(clip, 0.8) as address:
        statistics = segrun(address, tmp_path / "out.mkv")
    assert statistics.dropped >= 10
    assert statistics.frames + statistics.dropped == 50
    shown = times(tmp_path / "out.mkv")
    assert shown == sorted(shown)
    assert len(packets(tmp_path / "out.mkv")[0]) == len(packets(clip)[0])


def test_the_newer_frame_takes_over_the_sound_of_the_older() -> None:
    older, newer = Decoded(pixels=(), pts=1, sound=("a", "b")), Decoded(pixels=(), pts=2, sound=("c",))
    joined = join_sound(older, newer)
    assert (joined.pts, tuple(joined.sound)) == (2, ("a", "b", "c"))
