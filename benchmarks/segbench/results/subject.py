"""What is measured: a model file, what runs it, and on which frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from segbench.frames.source import FrameFacts
from segbench.machine.model import Library, ModelFile
from segbench.readers import whole
from segruntime.strict_json import Fields


class AccuracyKey(NamedTuple):
    """What has to be equal before an accuracy belongs to a latency: the same file, run by the same backend, refined alike."""

    sha256: str
    backend: str
    preset: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was checked before anything was timed; in JSON its fields lie beside those of its owner.

    `golden`: the JSON of the file's self-test, None where it holds no golden pictures.
    """

    model: ModelFile
    library: Library
    threads: int
    frame: FrameFacts
    preset: str | None
    golden: Mapping[str, object] | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model.to_json(),
            **self.library.to_json(),
            "threads": self.threads,
            "frame": self.frame.to_json(),
            "preset": self.preset,
            "golden": self.golden,
        }

    @classmethod
    def from_json(cls, f: Fields) -> Subject:
        return cls(
            model=ModelFile.from_json(f.part("model")),
            library=Library.from_json(f),
            threads=whole(f)("threads"),
            frame=FrameFacts.from_json(f.part("frame")),
            preset=f.nullable("preset", f.string),
            golden=f.optional("golden", f.any_object),
        )

    @property
    def accuracy_key(self) -> AccuracyKey:
        return AccuracyKey(self.model.sha256, self.library.backend, self.preset)
