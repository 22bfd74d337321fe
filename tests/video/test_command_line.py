"""`segrun` as it is typed: usage, one line for each error, JSON, the progress bar where somebody looks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests import messages
from tests.places import ROOT
from tests.refusals import refusal
from tests.video.child import LIMIT_S, MAIN, finish, start
from tests.video.clips import av, frames, make

from segruntime import cli
from segruntime.cli import main
from segruntime.errors import install_command
from segruntime.run import command


def segrun(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="segrun")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make(tmp_path / "in.mp4", frames=5)


@pytest.mark.usefixtures("everywhere")
def test_a_line_of_statistics_on_standard_output(clip: Path, tmp_path: Path) -> None:
    done = segrun(clip, "-o", tmp_path / "out.mp4", "--every", "2")
    assert done.exit_code == 0
    assert done.stderr == ""
    assert re.fullmatch(
        r"5 frames in \d+\.\d s, \d+\.\d fps; decode \d+% · network \d+% · composite \d+% · encode \d+%; "
        r"mask age 0\.4 frames, at most 1(; flicker .*)?\n",
        done.stdout,
    )
    assert len(frames(tmp_path / "out.mp4")) == 5


@pytest.mark.usefixtures("everywhere")
def test_json_on_standard_output_and_notes_on_standard_error(tmp_path: Path) -> None:
    clip = make(tmp_path / "in.mp4", sound=["aac"])
    done = segrun(clip, "-o", tmp_path / "out.webm", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["frames"] == 12
    assert done.stderr == f"segrun: {found['notes'][0]}\n"


@pytest.mark.usefixtures("everywhere")
def test_encoder_settings_reach_the_encoder(tmp_path: Path) -> None:
    clip = make(tmp_path / "in.mp4", frames=5, size=(320, 240))
    sizes = []
    for crf in ("10", "45"):
        assert segrun(clip, "-o", tmp_path / f"{crf}.mp4", "--crf", crf, "--encoder-preset", "veryfast").exit_code == 0
        sizes.append((tmp_path / f"{crf}.mp4").stat().st_size)
        settings = (tmp_path / f"{crf}.mp4").read_bytes()
        assert f"crf={crf}.0".encode() in settings  # x264 writes them into the stream
    assert sizes[0] > 2 * sizes[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preset", "perfect"], "'perfect' is not one of 'fast', 'balanced', 'best'"),
        (["--every", "0"], "0 is not in the range x>=1"),
        (["--every", "two"], "'two' is not a valid integer"),
        (["--crf", "99"], "99 is not in the range 0<=x<=63"),
        (["--backend", "torch"], "'torch' is not one of"),
        (["--light-wrap", "2"], "2.0 is not in the range 0<=x<=1"),
        (["--encoder-preset", "warp"], "'warp' is not one of 'ultrafast'"),
        (["--frobnicate"], "No such option"),
    ],
)
def test_wrong_words_are_usage_errors(words: list[str], message: str, clip: Path, tmp_path: Path) -> None:
    done = segrun(clip, "-o", tmp_path / "out.mp4", *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not (tmp_path / "out.mp4").exists()


def test_no_input_is_a_usage_error() -> None:
    done = segrun("-o", "out.mp4")
    assert done.exit_code == 2
    assert "Missing argument 'INPUT'" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "out.mp4", "--camera-size", "big"], r"camera-size: got 'big', expected WIDTHxHEIGHT, like 1280x720"),
        (["-o", "out.mp4", "--camera-size", "0x10"], r"camera-size: got '0x10', expected WIDTHxHEIGHT"),
        (["-o", "out.mp4", "--camera-size", "-1x10"], r"camera-size: got '-1x10', expected WIDTHxHEIGHT"),
        (["-o", "out.mp4", "--threads", "0"], f"threads: got 0, {messages.THREADS}"),
        (["-o", "out.mp4", "--background", "blur:9"], r"background: got 'blur:9', expected blur:STRENGTH"),
        (["-o", "out.mp4", "--model", "no.tflite"], r".*no\.tflite"),
        ([], r"output: got none, expected -o OUTPUT, or --preview to look at it in a window"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: list[str], message: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = segrun(clip, *words)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert re.match(f"segrun: {message}", done.stderr)
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_missing_pyav_is_one_line(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    done = segrun(clip, "-o", tmp_path / "out.mp4")
    assert done.exit_code == 1
    assert done.stderr == (f"segrun: a video needs PyAV, which is not installed: {install_command('video')}\n")


def test_pictures_need_no_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, everywhere: object) -> None:
    import cv2
    from tests.video.clips import person

    cv2.imwrite(str(tmp_path / "in.png"), person(64, 48))
    monkeypatch.setitem(sys.modules, "av", None)
    done = segrun(tmp_path / "in.png", "-o", tmp_path / "out.png")
    assert (done.exit_code, done.stderr) == (0, "")


def test_help_shows_examples() -> None:
    done = segrun("--help")
    assert done.exit_code == 0
    assert "segrun talk.mp4 -o out.mp4 --background blur" in done.stdout


def test_the_module_is_the_command(clip: Path, tmp_path: Path) -> None:
    """`python -m segruntime`, with the bundled network and nothing replaced."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "runtime")}
    words = [sys.executable, "-m", "segruntime", str(clip), "-o", str(tmp_path / "out.mp4"), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 5
    assert not [line for line in done.stderr.splitlines() if "fps" in line or "[#" in line]  # nobody looks: no bar


# ── progress ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def on_a_terminal(words: list[object]) -> str:
    """What a terminal shows of standard output and error together, with its carriage returns."""
    pty = pytest.importorskip("pty", reason="no pseudo-terminals here")
    ours, theirs = pty.openpty()
    root = ROOT
    child = subprocess.Popen(
        [sys.executable, "-c", MAIN, *map(str, words)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": f"{root / 'runtime'}{os.pathsep}{root}", "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        if not piece:
            break
        shown += piece
    assert child.wait(timeout=LIMIT_S) == 0
    os.close(ours)
    return shown.decode()


def assert_the_statistics_stand_on_a_line_of_their_own(shown: str) -> None:
    lines = [line for line in shown.replace("\r\n", "\n").split("\n") if "decode" in line]
    assert len(lines) == 1
    assert re.match(r"\d+ frames? in ", lines[0])


def test_a_bar_shows_frames_rate_and_ends_with_its_line(tmp_path: Path) -> None:
    clip = make(tmp_path / "in.mp4", frames=30)
    words: list[object] = [clip, "-o", tmp_path / "out.mp4", "--preset", "fast", "--threads", "1"]
    shown = on_a_terminal(words)
    assert "30/30" in shown
    assert re.search(r"\d+\.\d fps", shown)
    assert_the_statistics_stand_on_a_line_of_their_own(shown)


def test_a_bar_whose_length_was_a_guess_ends_with_its_line_too(tmp_path: Path) -> None:
    """Matroska names no number of frames: half a second is guessed from a length of two."""
    clip = make(tmp_path / "in.mkv", frames=12, sound=["aac"], sound_s=2.0)
    words: list[object] = [clip, "-o", tmp_path / "out.mkv", "--preset", "fast", "--threads", "1"]
    assert_the_statistics_stand_on_a_line_of_their_own(on_a_terminal(words))


def test_a_count_where_no_length_is_known_ends_with_its_line_too(tmp_path: Path) -> None:
    clip = make(tmp_path / "in.h264", frames=12)
    words: list[object] = [clip, "-o", tmp_path / "out.mp4", "--preset", "fast", "--threads", "1"]
    shown = on_a_terminal(words)
    assert "12 frames, " in shown
    assert_the_statistics_stand_on_a_line_of_their_own(shown)


def test_json_on_a_terminal_has_no_bar(clip: Path, tmp_path: Path) -> None:
    shown = on_a_terminal([clip, "-o", tmp_path / "out.mp4", "--preset", "fast", "--json"])
    assert json.loads(shown[shown.index("{") :])["frames"] == 5
    assert "[#" not in shown


def test_an_unreadable_word_is_shortened() -> None:
    assert cli._size("1280X720") == (1280, 720)
    refusal(command.OptionError, cli._size, "x" * 10_000, most=199)


def test_the_version_of_ffmpeg_is_new_enough_for_these_tests() -> None:
    found: Any = av.codecs_available
    assert {"libx264", "libvpx-vp9", "prores_ks", "libopus", "aac"} <= set(found)


def test_quiet_children_say_nothing(clip: Path, tmp_path: Path) -> None:
    code, out, said = finish(start([clip, "-o", tmp_path / "out.mp4", "--background", "green"]))
    assert (code, said) == (0, [])
    assert out.startswith("5 frames in ")
