"""The networks one after another, each through every way; what is done is kept, and not done again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import segruntime
from peers.errors import reason
from segbench.console import Advance
from segbench.errors import ResultsError
from segbench.machine.describe import Machine, describe_machine, with_sensors_after
from segbench.process.interrupt import Interrupt
from segbench.results.file import write_results
from segbench.results.header import header_of
from zoo.errors import ZooError
from zoo.make import FOLDER, PICTURES, SIZE, Made, make_network, make_pictures
from zoo.measure import WAYS, measure
from zoo.networks import NETWORKS
from zoo.results import FORMAT, VERSION, ZooResult, read_zoo

SETTINGS = {"size": SIZE, "pictures": PICTURES}
KEPT = FOLDER / "results.json"


def run_zoo(
    names: Collection[str],
    ways: Collection[str],
    again: bool,
    say: Callable[[str], None],
    advance: Advance,
) -> ZooResult:
    """Everything that is known now, what earlier runs found included; written after every cell.

    Args:
        names, ways: what is to be done; `again`: also where it is done already.
        advance: told of every cell.
    """
    FOLDER.mkdir(exist_ok=True)
    machine = describe_machine()
    entries = {one["name"]: one for one in _begun()}
    make_pictures()
    total = len(names) * len(ways)
    with Interrupt() as interrupt:
        for name in names:
            entry = entries.setdefault(name, _entry(name))
            todo = [way for way in ways if again or way not in entry["cells"]]
            made = _made(entry, interrupt, say) if todo and not interrupt.asked else None
            for way in ways:
                if made is not None and way in todo and not interrupt.asked:
                    _cell(entry, way, made, interrupt, say)
                    _keep(entries, machine, interrupted=False)
                advance(total)
    return _keep(entries, with_sensors_after(machine), interrupted=interrupt.asked)


def is_whole(result: ZooResult) -> bool:
    """Whether every network has been through every way."""
    done = {one["name"]: set(one["cells"]) for one in result.networks}
    return all(done.get(name, set()) >= set(WAYS) for name in NETWORKS)


def _begun() -> list[dict[str, Any]]:
    """What earlier runs of the same version and settings found."""
    try:
        found = read_zoo(KEPT)
    except ResultsError:  # there is none, or it is of another version: everything is done again
        return []
    is_same = found.header.segbench_version == segruntime.__version__ and found.settings == SETTINGS
    return found.networks if is_same else []


def _entry(name: str) -> dict[str, Any]:
    network = NETWORKS[name]
    return {
        "name": name,
        "title": network.title,
        "library": network.library,
        "saved": network.saved,
        "facts": None,
        "failure": None,
        "cells": {},
    }


def _made(entry: dict[str, Any], interrupt: Interrupt, say: Callable[[str], None]) -> Made | None:
    say(f"{entry['name']}: the network")
    try:
        made = make_network(entry["name"], interrupt)
    except ZooError as error:
        if not interrupt.asked:
            entry["failure"] = reason(str(error).removeprefix(f"{entry['name']}: "))
            say(str(error))
        return None
    entry["facts"], entry["failure"] = dict(made.facts), None
    return made


def _cell(entry: dict[str, Any], way: str, made: Made, interrupt: Interrupt, say: Callable[[str], None]) -> None:
    say(f"{entry['name']}: {way}")
    found = measure(made, WAYS[way], interrupt)
    if not interrupt.asked:  # what Ctrl-C ended says nothing of the network
        entry["cells"][way] = found


def _keep(entries: dict[str, dict[str, Any]], machine: Machine, *, interrupted: bool) -> ZooResult:
    networks = [entries[name] for name in NETWORKS if name in entries]
    header = header_of(FORMAT, VERSION, machine)
    result = ZooResult(header=header, settings=SETTINGS, networks=networks, interrupted=interrupted)
    write_results(KEPT, result.to_json())
    return result
