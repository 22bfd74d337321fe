"""A Ray cluster of three nodes on this machine's loopback interface, which sees a lost node within seconds."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from tests.video.clips import person

# before Ray is imported, and for the processes that tests start
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)  # else Ray writes one into the home folder
os.environ["RAY_CLIENT_RECONNECT_GRACE_PERIOD"] = "1"

LIMIT_S = 120
_QUICK = {
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1500,
    "health_check_failure_threshold": 8,
}
_NODE = {"object_store_memory": 80 << 20, "node_ip_address": "127.0.0.1", "include_dashboard": False}


class ThreeNodes:
    """`address` of the cluster, `client` of its server for `ray://`; each node has one CPU."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        port = free_port()
        head = {**_NODE, "num_cpus": 0, "ray_client_server_port": port, "_system_config": _QUICK}
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address: str = self.cluster.address
        self.client = f"ray://127.0.0.1:{port}"
        self.complete()

    def complete(self) -> None:
        """Three, whatever became of them."""
        while len(self.cluster.worker_nodes) < 3:
            self.cluster.add_node(**_NODE, num_cpus=1)
        self.cluster.wait_for_nodes()

    def lose(self, node_id: str) -> None:
        """As when its power fails."""
        (node,) = (one for one in self.cluster.worker_nodes if one.node_id == node_id)
        self.cluster.remove_node(node, allow_graceful=False)

    def workers(self) -> list[int]:
        """The processes of actors and tasks of ours on its nodes."""
        raylets = {raylet.process.pid for node in self.cluster.list_all_nodes() for raylet in _raylets(node)}
        return [pid for pid, parent, name in _processes() if parent in raylets and "UnitActor" in name]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _raylets(node: Any) -> list[Any]:
    return [one for kind, found in node.all_processes.items() if kind == "raylet" for one in found]


def _processes() -> Iterator[tuple[int, int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            yield int(folder.name), int(parent), (folder / "cmdline").read_text()
        except OSError:
            continue  # it has ended


@pytest.fixture(scope="session")
def _started() -> Iterator[ThreeNodes]:
    folder = os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    (Path(folder) / "ray").mkdir()  # where the cluster's address is written, before any node makes the folder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Ray leaves the logs of its server for ray:// open
        made = ThreeNodes()
    try:
        yield made
    finally:
        made.cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def nodes(_started: ThreeNodes) -> ThreeNodes:
    _started.complete()
    return _started


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Thirty pictures of a person, no two the same, and one file that is none."""
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(30):
        assert cv2.imwrite(str(folder / f"{k:02}.png"), person(64 + k, 48))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    return folder


def until(is_so: Callable[[], Any], what: str) -> Any:
    """What it says as soon as it is true."""
    end = time.monotonic() + LIMIT_S
    while not (said := is_so()):
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.05)
    return said
