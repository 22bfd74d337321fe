"""`segrun serve` over loopback: what a request costs next to the work itself, and what 200 clients at once do to it.

python benchmarks/claims/serve_load.py [--picture FILE] [--requests N] [--clients N] [--sockets N] [--seconds S]
                                [--warm-up S] [--workers N] [--processes N] [--masks png|raw] [--json]

First, a 720p JPEG by POST, and the same bytes decoded, masked and encoded directly by the same functions with as many threads,
in turn, so that drift of the machine meets both alike; the replies have to be the same to the byte. Then many clients at
once: those that post wait as long as a 429 asks for, those on a WebSocket send a frame whenever a mask comes. The server is a
process of its own, started here and ended here, and everything has an end in time. With `--processes`, so many of them stand
behind HAProxy. An answer's processor time is that of all threads of the processes, and does not depend on who else is there.
"""

from __future__ import annotations

import asyncio
import http.client
import random
import re
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import psutil
from websockets.asyncio.client import connect

import segruntime
from claim import RatioGoal, Result, claim, goal_line, medians, not_met
from proxied import proxied
from segbench.frames.drawn import drawn_frame, read_frame
from segruntime.serve.pictures import OPERATIONS
from segruntime.serve.worker import Worker

_SERVING = re.compile(r"segrun: serving on http://127\.0\.0\.1:(\d+)")
_SLACK_S = 30.0
_FLAT = 1.05  # of the medians of the memory, in the last third over the first
_HEADER = struct.Struct(">IIII")


@contextmanager
def served(workers: int) -> Iterator[tuple[int, psutil.Process]]:
    """`segrun serve` on a free port of 127.0.0.1, for as long as the block: the port and the process."""
    words = ["-m", "segruntime", "serve", "--port", "0", "--workers", str(workers)]
    child = subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True)
    try:
        lines = iter(child.stderr or ())
        found = next((match for line in lines if (match := _SERVING.search(line))), None)
        if found is None:
            raise SystemExit("serve_load: segrun serve did not start")
        # what it complains about is shown, and never fills the pipe
        threading.Thread(target=lambda: sys.stderr.writelines(lines), daemon=True).start()
        yield int(found[1]), psutil.Process(child.pid)
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()


@contextmanager
def serving(workers: int, processes: int) -> Iterator[tuple[int, dict[str, list[psutil.Process]]]]:
    """The port for the clients, and who works behind it: `service`, and with `processes` above 0 `proxy`."""
    with ExitStack() as stack:
        started = [stack.enter_context(served(workers)) for _ in range(max(1, processes))]
        behind = {"service": [process for _, process in started]}
        port = started[0][0]
        if processes:
            port, proxy = stack.enter_context(proxied([one for one, _ in started]))
            behind["proxy"] = [proxy]
        yield port, behind


def jpeg(picture: Path | None) -> bytes:
    """The frame that is sent: 1280x720, quality 90."""
    frame = drawn_frame(1280, 720) if picture is None else read_frame(picture, (1280, 720))
    return bytes(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


def cost(port: int, body: bytes, requests: int) -> list[dict[str, Any]]:
    """Each kind of request next to the same work done here."""
    worker = Worker(segruntime.load(threads=1))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SLACK_S)
    rows = []
    for path, (plan, _) in OPERATIONS.items():
        work = plan({}, {})

        def direct() -> bytes:
            return bytes(work(body, 10**8, worker).data)  # noqa: B023 - called within this turn of the loop

        def request() -> bytes:
            connection.request("POST", path, body)  # noqa: B023
            return connection.getresponse().read()

        if direct() != request():
            raise SystemExit(f"serve_load: {path}: the reply is not what the same work gives here")
        rounds = [{"direct": timed(direct), "request": timed(request)} for _ in range(requests)]
        p50 = medians(rounds)
        goal = RatioGoal(over="request", under="direct", sign="≤", bound=1.5).measured([p50])
        rows.append({"path": path, "p50_ms": p50, "goal": goal, "rounds_ms": rounds})
    connection.close()
    return rows


