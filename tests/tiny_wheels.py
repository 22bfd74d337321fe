"""Wheels of a few bytes in a folder, and a pip that looks nowhere else."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path


def only_from(folder: Path) -> dict[str, str]:
    """The variables with which pip takes wheels from the folder, which is made, and from nowhere else."""
    folder.mkdir(exist_ok=True)
    return {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}


def make_wheel(folder: Path, name: str, version: str, module: str = "") -> str:
    """A distribution of one module with that text; → its SHA-256."""
    own = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": module.encode(),
        f"{own}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{own}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=") for path, data in files.items()
    }
    record = "".join(f"{path},sha256={digests[path].decode()},{len(files[path])}\n" for path in files)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for one, data in {**files, f"{own}/RECORD": f"{record}{own}/RECORD,,\n".encode()}.items():
            archive.writestr(one, data)
    return hashlib.sha256(path.read_bytes()).hexdigest()
