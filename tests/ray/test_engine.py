"""`--engine ray` on three nodes: the results of one process, whatever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="Ray is not installed; make ray-test has an environment for it")

from tests.places import ROOT
from tests.ray.conftest import LIMIT_S, ThreeNodes, until
from tests.refusals import run_segrun
from tests.scripts import result_of

from segruntime.jobs.plan import units_of
from segruntime.jobs.ray_engine import RayActors
from segruntime.jobs.unit import Outcome, Unit
from segruntime.jobs.worker import UnitWorker, Work
from segruntime.run.command import RunOptions
from segruntime.segmenter import default_model

WORDS = ["--background", "#00b140", "--preset", "fast", "--threads", "1"]
GATED = """
from tests.ray.test_engine import Gated
from segruntime.cli import main
from segruntime.jobs.executors import ENGINES
from segruntime.jobs.ray_engine import RayActors

ENGINES["ray"] = lambda work, crew: RayActors(work, crew.workers, crew.address, Gated)
main(prog_name="segrun")
"""


def results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


@pytest.fixture
def expected(pictures: Path, tmp_path: Path) -> dict[str, bytes]:
    """What one process makes of the pictures."""
    assert run_segrun(pictures, "-o", tmp_path / "alone", *WORDS).exit_code == 1
    made = results(tmp_path / "alone")
    assert len(made) == 30
    return made


class Gated(UnitWorker):
    """Does ten units, whichever come first, and no more before a file `go` is there; says on which node and process it waits.

    Which they are is not said by their order: an actor's threads may take them in another.
    """

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._work = work

    def run(self, units: Any) -> Any:
        return super().run(map(self._wait, units))

    def _wait(self, unit: Unit) -> Unit:
        import ray

        here = Path(self._work.drafts).parent
        if not (here / "go").exists() and not any(is_first(here / f"passed-{k}") for k in range(10)):
            node = ray.get_runtime_context().get_node_id()
            (here / f"at-{node}-{os.getpid()}").touch()
            until(lambda: (here / "go").exists(), "go")
        return unit


def is_first(mark: Path) -> bool:
    """Whether nobody was here before; of several at once one is."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def work_of(folder: Path) -> Work:
    (folder / "units").mkdir(parents=True)
    options = RunOptions(
        source="in", output="out", background="#00b140", preset="fast", threads=1, model=str(default_model())
    )
    return Work(options=options, drafts=str(folder / "units"))


def waiting(folder: Path) -> list[tuple[str, int]]:
    """(node, process) of each worker that has come to the gate, and lives: on a busy machine Ray may lose one by itself."""
    found = [path.name.split("-") for path in folder.glob("at-*")]
    return [(node, int(pid)) for _, node, pid in found if Path("/proc", pid).exists()]


def drafts(outcomes: list[Outcome], work: Work) -> dict[str, bytes]:
    done = [one.unit for one in outcomes if one.state == "finished"]
    return {unit.name: unit.draft(work.drafts).read_bytes() for unit in done}


@pytest.mark.parametrize("dies", ["node", "process"])
def test_what_a_node_or_process_had_in_work_when_it_died_is_done_by_another(
    nodes: ThreeNodes, pictures: Path, expected: dict[str, bytes], tmp_path: Path, dies: str
) -> None:
    work = work_of(tmp_path)
    with closing(RayActors(work, address=nodes.address, does=Gated).run(units_of(pictures, ""))) as running:
        outcomes = [next(running) for _ in range(10)]  # all that need not wait
        node, process = until(lambda: waiting(tmp_path), "a worker at the gate")[0]
        if dies == "node":
            nodes.lose(node)
        else:
            os.kill(process, signal.SIGKILL)
        (tmp_path / "go").touch()
        outcomes += running
    assert sorted(one.unit.name for one in outcomes) == sorted(path.name for path in pictures.iterdir())
    assert drafts(outcomes, work) == expected
    (failed,) = (one for one in outcomes if one.state == "failed")
    assert failed.unit.name == "broken.png"
    assert str(failed.error).startswith(f"{pictures / 'broken.png'}: ")


