"""`--engine ray` without a cluster, or with an address where none is; and what is never loaded, sent or left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray is not installed; make ray-test has an environment for it")

from tests.each_case import each_case
from tests.ray.conftest import LIMIT_S, free_port
from tests.refusals import refused, run_segrun

# prints what the processes of a local cluster listen on and are connected to, and which of them are there afterwards
LOCAL = """
import json, os, sys, time
from pathlib import Path
from segruntime.jobs.cluster import connected

def ours():
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"SEGRUN_TEST_MARK=1" in (folder / "environ").read_bytes() and int(folder.name) != os.getpid():
                found[folder.name] = {os.readlink(link) for link in (folder / "fd").iterdir()}
        except OSError:
            continue
    return found

def addresses():
    sockets = set().union(*ours().values())
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            words = line.split()
            if f"socket:[{words[9]}]" in sockets:
                yield tuple(one.rpartition(":")[0] for one in words[1:3])

os.environ["SEGRUN_TEST_MARK"] = "1"
with connected(None, 1) as ray:
    assert ray.get(ray.remote(lambda: 7).remote()) == 7
    from ray._common.usage.usage_lib import usage_stats_enabled
    during = {"addresses": sorted(set(addresses())), "processes": len(ours()), "usage": usage_stats_enabled()}
end = time.monotonic() + 60
while ours() and time.monotonic() < end:
    time.sleep(0.05)
print(json.dumps({**during, "left": len(ours())}))
"""
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
UNCONNECTED = {"00000000", "00000000000000000000000000000000", "0000000000000000FFFF000000000000"}


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads what Linux says of sockets")
def test_a_local_cluster_listens_on_the_loopback_interface_alone_sends_nothing_and_ends(tmp_path: Path) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", LOCAL],
        env={**plain, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["processes"] > 3
    own, others = (set(found) for found in zip(*said["addresses"], strict=True))
    assert own <= LOOPBACK
    assert others <= LOOPBACK | UNCONNECTED
    assert said["usage"] is False
    assert said["left"] == 0


def test_a_job_without_ray_loads_nothing_of_it(pictures: Path, tmp_path: Path) -> None:
    script = "import sys; from segruntime.cli import main; main(standalone_mode=False)"
    script = f"import atexit, sys; atexit.register(lambda: print('ray' in sys.modules)); {script}"
    words = [str(pictures), "-o", str(tmp_path / "out"), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    assert done.returncode == 1, done.stderr  # one picture is broken
    assert done.stdout.splitlines()[-1] == "False"


def test_a_missing_ray_names_what_gets_it(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    line = refused(run_segrun(pictures, "-o", tmp_path / "out", "--engine", "ray"), "segrun")
    assert line.startswith("segrun: --engine ray needs Ray, which is not installed: pip install ")


def test_a_limit_that_nobody_would_keep_is_refused(pictures: Path, tmp_path: Path) -> None:
    line = refused(run_segrun(pictures, "-o", tmp_path / "out", "--engine", "ray", "--limit-memory", "1G"), "segrun")
    assert line.startswith("segrun: limit-memory: is of the processes of --engine local; ")


@each_case("scheme", ["", "ray://"])
def test_an_address_where_nobody_listens_is_one_line_at_once(scheme: str, pictures: Path, tmp_path: Path) -> None:
    address = f"{scheme}127.0.0.1:{free_port()}"
    line = refused(run_segrun(pictures, "-o", tmp_path / "out", "--engine", "ray", "--address", address), "segrun")
    assert line.startswith(f"segrun: address: {address}: cannot be reached (")


@each_case("address", ["here", "ray://", "127.0.0.1:", "127.0.0.1:http"])
def test_an_address_that_is_none_is_one_line(address: str, pictures: Path, tmp_path: Path) -> None:
    line = refused(run_segrun(pictures, "-o", tmp_path / "out", "--engine", "ray", "--address", address), "segrun")
    assert line == f"segrun: address: got '{address}', expected auto, HOST:PORT or ray://HOST:PORT"
