"""What a cluster is asked before it gets any work, and how it is refused in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="Ray is not installed; make ray-test has an environment for it")

import ray
from tests.each_case import each_case
from tests.ray.conftest import ThreeNodes
from tests.ray.test_engine import WORDS, Gated, drafts, results, waiting, work_of
from tests.refusals import refusal, run_segrun

import segruntime
from segruntime.errors import ClusterError
from segruntime.jobs import nodes as asking
from segruntime.jobs.cluster import connected
from segruntime.jobs.nodes import Nodes, look_by_value, wanted_of
from segruntime.jobs.plan import units_of
from segruntime.jobs.ray_engine import RayActors, Round
from segruntime.jobs.unit import Outcome
from segruntime.jobs.worker import Work


@pytest.fixture
def wanted(pictures: Path, tmp_path: Path) -> Iterator[dict[str, Any]]:
    with wanted_of(work_of(tmp_path), list(units_of(pictures, ""))[:1]) as found:
        yield {**found, "bundled": Path(found["model"]).name}


@pytest.fixture
def driver(nodes: ThreeNodes) -> Iterator[Any]:
    with connected(nodes.address, None) as found:
        yield found


def on_one_node(node_id: str, change: Callable[[dict[str, Any]], None]) -> Callable[[], Any]:
    """`look_by_value` of which that node is told something else."""
    look = look_by_value()

    def changed(wanted: dict[str, Any]) -> Any:
        import ray

        if ray.get_runtime_context().get_node_id() == node_id:
            change(wanted)
        return look(wanted)

    return lambda: changed


def told(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda wanted: wanted.update({name: value})


def without_segedge(_wanted: dict[str, Any]) -> None:
    import sys

    sys.modules["segruntime"] = None  # type: ignore[assignment]


@each_case(
    ("change", "words"),
    [
        (
            told("token", "/elsewhere/token"),
            r"does not see what this machine writes to /elsewhere; all nodes need one file system, under the same paths$",
        ),
        (told("text", "of another folder"), r"does not see what this machine writes to \S+; all nodes"),
        (told("files", {__file__: 1}), rf"does not see {__file__} as it is here; all nodes need one file system"),
        (told("version", "9.9"), rf"has segedge {segruntime.__version__}, expected 9\.9 as here; install that$"),
        (
            told("sha256", "0" * 64),
            r"has another model in \S+\.\w+, with SHA-256 [0-9a-f]{12}, expected 000000000000; copy it$",
        ),
        (told("bundled", "none.tflite"), r"does not have the model \S+none\.tflite; put it there too$"),
        # the last one, for the process that it meets has none from then on
        (without_segedge, rf"has no segedge \(.+\); install {segruntime.__version__} there too$"),
    ],
)
def test_the_node_that_does_not_fit_is_named(
    change: Callable[[dict[str, Any]], None],
    words: str,
    nodes: ThreeNodes,
    driver: Any,
    wanted: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (other, *_) = nodes.cluster.worker_nodes
    monkeypatch.setattr(asking, "look_by_value", look_by_value)
    Nodes(driver, wanted).check_all()
    monkeypatch.setattr(asking, "look_by_value", on_one_node(other.node_id, change))
    message = refusal(ClusterError, Nodes(driver, wanted).check_all, match=words)
    assert message.startswith("node ")
    assert f"{other.node_id[:8]}): " in message


def test_a_node_that_came_later_and_does_not_fit_gets_no_work(
    nodes: ThreeNodes, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (other, *_) = nodes.cluster.worker_nodes
    monkeypatch.setattr(asking, "look_by_value", on_one_node(other.node_id, told("token", "/elsewhere/token")))
    monkeypatch.setattr(Nodes, "check_all", lambda _: None)  # it was not there yet
    again = Round._again

    def noted(self: Round, *words: Any) -> None:
        again(self, *words)
        if len(self._seats) == 2:
            (tmp_path / "go").touch()

    monkeypatch.setattr(Round, "_again", noted)
    running = RayActors(work_of(tmp_path), 3, nodes.address, Gated).run(units_of(pictures, ""))
    with pytest.warns(RuntimeWarning, match=r"^going on with 2 workers: node .* does not see what this machine writes"):
        outcomes = list(running)
    assert len(outcomes) == 31
    assert [one.unit.name for one in outcomes if one.error] == ["broken.png"]
    assert other.node_id not in dict(waiting(tmp_path))


def through_client(work: Work, address: str, pictures: Path) -> list[Outcome]:
    """Again where Ray's server did not start its own process in its 30 s, on a machine with much else to do."""
    for attempt in range(3):
        try:
            with closing(RayActors(work, 2, address).run(units_of(pictures, ""))) as running:
                return list(running)
        except ClusterError as error:
            if attempt == 2 or "Starting Ray client server failed" not in str(error):
                raise
    raise AssertionError


def test_a_job_through_ray_client_has_the_same_results(nodes: ThreeNodes, pictures: Path, tmp_path: Path) -> None:
    assert run_segrun(pictures, "-o", tmp_path / "alone", *WORDS).exit_code == 1
    work = work_of(tmp_path)
    outcomes = through_client(work, nodes.client, pictures)
    assert drafts(outcomes, work) == results(tmp_path / "alone")
    assert not ray.is_initialized()