def timed(call: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


@dataclass(slots=True)
class Tally:
    """What all clients saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    answered_ms: list[float] = field(default_factory=list)
    masks: int = 0
    mask_bytes: int = 0
    skipped: int = 0
    out_of_order: int = 0


async def post_client(port: int, body: bytes, path: str, end: float, tally: Tally) -> None:
    """Posts on one connection until the end; after a 429 it waits as long as it is told, and up to as long again."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/jpeg\r\ncontent-length: {len(body)}\r\n\r\n"
        while time.monotonic() < end:
            begin = time.perf_counter()
            writer.write(head.encode() + body)
            await writer.drain()
            said = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(said.partition("content-length: ")[2].partition("\r\n")[0]))
            status = int(said.split()[1])
            tally.statuses[status] += 1
            if status == 429:
                wait_s = float(said.partition("retry-after: ")[2].partition("\r\n")[0])
                await asyncio.sleep(wait_s * random.uniform(1, 2))  # noqa: S311
            else:
                tally.answered_ms.append(1000 * (time.perf_counter() - begin))
        writer.close()
        await writer.wait_closed()
    except (OSError, EOFError, ValueError, IndexError) as error:
        tally.failures[f"{path}: {type(error).__name__}: {error}"[:100]] += 1


async def stream_client(port: int, body: bytes, form: str, end: float, tally: Tally) -> None:
    """Keeps two frames under way and checks that masks come in the order of their frames."""
    before = 0
    try:
        address = f"ws://127.0.0.1:{port}/v1/stream?preset=fast&format={form}"
        async with connect(address, max_size=None, proxy=None) as socket:
            await socket.send(body)
            while time.monotonic() < end:
                await socket.send(body)
                message = await socket.recv()
                if isinstance(message, str):
                    tally.failures[f"/v1/stream: {message}"[:100]] += 1
                    continue
                number, skipped, _, _ = _HEADER.unpack_from(message)
                tally.mask_bytes += len(message)
                tally.out_of_order += number != before + skipped + 1
                tally.masks, tally.skipped, before = tally.masks + 1, tally.skipped + skipped, number
    except Exception as error:  # noqa: BLE001 - counted, printed, and the run is not met
        tally.failures[f"/v1/stream: {type(error).__name__}: {error}"[:100]] += 1


async def watched(processes: list[psutil.Process], end: float) -> list[float]:
    """The service's resident memory in MB, twice a second."""
    rows = []
    while time.monotonic() < end:
        rows.append(resident_mb(processes))
        await asyncio.sleep(0.5)
    return rows


def resident_mb(processes: list[psutil.Process]) -> float:
    return sum(one.memory_info().rss for one in processes) / 1e6


def processor_s(processes: list[psutil.Process]) -> float:
    """Seconds of processors that they have had, all their threads together."""
    return sum(sum(one.cpu_times()[:2]) for one in processes)


async def load(
    port: int,
    behind: dict[str, list[psutil.Process]],
    body: bytes,
    clients: tuple[int, int],
    seconds: float,
    warm_up_s: float,
    masks: str,
) -> dict[str, Any]:
    """All clients at once for that long; `clients`: how many post, and how many have a socket; `masks`: how those want them."""
    begin, before = time.monotonic(), {name: processor_s(those) for name, those in behind.items()}
    tally, end = Tally(), begin + warm_up_s + seconds
    idle_mb = resident_mb(behind["service"])
    paths = list(OPERATIONS)
    posting, sockets = clients
    started = [post_client(port, body, paths[index % len(paths)], end, tally) for index in range(posting)]
    started += [stream_client(port, body, masks, end, tally) for _ in range(sockets)]
    everything = asyncio.gather(watched(behind["service"], end), *started)
    memory, *_ = await asyncio.wait_for(everything, warm_up_s + seconds + _SLACK_S)
    answers = max(1, len(tally.answered_ms) + tally.masks)
    rates = {
        "answers_per_s": answers / (time.monotonic() - begin),
        "processor_ms_per_answer": {
            name: 1000 * (processor_s(those) - before[name]) / answers for name, those in behind.items()
        },
    }
    return {"clients": sum(clients), **rates, **summary(tally, idle_mb, memory[int(2 * warm_up_s) :], seconds)}


