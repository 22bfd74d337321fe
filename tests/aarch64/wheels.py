"""The wheels of the runtime and of what it needs, for another processor, unpacked into a Debian root by this machine's pip.

pip takes its index, certificates and proxies from this machine's own configuration.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from email.parser import Parser
from pathlib import Path

from debian_root import DebianRoot
from refusal import CannotRunError

# As docs/raspberry-pi.md installs them on a Pi without a screen: the runtime, `segbench`, video, and pytest
NEEDED = (
    "numpy",
    "opencv-python-headless",
    "click",
    "ai-edge-litert",
    "onnxruntime",
    "psutil",
    "rich",
    "av",
    "pytest",
)
# Debian 12 has glibc 2.36; a wheel names the oldest that it runs with
GLIBC = range(36, 16, -1)
MACHINES = {"arm64": "aarch64", "amd64": "x86_64"}


def install_wheels(root: DebianRoot, wanted: Iterable[str], say: Callable[[str], None]) -> dict[str, str]:
    """Unpack `wanted` (requirements) and what they need, if that was not done before; → every version that is there.

    Raises:
        CannotRunError: pip failed.
    """
    wanted = list(wanted)
    stamp = root.path / "wheels"
    content = "\n".join(wanted)
    if not (stamp.is_file() and stamp.read_text("utf-8") == content):
        stamp.unlink(missing_ok=True)
        say(f"wheels for {root.arch}, Python {root.python_version}")
        if root.packages.exists():
            shutil.rmtree(root.packages)
        _pip(root, wanted)
        stamp.write_text(content, "utf-8")
    return versions(root)


def install_segedge(root: DebianRoot, wheel: Path) -> None:
    """Unpack segedge's own wheel in the place of the one that was there.

    Raises:
        CannotRunError: pip failed.
    """
    for old in root.packages.glob("seg*"):
        shutil.rmtree(old)
    _pip(root, ["--no-deps", str(wheel)])


def versions(root: DebianRoot) -> dict[str, str]:
    """Name → version of every distribution in the root, segedge's own left out."""
    metadata = (Parser().parsestr(path.read_text("utf-8")) for path in root.packages.glob("*.dist-info/METADATA"))
    found = sorted((str(one["Name"]).lower().replace("_", "-"), str(one["Version"])) for one in metadata)
    return {name: version for name, version in found if name != "segedge"}


def _pip(root: DebianRoot, arguments: list[str]) -> None:
    machine = MACHINES[root.arch]
    platforms = [*(f"manylinux_2_{minor}_{machine}" for minor in GLIBC), f"manylinux2014_{machine}"]
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-compile"]
    command += ["--root-user-action=ignore", "--only-binary=:all:", "--implementation=cp"]
    command += ["--python-version", root.python_version, *(f"--platform={name}" for name in platforms)]
    done = subprocess.run(
        [*command, "--target", str(root.packages), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["it says nothing"]
        raise CannotRunError(
            f"pip could not install the {root.arch} wheels ({errors[-1]}); check pip's index, try again"
        )
