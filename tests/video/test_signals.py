"""Ctrl-C and SIGTERM: what was done stays as a file that plays, and nothing half-written does."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest
from tests.video.child import finish, held, start, wait_for
from tests.video.clips import frames, make, packets, times

from segruntime.run.pipeline import DEPTH

if sys.platform == "win32":
    pytest.skip("signals are POSIX", allow_module_level=True)


MOST = 15 + DEPTH + 2  # in the network's hands, in the queue before it, in the decoder's, and one that it had begun


def words(clip: Path, output: Path | str) -> list[str | Path]:
    return [clip, "-o", output, "--background", "green", "--preset", "fast", "--threads", "1"]


@pytest.mark.parametrize(
    ("number", "name"),
    [(signal.SIGINT, "out.mp4"), (signal.SIGTERM, "out.mp4"), (signal.SIGINT, "out.mkv"), (signal.SIGINT, "out.mov")],
)
def test_a_signal_leaves_what_was_done(number: int, name: str, tmp_path: Path, nothing_else: set[str]) -> None:
    nothing_else |= {"in.mp4", name}
    clip = make(tmp_path / "in.mp4", frames=200, sound=["aac"])
    child = start(words(clip, tmp_path / name), held(15))
    wait_for(child, "frame 15")
    child.send_signal(number)
    code, _, said = finish(child)
    assert code == 130
    done = int(re.search(r"holds the (\d+) frames that were done", said[-1]).group(1))  # type: ignore[union-attr]
    assert 15 <= done <= MOST
    shown = times(tmp_path / name)
    assert len(shown) == done
    if name != "out.mkv":  # where AAC, which begins before 0, moves all by 21 ms
        assert shown == times(clip)[:done]
    sound, all_sound = packets(tmp_path / name)[0], packets(clip)[0]
    assert [data for _, data in sound] == [data for _, data in all_sound[: len(sound)]]
    assert abs(float(sound[-1][0] - shown[-1])) < 0.5


def test_a_signal_with_overwrite_replaces_the_old_file_by_what_was_done(tmp_path: Path, nothing_else: set[str]) -> None:
    nothing_else |= {"in.mp4", "out.mp4"}
    clip = make(tmp_path / "in.mp4", frames=200)
    (tmp_path / "out.mp4").write_text("old")
    child = start([*words(clip, tmp_path / "out.mp4"), "--overwrite"], held(15))
    wait_for(child, "frame 15")
    assert (tmp_path / "out.mp4").read_text() == "old"
    child.send_signal(signal.SIGINT)
    assert finish(child)[0] == 130
    assert 15 <= len(frames(tmp_path / "out.mp4")) <= MOST


def test_a_second_ctrl_c_ends_at_once_and_leaves_nothing(tmp_path: Path, nothing_else: set[str]) -> None:
    nothing_else |= {"in.mp4", "out.mp4"}
    clip = make(tmp_path / "in.mp4", frames=200, sound=["aac"])
    (tmp_path / "out.mp4").write_text("old")
    child = start([*words(clip, tmp_path / "out.mp4"), "--overwrite"], held(15, signals=2))
    wait_for(child, "frame 15")
    child.send_signal(signal.SIGINT)
    wait_for(child, "frame stopped")
    child.send_signal(signal.SIGINT)
    code, _, said = finish(child)
    assert code == 130
    assert said == ["segrun: stopped; nothing was written"]
    assert (tmp_path / "out.mp4").read_text() == "old"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_model_is_loaded_leaves_nothing(number: int, tmp_path: Path, nothing_else: set[str]) -> None:
    nothing_else |= {"in.mp4"}
    clip = make(tmp_path / "in.mp4", frames=5)
    slow_load = """
import sys, time
from segruntime.run import command
def load(*_, **__):
    print("frame loading", file=sys.stderr, flush=True)
    for _ in range(6000):  # one long sleep would go on where a signal comes just before it
        time.sleep(0.01)
command.load = load
"""
    child = start(words(clip, tmp_path / "out.mp4"), slow_load)
    wait_for(child, "frame loading")
    child.send_signal(number)
    code, _, said = finish(child)
    assert (code, said) == (130, ["segrun: stopped; nothing was written"])


def test_ctrl_c_leaves_the_pictures_of_a_sequence_that_are_whole(tmp_path: Path, nothing_else: set[str]) -> None:
    nothing_else |= {"in.mp4", "f"}
    clip = make(tmp_path / "in.mp4", frames=200)
    child = start(words(clip, f"{tmp_path}/f/"), held(15))
    wait_for(child, "frame 15")
    child.send_signal(signal.SIGINT)
    code, _, said = finish(child)
    assert code == 130
    names = sorted(path.name for path in (tmp_path / "f").iterdir())
    assert 15 <= len(names) <= MOST
    assert f"holds the {len(names)} frames" in said[-1]
    assert names == [f"frame_{i + 1:06d}.png" for i in range(len(names))]


def test_a_ctrl_c_that_a_shell_has_ignored_in_the_background_stays_ignored(tmp_path: Path) -> None:
    """The signal comes while the frames go by; heard, it would leave a file of those that were done, and 130."""
    clip = make(tmp_path / "in.mp4", frames=20)
    send = "import os; from segruntime.run import stages; network = stages.Network.__call__\n"
    send += "stages.Network.__call__ = lambda *words: [os.kill(os.getpid(), signal.SIGINT), network(*words)][1]\n"
    child = start(
        words(clip, tmp_path / "out.mp4"), "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + send
    )
    assert finish(child)[0] == 0
    assert len(frames(tmp_path / "out.mp4")) == 20
