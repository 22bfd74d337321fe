"""What a loaded model file is, and what runs it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from typing import Any

import segruntime
from segbench.readers import whole
from segruntime import Segmenter
from segruntime.strict_json import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """`input`: the shape of its input. `contract`: the whole contract as JSON, which only a reader of the file looks at."""

    path: str
    name: str
    size_bytes: int
    sha256: str
    precision: str
    architecture: str | None
    input: tuple[int, ...] | None = None
    contract: object = None

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "contract" or value is not None}

    @classmethod
    def from_json(cls, f: Fields) -> ModelFile:
        return cls(
            path=f.string("path"),
            name=f.string("name"),
            size_bytes=whole(f)("size_bytes"),
            sha256=f.string("sha256"),
            precision=f.string("precision"),
            architecture=f.nullable("architecture", f.string),
            input=f.optional("input", lambda key: tuple(f.raw(key))),
            contract=f.optional("contract", f.any_object),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The Python package that runs the file, as the runtime's `backend`; in JSON its fields lie beside those of its owner."""

    backend: str
    name: str
    version: str

    def to_json(self) -> dict[str, str]:
        return {"backend": self.backend, "library": self.name, "library_version": self.version}

    @classmethod
    def from_json(cls, f: Fields) -> Library:
        return cls(backend=f.string("backend"), name=f.string("library"), version=f.string("library_version"))

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """File and library in one object of JSON, without the contract."""

    file: ModelFile
    library: Library
    segruntime_version: str | None

    def to_json(self) -> dict[str, Any]:
        return {**self.file.to_json(), **self.library.to_json(), "segruntime_version": self.segruntime_version}

    @classmethod
    def from_json(cls, f: Fields) -> LoadedModel:
        return cls(
            file=ModelFile.from_json(f),
            library=Library.from_json(f),
            segruntime_version=f.optional("segruntime_version", f.string),
        )


def describe_model(segmenter: Segmenter) -> LoadedModel:
    return LoadedModel(
        file=replace(describe_file(segmenter), contract=None),
        library=describe_library(segmenter),
        segruntime_version=segruntime.__version__,
    )


def describe_file(segmenter: Segmenter) -> ModelFile:
    """Name, size, digest, precision, network, shape of the input, and the whole contract."""
    contract, data = segmenter.contract, segmenter.path.read_bytes()
    return ModelFile(
        path=str(segmenter.path),
        name=segmenter.path.name,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        precision=contract.conversion.precision if contract.conversion else contract.input.dtype,
        architecture=contract.source.architecture if contract.source else None,
        input=tuple(contract.input.shape),
        contract=contract.to_json(),
    )


def describe_library(segmenter: Segmenter) -> Library:
    return Library(backend=segmenter.backend, name=segmenter.library, version=_version(segmenter.library))


def _version(module: str) -> str:
    names = metadata.packages_distributions().get(module)
    return metadata.version(names[0]) if names else "unknown"
