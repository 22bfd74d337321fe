"""Workers in processes of their own, and a job that is killed: nothing is lost, nothing is done twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
from tests.jobs.conftest import RunJob
from tests.refusals import refusal
from tests.video.child import LIMIT_S, finish, start, until, wait_for
from tests.video.clips import make, packets, person, times

from segruntime.errors import OptionError, SegRuntimeError
from segruntime.jobs import processes
from segruntime.jobs.executors import Crew

TWO = Crew(workers=2)
PICTURES = 8
SIZE = 256, 192
"""At some other widths x264 with AVX-512 gives other packets for the same frames from one call to the next."""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(PICTURES):
        cv2.imwrite(str(folder / f"{k}.png"), person(96 + k, 72))
    return folder


def results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.*") if path.is_file()}


def test_workers_give_what_one_process_gives(pictures: Path, tmp_path: Path, job: RunJob) -> None:
    make(pictures / "talk.mp4", frames=8)
    job(pictures, tmp_path / "one")
    summary = job(pictures, tmp_path / "two", crew=TWO)
    assert (summary.exit_code, summary.progress.finished) == (0, PICTURES + 1)
    assert results(tmp_path / "two") == results(tmp_path / "one")
    assert not multiprocessing.active_children()


def test_of_workers_that_load_their_network_nothing_is_said(pictures: Path, tmp_path: Path) -> None:
    """LiteRT writes a line on standard error in pieces, and the pieces of two workers would lie in one line."""
    child = start([pictures, "-o", tmp_path / "out/", "--background", "green", "--preset", "fast", "--workers", "2"])
    _, said = child.communicate(timeout=LIMIT_S)
    assert (child.returncode, said) == (0, "")


def test_what_else_is_said_meanwhile_is_said_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    with processes._without_chatter():
        os.write(2, b"INFO: made\na warning\nINFO: and\nanother")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "a warning\nanother"


def test_a_worker_works_on_when_nobody_reads_what_it_says() -> None:
    error = os.dup(2)
    out, into = os.pipe()
    os.dup2(into, 2)
    os.close(into)
    os.close(out)
    try:
        with processes._without_chatter():
            os.write(2, b"a warning\n")
    finally:
        os.dup2(error, 2)
        os.close(error)


def test_a_worker_that_is_killed_is_started_again(pictures: Path, tmp_path: Path, job: RunJob) -> None:
    killed: list[int] = []

    def kill_first(_: Any) -> None:
        if not killed:
            killed.append(multiprocessing.active_children()[0].pid or 0)
            os.kill(killed[0], signal.SIGKILL)

    summary = job(pictures, tmp_path / "out", crew=Crew(workers=1), watch=kill_first)
    assert killed
    assert (summary.exit_code, summary.progress.finished) == (0, PICTURES)


def test_a_unit_that_takes_its_worker_with_it_is_tried_three_times(pictures: Path, tmp_path: Path, job: RunJob) -> None:
    for one in sorted(pictures.iterdir())[2:]:
        one.unlink()
    summary = job(pictures, tmp_path / "out", crew=Crew(workers=1, limit_bytes=1 << 20))
    assert summary.exit_code == 1
    said = "its worker took more than 1 MB of memory, 3 times; look at the file, or give more memory"
    assert summary.errors == [f"{pictures / name}: {said}" for name in ("0.png", "1.png")]
    assert not results(tmp_path / "out")


def test_a_model_that_no_worker_can_load_ends_the_job(pictures: Path, tmp_path: Path, job: RunJob) -> None:
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"no model")
    refusal(SegRuntimeError, job, pictures, tmp_path / "out", match=r"bad\.tflite", crew=TWO, model=str(bad))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"engine": "slurm"}, "engine: got 'slurm', expected one of local, ray"),
        ({"address": "auto"}, "address: got 'auto' without a cluster; add --engine ray"),
    ],
)
def test_a_crew_that_cannot_be(words: dict[str, Any], said: str) -> None:
    refusal(OptionError, Crew, match=said, **words)


# ── kill -9 ───────────────────────────────────────────────────────────────────────────────────────────────────────────

# the journal's lines are said, and it stands still before the line after which it is to be killed gets its result's name
TOLD = """
import os, signal
from segruntime.jobs import place, journal
add, deliver = journal.Journal.add, place.Place.deliver
def told(self, lines):
    add(self, lines)
    os.write(2, b"frame line\\n")
def delivered(self, unit):
    if {at} == "deliver":
        os.write(2, b"frame held\\n")
        signal.pause()
    deliver(self, unit)
