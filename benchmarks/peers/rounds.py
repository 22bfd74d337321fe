"""The measurement: every peer in fresh processes, all of them in turn, block by block, in random order."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from peers.check import Pictures, check_peers
from peers.child import PeerProcess
from peers.errors import PeerError
from peers.found import Found, PeerFacts, Row
from peers.lineup import Peer
from peers.results import Effort
from segbench.console import Advance
from segbench.process.interrupt import Interrupt
from segbench.readers import amounts

ADAPTERS = Path(__file__).resolve().parent / "adapters"
UNMEASURED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all of them get: `models` by the name that peers call them, `pythons` by the name of the environment.

    `checked`: masks are compared before anything is timed.
    """

    models: Mapping[str, Path]
    pythons: Mapping[str, Path]
    threads: int
    pictures: Pictures
    effort: Effort
    checked: bool = True


def measure(peers: Collection[Peer], setting: Setting, found: Found, interrupt: Interrupt, advance: Advance) -> None:
    """Fill `found`, which may hold failures already; ends early, with what there is, when `interrupt` asks.

    A peer that fails drops out with its reason, and the others go on.
    """
    effort = setting.effort
    random = np.random.default_rng(effort.seed)
    for k in range(effort.processes):
        left = [peer for peer in peers if peer.name not in found.failures]
        if interrupt.asked or not left:
            break
        with ExitStack() as stack:
            running = _start(left, setting, found, stack)
            if k == 0 and setting.checked:
                check_peers(peers, running, setting.pictures, setting.threads, found)
            total = effort.processes * (effort.blocks + 1)
            _in_turn(running, effort, found, random, interrupt, partial(advance, total))


def _start(peers: Collection[Peer], setting: Setting, found: Found, stack: ExitStack) -> dict[Peer, PeerProcess]:
    """Each loads alone, so that none waits for another's imports."""
    running = {}
    for peer in peers:
        try:
            process = stack.enter_context(_process(peer, setting))
            facts = PeerFacts.from_json(process.load(_job(peer, setting)))
        except PeerError as error:
            found.fail(error, peer.name)
            continue
        found.facts.setdefault(peer.name, facts)
        running[peer] = process
    return running


def _job(peer: Peer, setting: Setting) -> dict[str, object]:
    return {
        "model": str(setting.models[peer.model]),
        "threads": peer.threads or setting.threads,
        "frames": str(setting.pictures.frames_file),
        "background": str(setting.pictures.background_file),
        "options": dict(peer.options),
    }


def _process(peer: Peer, setting: Setting) -> PeerProcess:
    script = ADAPTERS / f"{peer.adapter}.py"
    if peer.environment is None:
        return PeerProcess(peer.name, sys.executable, script, path=os.environ.get("PYTHONPATH", ""))
    return PeerProcess(peer.name, str(setting.pythons[peer.environment.name]), script)


def _in_turn(
    running: dict[Peer, PeerProcess],
    effort: Effort,
    found: Found,
    random: np.random.Generator,
    interrupt: Interrupt,
    advance: Callable[[], None],
) -> None:
    """Warm up, then blocks: each row once, in random order, then all again."""
    rows = [(peer, task) for peer in running if peer.name not in found.failures for task in peer.tasks]
    values: dict[Row, list[float]] = {(peer.name, task): [] for peer, task in rows}
    for block in range(-1, effort.blocks):
        if interrupt.asked:
            break
        seconds = effort.warmup_seconds if block < 0 else effort.block_seconds
        first = max(0, block) * UNMEASURED
        for index in random.permutation(len(rows)):
            peer, task = rows[index]
            if interrupt.asked:
                break
            if peer.name in found.failures:
                continue
            try:
                answer = running[peer].ask(do="block", task=task, first=first, unmeasured=UNMEASURED, seconds=seconds)
            except PeerError as error:
                found.fail(error, peer.name)
                continue
            if block >= 0:
                values[peer.name, task].extend(amounts(answer)("values_ms"))
        advance()
    for row, one in values.items():
        if one:
            found.values_ms.setdefault(row, []).append(one)
