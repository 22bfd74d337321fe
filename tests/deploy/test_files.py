"""The unit, the container and the proxy's configuration, as far as they can be held without systemd, docker or HAProxy."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from tests.places import ROOT
from tests.serve.child import TIMEOUT_S

import segruntime.serve.cli
from segruntime.serve.limits import Limits

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "segrun@.service").read_text("utf-8")
CONTAINER = (DEPLOY / "Containerfile").read_text("utf-8").replace("\\\n", " ")
CONFIGURATION = (DEPLOY / "haproxy.cfg").read_text("utf-8")
SYSTEMD = shutil.which("systemd-analyze")
GRACE_S = 10
"""docs/serve.md: stopping, for what is in work."""


def options_of(words: list[str]) -> dict[str, Any]:
    """Of a command `segrun serve …`, read as the command reads them."""
    assert Path(words[0]).name == "segrun"
    assert words[1] == "serve"
    return segruntime.serve.cli.main.make_context("serve", words[2:]).params


def compose() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="compose.yaml is read with PyYAML")
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return read


def setting(name: str) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    return str(value)


def seconds(keyword: str) -> float:
    """A time of haproxy.cfg, by what stands before it."""
    ((number, unit),) = set(re.findall(rf"\b{keyword} (\d+)(ms|s)\b", CONFIGURATION))
    return int(number) / {"ms": 1000, "s": 1}[unit]


def drains() -> dict[str, tuple[dict[str, Any], float]]:
    """The service's options in the unit and in the container, and how long each may take to stop."""
    (command,) = re.findall(r"^CMD (.*)$", CONTAINER, re.MULTILINE)
    grace = compose()["x-process"]["stop_grace_period"]
    return {
        "unit": (options_of(shlex.split(setting("ExecStart").replace("%i", "9001"))), float(setting("TimeoutStopSec"))),
        "container": (options_of(json.loads(command)), float(grace.removesuffix("s"))),
    }


@pytest.mark.parametrize("place", ["unit", "container"])
def test_a_process_drains_for_longer_than_the_proxy_needs_to_see_it_and_has_the_time_to_end(place: str) -> None:
    options, may_take_s = drains()[place]
    seen_s = seconds("inter") + seconds("fastinter")  # fall 2: the first failure, and one more
    assert "fall 2" in CONFIGURATION
    assert options["drain"] >= 2 * seen_s
    assert may_take_s >= options["drain"] + max(GRACE_S, Limits().work_s)


def test_the_proxys_times_and_counts_are_the_services_own_or_a_little_more() -> None:
    limits = Limits()
    assert seconds("timeout http-request") == seconds("timeout http-keep-alive") == limits.header_s
    assert seconds("wait-for-body time") == limits.body_s
    assert seconds("timeout queue") == limits.work_s
    assert seconds("timeout client") > limits.reply_s
    assert seconds("timeout tunnel") > limits.idle_s
    assert seconds("timeout server") > 2 * limits.work_s
    assert {int(count) for count in re.findall(r"maxconn (\d+)", CONFIGURATION)} <= set(range(limits.connections))


@pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not installed here")
def test_systemd_has_nothing_to_say_against_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "segrun@.service"
    unit.write_text(re.sub(r"(?<=^ExecStart=)\S+", sys.executable, UNIT, flags=re.MULTILINE), "utf-8")
    assert SYSTEMD is not None
    done = subprocess.run([SYSTEMD, "verify", unit], capture_output=True, text=True, timeout=TIMEOUT_S)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_the_container_copies_is_there_and_is_sent_to_its_builder() -> None:
    sent = (DEPLOY / "Containerfile.dockerignore").read_text("utf-8").splitlines()
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.*)$", CONTAINER, re.MULTILINE)]
    assert copied
    for source in (one for sources in copied for one in sources):
        assert (ROOT / source).exists()
        assert any((ROOT / source) in ROOT.glob(line[1:]) for line in sent if line.startswith("!")), source


def test_the_container_installs_what_the_extras_ask_for_in_the_versions_of_the_lock(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = {Requirement(one).name for one in (*project["dependencies"], *extras["tflite"], *extras["serve"])}
    (sed, install) = re.findall(r"(sed .*?) >|versions\.txt +(?=numpy)(.*?) *&&", CONTAINER)
    assert set(install[1].split()) == asked - {"opencv-python"} | {"opencv-python-headless"}
    words = [*shlex.split(sed[0])[:-1], str(ROOT / "environments" / "light.lock")]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    kept = [Requirement(line) for line in done.stdout.splitlines() if not line.startswith("#")]
    assert {one.name for one in kept} >= set(install[1].split())
    assert all(str(one.specifier).startswith("==") for one in kept)


def test_the_containers_check_of_its_health_is_a_program() -> None:
    (command,) = re.findall(r"^HEALTHCHECK .*?CMD (.*)$", CONTAINER, re.MULTILINE)
    python, option, program = json.loads(command)
    assert (python, option) == ("python", "-c")
    ast.parse(program)
    assert "http://127.0.0.1:8000/health" in program
    assert drains()["container"][0]["port"] == 8000


def test_compose_gives_the_proxy_the_addresses_of_its_processes() -> None:
    services = compose()["services"]
    places = {name: one["networks"]["inside"]["ipv4_address"] for name, one in services.items()}
    environment = services["proxy"]["environment"]
    assert {name: environment[f"SEGRUN_{name.upper()}"] for name in "ab"} == {
        name: f"{places[name]}:8000" for name in "ab"
    }
    assert set(environment) <= set(re.findall(r"\$\{(SEGRUN_\w+)-", CONFIGURATION))
    assert len(set(places.values())) == 3
    for name in "ab":
        build = services[name]["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    (mounted,) = services["proxy"]["volumes"]
    assert (DEPLOY / mounted.split(":")[0]).is_file()
