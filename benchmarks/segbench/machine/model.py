"""What a loaded model file is, and what runs it, for the JSON."""

from __future__ import annotations

import hashlib
from importlib import metadata
from typing import Any

import segruntime
from segruntime import Segmenter


def describe_model(segmenter: Segmenter) -> dict[str, Any]:
    """File and library in one object, without the contract."""
    file = describe_file(segmenter)
    del file["contract"]
    return {**file, **describe_library(segmenter), "segruntime_version": segruntime.__version__}


def describe_file(segmenter: Segmenter) -> dict[str, Any]:
    """Name, size, digest, precision, network, shape of the input, and the whole contract."""
    contract, data = segmenter.contract, segmenter.path.read_bytes()
    return {
        "path": str(segmenter.path),
        "name": segmenter.path.name,
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "precision": contract.conversion.precision if contract.conversion else contract.input.dtype,
        "architecture": contract.source.architecture if contract.source else None,
        "input": list(contract.input.shape),
        "contract": contract.to_json(),
    }


def describe_library(segmenter: Segmenter) -> dict[str, str]:
    """Backend, and the Python package that runs it."""
    return {
        "backend": segmenter.backend,
        "library": segmenter.library,
        "library_version": _version(segmenter.library),
    }


def _version(module: str) -> str:
    names = metadata.packages_distributions().get(module)
    return metadata.version(names[0]) if names else "unknown"