journal.Journal.add, place.Place.deliver = told, delivered
"""


def kill(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.communicate()


def lines_of(output: Path) -> list[dict[str, Any]]:
    state = output / ".segrun" if output.is_dir() else output.with_name(f".{output.name}.segrun")
    return [json.loads(line) for line in (state / "job.jsonl").read_text().splitlines()]


def test_killed_between_the_line_and_the_name(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [pictures, "-o", f"{out}/", "--background", "green", "--preset", "fast"]
    child = start(words, TOLD.format(at="'deliver'"))
    wait_for(child, "frame held")
    kill(child)
    assert not results(out)
    code, _, _ = finish(start(words))
    assert code == 0
    assert len(results(out)) == PICTURES
    done = [line["name"] for line in lines_of(out) if line.get("state") == "finished"]
    assert sorted(done) == sorted(results(out)), "once each, the first one too"


def test_a_long_video_that_is_killed_goes_on_with_its_segments(tmp_path: Path) -> None:
    options = {"preset": "ultrafast", "g": "25", "keyint_min": "25", "sc_threshold": "0"}
    clip = make(tmp_path / "long.mp4", frames=250, size=SIZE, options=options, sound=["aac"])
    words = [clip, "--background", "green", "--preset", "fast", "--segment", "1", "--workers", "2", "-o"]
    code, _, said = finish(start([*words, tmp_path / "whole.mp4"]))
    assert (code, said) == (0, [])
    out = tmp_path / "out.mp4"
    for count in (2, 3):
        child = start([*words, out], TOLD.format(at="''"))
        for _ in range(count):
            wait_for(child, "frame line")
        kill(child)
        assert not out.exists()
    done = {line["id"] for line in lines_of(out) if line.get("state") == "finished"}
    assert done
    code, _, said = finish(start([*words, out, "--resume"]))
    assert code == 0
    assert said == [f"segrun: {out}: 0 of 1 are done, 1 left"]
    assert out.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert times(out) == times(clip)
    assert packets(out) == packets(clip)
    assert not list(tmp_path.glob(".out*")), "of a file that is whole nothing else is left"


def test_workers_end_with_the_process_that_started_them(pictures: Path, tmp_path: Path) -> None:
    child = start([pictures, "-o", tmp_path / "out/", "--workers", "2"], TOLD.format(at="'deliver'"))
    wait_for(child, "frame held")
    workers = children_of(child.pid)
    assert len(workers) >= 2
    kill(child)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def children_of(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        pytest.skip("this system does not tell a process's children")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_with_all_that_is_done_and_nothing_half(
    number: signal.Signals, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    child = start([pictures, "-o", f"{out}/", "--workers", "2"], TOLD.format(at="''"))
    wait_for(child, "frame line")
    wait_for(child, "frame line")
    child.send_signal(number)
    code, _, said = finish(child)
    assert code == 130
    assert said[-1] == "segrun: stopped; the same command goes on with what is left"
    assert not os.listdir(out / ".segrun/units")
    assert finish(start([pictures, "-o", f"{out}/"]))[0] == 0
    assert len(results(out)) == PICTURES


# ── segrun status ─────────────────────────────────────────────────────────────────────────────────────────────────────


def status(output: Path, *words: str) -> subprocess.CompletedProcess[str]:
    code = "from segruntime.cli import main; main(prog_name='segrun')"
    return subprocess.run(
        [sys.executable, "-c", code, "status", str(output), *words], capture_output=True, text=True, check=False
    )


def test_status_of_a_job_that_runs_and_of_one_that_was_killed(pictures: Path, tmp_path: Path) -> None:
    (pictures / "z.png").write_bytes(b"no picture")
    (pictures / "0.jpg").write_bytes(b"no picture")
    out = tmp_path / "out"
    child = start([pictures, "-o", f"{out}/"], TOLD.format(at="'deliver'"))
    wait_for(child, "frame held")
    told = json.loads(status(out, "--json").stdout)
    kill(child)
    assert {name: told[name] for name in ("files", "finished", "failed", "left", "running")} == {
        "files": PICTURES + 2,
        "finished": 1,
        "failed": 1,
        "left": PICTURES,
        "running": True,
    }
    assert told["errors"][0].startswith(str(pictures / "0.jpg"))
    assert told["seconds_left"] > 0
    line = status(out).stdout
    assert line.startswith(f"1 of {PICTURES + 2} done, 1 failed, {PICTURES} left")
    assert "nobody works on it, the same command goes on" in line


def test_status_where_there_is_no_job(tmp_path: Path) -> None:
    done = status(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"segrun: {tmp_path}: holds no job that was begun and not ended, expected a folder")