class Deadly(UnitWorker):
    """Ends its process at one of the pictures."""

    def run(self, units: Any) -> Any:
        return super().run(map(self._end, units))

    def _end(self, unit: Unit) -> Unit:
        if Path(unit.source).name == "05.png":
            os.kill(os.getpid(), signal.SIGKILL)
        return unit


def test_a_picture_that_no_process_survives_fails_alone(
    nodes: ThreeNodes, pictures: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    work = work_of(tmp_path)
    outcomes = list(RayActors(work, 1, nodes.address, Deadly).run(units_of(pictures, "")))
    failed = {one.unit.name: str(one.error) for one in outcomes if one.state == "failed"}
    assert failed.keys() == {"05.png", "broken.png"}
    assert failed["05.png"].startswith(f"{pictures / '05.png'}: its worker died (")
    assert failed["05.png"].endswith("3 times; look at the file, or give more memory")
    del expected["05.png"]
    assert drafts(outcomes, work) == expected


class Broken(UnitWorker):
    """No process of it lives long enough to say anything."""

    def run(self, units: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


def test_workers_that_never_start_end_the_job_in_one_line(nodes: ThreeNodes, pictures: Path, tmp_path: Path) -> None:
    from segruntime.errors import ClusterError

    running = RayActors(work_of(tmp_path), 1, nodes.address, Broken).run(units_of(pictures, ""))
    with pytest.raises(ClusterError, match=r"^no worker starts in the cluster: a worker died \("):
        list(running)


@pytest.fixture
def started(nodes: ThreeNodes, pictures: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A job that has ten results; its workers wait."""
    words = [str(pictures), "-o", str(tmp_path / "out"), *WORDS, "--engine", "ray", "--address", nodes.address]
    process = subprocess.Popen(
        [sys.executable, "-c", GATED, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        until(lambda: len(results(tmp_path / "out")) == 10 or process.poll() is not None, "ten results")
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate()


def go_on(nodes: ThreeNodes, pictures: Path, out: Path) -> Any:
    words = [pictures, "-o", out, *WORDS, "--engine", "ray", "--address", nodes.address, "--json"]
    ran = run_segrun(*words)
    assert ran.exit_code == 1, ran.stderr  # one picture is broken
    return json.loads(ran.stdout)


def test_a_driver_that_was_killed_goes_on_where_it_was(
    started: subprocess.Popen[str], nodes: ThreeNodes, pictures: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    started.kill()
    assert started.wait(LIMIT_S) == -signal.SIGKILL
    assert len(results(tmp_path / "out")) == 10
    said = go_on(nodes, pictures, tmp_path / "out")
    assert (said["finished"], said["failed"], said["left"]) == (30, 1, 0)
    assert results(tmp_path / "out") == expected
    lines = [json.loads(line) for line in (tmp_path / "out" / ".segrun" / "job.jsonl").read_text().splitlines()]
    finished = [line["id"] for line in lines if line.get("state") == "finished"]
    assert len(finished) == len(set(finished)) == 30
    assert os.listdir(tmp_path / "out" / ".segrun" / "units") == []


def test_a_stopped_driver_leaves_no_worker_behind(
    started: subprocess.Popen[str], nodes: ThreeNodes, tmp_path: Path
) -> None:
    assert nodes.workers()
    started.send_signal(signal.SIGTERM)
    stdout, stderr = started.communicate(timeout=LIMIT_S)
    assert started.returncode == 130, stderr
    assert stderr.splitlines()[-1] == "segrun: stopped; the same command goes on with what is left"
    assert len(stdout.splitlines()) == 1
    until(lambda: not nodes.workers(), "no worker is left")
    state = tmp_path / "out" / ".segrun"
    assert [path.name for path in state.iterdir() if path.name.startswith("seen-by-all")] == []


def test_the_benchmark_counts_units_that_wait() -> None:
    found = result_of("jobs_scaling.py", "--nodes", "1", "--units", 3, "--wait", 0.1, "--rounds", 0)
    (row,) = found["scaling"]
    assert (row["nodes"], row["of_linear"]) == (1, 1)
    assert 0 < row["waited"] <= 1
