"""Are the machines of a cluster alike? Each must see the same files, and have the same segedge and the same model."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import segruntime
from segruntime.errors import ClusterError, OutputError
from segruntime.jobs.unit import Unit
from segruntime.jobs.worker import Work
from segruntime.segmenter import MODELS

_ANSWER_S = 120.0


class Nodes:
    """Asks them; a node that has answered is not asked again."""

    def __init__(self, ray: Any, wanted: dict[str, Any]) -> None:
        """`wanted`: see `wanted_of`."""
        self._ray, self._wanted = ray, wanted
        self._known: set[str] = set()

    def check_all(self) -> None:
        """
        Raises:
            ClusterError: there are none to work on, or the first that does not fit, and why.
        """
        found = {node["NodeID"]: _label(node) for node in self._alive() if node["Resources"].get("CPU", 0)}
        if not found:
            raise ClusterError(
                "the cluster has no CPUs to work on; start nodes with ray start --address, or --num-cpus"
            )
        for complaint in self._complaints(found):
            raise ClusterError(complaint)

    def complaint_of(self, node_id: str) -> str | None:
        """Why one that came later does not fit; None where it does."""
        if node_id in self._known:
            return None
        label = next((_label(node) for node in self._alive() if node["NodeID"] == node_id), node_id[:8])
        return next(self._complaints({node_id: label}), None)

    @property
    def cpus(self) -> int:
        return sum(int(node["Resources"].get("CPU", 0)) for node in self._alive())

    def _alive(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _complaints(self, asked: dict[str, str]) -> Iterator[str]:
        look = self._ray.remote(num_cpus=0)(look_by_value())
        answers = {}
        for node_id in asked:
            there = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id, soft=False)
            answers[look.options(scheduling_strategy=there).remote(self._wanted)] = node_id
        done, silent = self._ray.wait(list(answers), num_returns=len(answers), timeout=_ANSWER_S)
        for answer in done:
            node_id = answers[answer]
            try:
                said = self._ray.get(answer)
            except self._ray.exceptions.RayError as error:
                said = f"did not answer ({' '.join(str(error).split())[:200]}); look at it with ray status"
            if said:
                yield f"node {asked[node_id]}: {said}"
            self._known.add(node_id)
        for answer in silent:
            yield f"node {asked[answers[answer]]}: did not answer in {_ANSWER_S:g} s; look at it with ray status"


def _label(node: dict[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}, {node['NodeID'][:8]})"


@contextmanager
def wanted_of(work: Work, units: Iterable[Unit]) -> Iterator[dict[str, Any]]:
    """What every node must find: a file that is there for as long as the block runs, and what `work` and the units read.

    Raises:
        OutputError: nothing can be written next to the drafts.
    """
    token = Path(work.drafts).parent / f"seen-by-all-{secrets.token_hex(8)}"
    text = secrets.token_hex(16)
    files = {unit.source: unit.size_bytes for unit in units}
    if os.path.isfile(work.options.background):
        files[work.options.background] = os.path.getsize(work.options.background)
    try:
        try:
            token.write_text(text)
        except OSError as error:
            raise OutputError(
                f"{token}: cannot be written ({error.strerror}); choose another folder with -o"
            ) from error
        model = {
            "model": str(work.options.model),
            "sha256": sha256(Path(str(work.options.model)).read_bytes()).hexdigest(),
        }
        yield {"token": str(token), "text": text, "files": files, "version": segruntime.__version__, **bundled(model)}
    finally:
        with suppress(OSError):
            token.unlink()


def bundled(model: dict[str, str]) -> dict[str, str]:
    """A bundled model is looked for in each node's own package, wherever that lies."""
    path = Path(model["model"])
    return {**model, "bundled": path.name if path.parent == MODELS else ""}


def look_by_value() -> Callable[[dict[str, Any]], str]:
    """What is run on a node: a function without this module, since segedge may be missing there, or be another."""

    def look(wanted: dict[str, Any]) -> str:
        import hashlib
        import os

        try:
            import segruntime
            from segruntime.segmenter import MODELS
        except ImportError as error:
            return f"has no segedge ({error}); install {wanted['version']} there too"
        if segruntime.__version__ != wanted["version"]:
            return f"has segedge {segruntime.__version__}, expected {wanted['version']} as here; install that"
        shared = "all nodes need one file system, under the same paths"
        try:
            with open(wanted["token"]) as file:
                is_same = file.read() == wanted["text"]
        except OSError:
            is_same = False
        if not is_same:
            return f"does not see what this machine writes to {os.path.dirname(wanted['token'])}; {shared}"
        for path, size_bytes in wanted["files"].items():
            if not os.path.isfile(path) or os.path.getsize(path) != size_bytes:
                return f"does not see {path} as it is here; {shared}"
        model = os.path.join(MODELS, wanted["bundled"]) if wanted["bundled"] else wanted["model"]
        try:
            with open(model, "rb") as file:
                found = hashlib.sha256(file.read()).hexdigest()
        except OSError:
            return f"does not have the model {model}; put it there too"
        if found != wanted["sha256"]:
            return f"has another model in {model}, with SHA-256 {found[:12]}, expected {wanted['sha256'][:12]}; copy it"
        return ""

    return look