def summary(tally: Tally, idle_mb: float, memory_mb: list[float], seconds: float) -> dict[str, Any]:
    """`memory_mb`: after the warm-up."""
    third = max(1, len(memory_mb) // 3)
    growth = float(np.median(memory_mb[-third:]) / np.median(memory_mb[:third]))
    only_429 = set(tally.statuses) <= {200, 429} and not tally.failures
    latency = [float(value) for value in np.percentile(tally.answered_ms or [0.0], [50, 90, 99])]
    return {
        "seconds": seconds,
        "statuses": dict(tally.statuses),
        "failures": dict(tally.failures),
        "answered_p50_p90_p99_ms": latency,
        "masks": tally.masks,
        "mask_bytes": tally.mask_bytes // max(1, tally.masks),
        "skipped": tally.skipped,
        "out_of_order": tally.out_of_order,
        "memory_mb": {"idle": idle_mb, "first": memory_mb[0], "last": memory_mb[-1], "peak": max(memory_mb)},
        "growth": growth,
        "met": only_429 and growth <= _FLAT and tally.out_of_order == 0,
    }


def print_result(result: Result) -> None:
    for row in result.get("cost", ()):
        p50 = row["p50_ms"]
        print(f"  {row['path']:14} p50 request {p50['request']:7.1f} ms, direct {p50['direct']:7.1f} ms")
        print(goal_line(row["goal"], 24))
    if "load" in result:
        print_load(result["load"])


@claim(print_result)
@click.option("--picture", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Default: a drawn frame.")
@click.option("--requests", type=click.IntRange(0, 2000), default=60, show_default=True, help="Of each kind, in turn.")
@click.option(
    "--clients", type=click.IntRange(0, 500), default=200, show_default=True, help="At once, sockets included."
)
@click.option("--sockets", type=click.IntRange(0, 32), default=20, show_default=True)
@click.option(
    "--seconds", type=click.FloatRange(0, 600), default=60.0, show_default=True, help="Of load, after the warm-up."
)
@click.option("--warm-up", "warm_up_s", type=click.FloatRange(0, 60), default=5.0, show_default=True)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True)
@click.option("--masks", type=click.Choice(["png", "raw"]), default="png", show_default=True, help="On the sockets.")
@click.option(
    "--processes", type=click.IntRange(0, 16), default=0, show_default=True, help="Behind HAProxy; 0: one, without it."
)
def main(picture: Path | None, requests: int, clients: int, sockets: int, **how: Any) -> Result:
    """What a request costs next to its work, and what many clients do."""
    body = jpeg(picture)
    result: Result = {"bytes": len(body)}
    with serving(how.pop("workers"), how.pop("processes")) as (port, behind):
        if requests:
            result["cost"] = cost(port, body, requests)
        if clients and how["seconds"]:
            sockets = min(sockets, clients)
            result["load"] = asyncio.run(load(port, behind, body, (clients - sockets, sockets), **how))
    return result


def print_load(found: Result) -> None:
    p50, p90, p99 = found["answered_p50_p90_p99_ms"]
    memory = found["memory_mb"]
    print(
        f"  {found['clients']} clients for {found['seconds']:g} s: {found['statuses']}, failures {found['failures'] or 'none'}"
    )
    spent = ", ".join(f"{name} {value:.2f}" for name, value in found["processor_ms_per_answer"].items())
    print(f"  {found['answers_per_s']:.1f} answers/s; processor ms of each: {spent}")
    print(f"  answered p50 {p50:.0f}, p90 {p90:.0f}, p99 {p99:.0f} ms")
    order = f"{found['skipped']} frames skipped, {found['out_of_order']} out of order"
    print(f"  sockets: {found['masks']} masks of {found['mask_bytes']} bytes, {order}")
    print("  memory MB: " + ", ".join(f"{name} {value:.0f}" for name, value in memory.items()))
    print(f"  last third over first {found['growth']:.3f}, goal ≤ {_FLAT}; only 200 and 429, in order{not_met(found)}")


if __name__ == "__main__":
    main()
