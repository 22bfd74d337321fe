"""serve_load.py measures as many processes as are asked for, with the proxy's own configuration."""

from __future__ import annotations

from tests.deploy.proxied import CONFIGURATION, needs_haproxy
from tests.scripts import load_script, result_of


def test_each_process_has_a_line_and_nothing_else_of_the_configuration_changes() -> None:
    before = CONFIGURATION.read_text("utf-8").splitlines()
    after = load_script("proxied.py").configuration([1, 2, 3]).splitlines()
    assert [line for line in after if line not in before] == [
        f"    server p{port} 127.0.0.1:{port}" for port in (1, 2, 3)
    ]
    assert len([line for line in before if line not in after]) == 2


@needs_haproxy
def test_the_masks_of_two_processes_and_their_processor_time_are_counted() -> None:
    words = ["--requests", 0, "--clients", 2, "--sockets", 2, "--seconds", 0.5, "--warm-up", 0, "--workers", 1]
    found = result_of("serve_load.py", *words, "--processes", 2, "--masks", "raw")["load"]
    assert found["masks"] >= 2
    assert found["mask_bytes"] == 1280 * 720 + 16
    assert set(found["processor_ms_per_answer"]) == {"service", "proxy"}
    assert found["failures"] == {}
