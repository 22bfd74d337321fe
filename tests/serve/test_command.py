"""`segrun serve` as it is typed: where it listens, how it ends, and one line for each reason not to begin."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests import messages
from tests.serve.child import TIMEOUT_S, get, started
from tests.serve.running import LONG_S, Held, encoded, make_service, picture, plain, running, until

from segruntime.cli import main
from segruntime.errors import install_command
from segruntime.serve.server import make_server


def segrun(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="segrun")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_peace(number: signal.Signals) -> None:
    with started() as (process, address):
        assert address.startswith("http://127.0.0.1:")
        assert get(f"{address}/v1/mask", encoded(picture())).startswith(b"\x89PNG")
        process.send_signal(number)
        _, said = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0
        assert said == "segrun: stopped\n"


def test_a_ctrl_c_that_a_shell_has_ignored_in_the_background_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = make_server(make_service([Held()]))
    signal.signal(signal.SIGINT, before)
    server.handle_exit(signal.SIGINT, None)
    assert not server.should_exit
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit


def test_told_to_stop_it_says_so_to_whoever_asks_for_its_health_and_serves_on_for_a_while() -> None:
    worker = Held()
    worker.let.set()
    with running(make_service([worker], drain_s=LONG_S, header_s=10 * LONG_S)) as service:
        service.server.handle_exit(signal.SIGTERM, None)
        health = service.get("/health")
        assert (health.status, b'"status":"leaving"' in health.body) == (503, True)
        service.leap(LONG_S * 0.9)
        assert service.post("/v1/mask", plain(5)).status == 200
        assert not service.server.should_exit
        service.leap(LONG_S * 0.2)
        until(lambda: service.server.should_exit)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_before_its_time(second: signal.Signals) -> None:
    with running(make_service([Held()], drain_s=LONG_S)) as service:
        service.server.handle_exit(signal.SIGTERM, None)
        assert not service.server.should_exit
        service.server.handle_exit(second, None)
        assert service.server.should_exit


def test_a_model_and_a_background_of_the_command_line_are_used(tmp_path: Path) -> None:
    from segruntime.segmenter import BUNDLED

    wall = tmp_path / "wall.png"
    wall.write_bytes(encoded(picture()))
    with started("--model", str(BUNDLED["tflite"]), "--background", f"wall={wall}") as (_, address):
        assert b"mobile_unet_int8.tflite" in get(f"{address}/health")
        assert get(f"{address}/v1/composite?background=wall", encoded(picture())).startswith(b"\xff\xd8")


def test_a_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = segrun("serve", "--port", port)
    assert done.exit_code == 1
    assert done.stderr == (
        f"segrun: 127.0.0.1:{port}: cannot listen there (Address already in use); choose another --port or --host\n"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["--host", "192.0.2.1"],
            r".*anybody .*\nsegrun: 192\.0\.2\.1:\d+: cannot listen there \(.*\); choose another .*",
        ),
        (["--model", "missing.tflite"], r"segrun: missing\.tflite: .*"),
        (["--model", __file__], r"segrun: .*test_command\.py: .*"),
        (["--workers", "0"], r"segrun: workers: got 0, expected 1 to 64"),
        (["--threads", "0"], f"segrun: threads: got 0, {messages.THREADS}"),
        (["--background", "beach.jpg"], r"segrun: background: got 'beach\.jpg', expected NAME=FILE with a name of .*"),
        (["--background", "blur=a.jpg"], r"segrun: background: got 'blur=a\.jpg', expected NAME=FILE .*"),
        (["--background", "a=missing.jpg"], r"segrun: missing\.jpg: No such file or directory, expected a picture .*"),
        (["--allow-origin", "example.org"], r"segrun: allow-origin: got 'example\.org', expected scheme and host, .*"),
    ],
)
def test_what_it_cannot_begin_with_is_one_line(words: list[str], line: str) -> None:
    done = segrun("serve", "--port", 0, *words)
    assert done.exit_code == 1
    assert re.fullmatch(f"{line}\n", done.stderr), done.stderr


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "segruntime.serve.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = segrun("serve")
    assert done.exit_code == 1
    assert done.stderr == (
        f"segrun: segrun serve needs a web server (uvicorn), which is not installed: {install_command('serve')}\n"
    )


def test_neither_segrun_nor_its_help_needs_the_extra() -> None:
    program = (
        "import sys\nsys.modules.update(dict.fromkeys(['starlette', 'uvicorn', 'websockets', 'prometheus_client']))\n"
        "from segruntime.cli import main\nmain(['serve', '--help'])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=TIMEOUT_S, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: segrun serve [OPTIONS]")


def test_an_input_called_serve_is_still_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "serve"
    folder.mkdir()
    (folder / "a.png").write_bytes(encoded(picture()))
    done = segrun("./serve", "-o", "masks/", "--background", "alpha")
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "masks" / "a.png").is_file()


def test_the_help_of_segrun_leads_to_it() -> None:
    assert "segrun serve --help" in segrun("--help").stdout


def test_another_host_than_this_machine_is_said_aloud() -> None:
    with started("--host", "127.0.0.2") as (_, address):
        assert address.startswith("http://127.0.0.2:")  # loopback as well: no warning, and it serves there
        assert b"live" in get(f"{address}/health/live")
