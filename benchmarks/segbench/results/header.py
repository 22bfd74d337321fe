"""What every result begins with: which kind it is, when, by what and on what it was measured; and the digest at its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Protocol, TypeVar

import segruntime
from segbench.machine.describe import Machine
from segbench.results.file import digest_of
from segruntime.strict_json import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """`digest` shows whether somebody edited the rest, see `segbench.results.file`; empty until the result is sealed."""

    format: str
    version: int
    measured_at: str
    segbench_version: str
    machine: Machine
    digest: str = ""

    def to_json(self, body: dict[str, Any]) -> dict[str, Any]:
        """The result whose fields are `body`."""
        return {
            "format": self.format,
            "version": self.version,
            "measured_at": self.measured_at,
            "segbench_version": self.segbench_version,
            "machine": self.machine.to_json(),
            **body,
            "digest": self.digest,
        }

    @classmethod
    def from_json(cls, f: Fields) -> Header:
        return cls(
            format=f.string("format"),
            version=f.integer("version", 1, 1000),
            measured_at=f.string("measured_at"),
            # the peers' files of before have it under the other name
            segbench_version=f.optional("segedge_version", f.string) or f.string("segbench_version"),
            machine=Machine.from_json(f.part("machine")),
            digest=f.digest("digest"),
        )


def header_of(form: str, version: int, machine: Machine) -> Header:
    """Of a result that is complete now."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Header(
        format=form, version=version, measured_at=now, segbench_version=segruntime.__version__, machine=machine
    )


class Result(Protocol):
    """A dataclass that is written to a file."""

    @property
    def header(self) -> Header: ...
    def to_json(self) -> dict[str, Any]: ...


R = TypeVar("R", bound=Result)


def sealed(result: R) -> R:
    """A copy of `result` with its digest.

    Raises:
        ValueError: a number in it is not finite.
    """
    header = replace(result.header, digest=digest_of(result.to_json()))
    made: R = replace(result, header=header)  # type: ignore[type-var]
    return made
