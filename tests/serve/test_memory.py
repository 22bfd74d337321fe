"""What strangers send costs a bounded amount of memory and time, measured on the process that serves."""

from __future__ import annotations

import http.client
import os
import re
import socket
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.serve.child import get, started
from tests.serve.running import TIMEOUT_S, encoded, picture, png_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads a process's memory from /proc")
MORE_MB = 48


def peak_mb(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1000


def work_s(pid: int) -> float:
    """Processor time of all its threads: what else the machine does is left out."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status_of(port: int, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", "/v1/cutout", body)
        return connection.getresponse().status
    finally:
        connection.close()


def flood(port: int, head: bytes, part: bytes) -> tuple[bytes, int]:
    """Sends a body until the service cuts it off: its reply, and how many bytes it took."""
    sent, end = 0, time.monotonic() + TIMEOUT_S
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.sendall(b"POST /v1/cutout HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n\r\n")
        try:
            while time.monotonic() < end:
                connection.sendall(part)
                sent += len(part)
        except OSError:
            return connection.recv(4096), sent
    pytest.fail("it was never cut off")


def test_bombs_floods_and_broken_pictures_take_no_memory_and_little_time() -> None:
    bombs = [encoded(np.zeros((10_000, 10_000, 3), np.uint8), ".jpg"), png_of(10_000, 10_000), png_of(2**31 - 1, 9)]
    megabyte = 1_000_000
    chunk = b"%x\r\n%b\r\n" % (megabyte, bytes(megabyte))
    with started() as (process, address):
        port = int(address.rpartition(":")[2])
        get(f"{address}/v1/cutout", encoded(picture(1080, 1920)))
        before, begin = peak_mb(process.pid), work_s(process.pid)
        assert [status_of(port, bomb) for bomb in bombs * 5] == [413] * 15
        assert {status_of(port, encoded(picture(), ".jpg")[:cut]) for cut in range(3, 600, 60)} == {400}
        for head, part in ((b"content-length: 5000000000", bytes(megabyte)), (b"transfer-encoding: chunked", chunk)):
            reply, sent = flood(port, head, part)
            assert reply.startswith(b"HTTP/1.1 413 ")
            assert sent < 20_000 * megabyte
        assert work_s(process.pid) - begin < 15
        assert peak_mb(process.pid) - before < MORE_MB
        assert get(f"{address}/v1/mask", encoded(picture())).startswith(b"\x89PNG")
