"""A small Debian with Python in a folder: debootstrap's first stage, its packages unpacked, nothing configured.

The second stage would run every package's scripts under the emulator, for minutes; Python needs none of them.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from child import run_to_end
from needs import KEYRING
from refusal import CannotRunError

PACKAGES = "python3"
RECIPE = f"1: debootstrap --foreign --variant=minbase --include={PACKAGES}, unpacked"
STAMP = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianRoot:
    """`arch`: Debian's name of it, `arm64` or `amd64`."""

    path: Path
    arch: str
    suite: str

    @property
    def python_version(self) -> str:
        """Such as `3.11`."""
        return (self.path / "usr/bin/python3").readlink().name.removeprefix("python")

    @property
    def packages(self) -> Path:
        """Where Debian's Python looks for what pip installed."""
        return self.path / f"usr/local/lib/python{self.python_version}/dist-packages"


def make_root(folder: Path, arch: str, suite: str, say: Callable[[str], None]) -> DebianRoot:
    """The root in `folder/SUITE-ARCH`: the one that is there if it is complete and was made the same way, or a new one.

    Raises:
        CannotRunError: debootstrap or dpkg failed, or something is mounted where a root would be removed.
    """
    root = DebianRoot(path=folder / f"{suite}-{arch}", arch=arch, suite=suite)
    stamp = root.path / STAMP
    if stamp.is_file() and stamp.read_text("utf-8") == RECIPE:
        return root
    unfinished = root.path.with_name(f"{root.path.name}.unfinished")
    _remove(unfinished)
    folder.mkdir(parents=True, exist_ok=True)
    say(f"Debian {suite} {arch}")
    include = ["--foreign", "--variant=minbase", f"--include={PACKAGES}", f"--keyring={KEYRING}"]
    _run(["debootstrap", f"--arch={arch}", *include, suite, str(unfinished), *_mirror(suite)], folder)
    for package in sorted((unfinished / "var/cache/apt/archives").glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(unfinished)], folder)
        package.unlink()
    # what the scripts of base-passwd would have done
    for name in ("passwd", "group"):
        shutil.copy(unfinished / f"usr/share/base-passwd/{name}.master", unfinished / "etc" / name)
    (unfinished / STAMP).write_text(RECIPE, "utf-8")
    _remove(root.path)
    unfinished.rename(root.path)
    return root


def _mirror(suite: str) -> list[str]:
    """Where this machine's own apt takes that release from; nothing, and debootstrap's default, where it has another."""
    line = "$(CODENAME) $(COMPONENT) $(REPO_URI)"
    known = subprocess.run(
        ["apt-get", "indextargets", "--format", line, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = (one.split(" ", 2) for one in known.stdout.splitlines())
    return [uri for codename, component, uri in found if (codename, component) == (suite, "main")][:1]


def _run(command: Sequence[str], folder: Path) -> None:
    log = folder / "debian.log"
    code = run_to_end(command, log)
    if code:
        last = (log.read_text("utf-8", errors="replace").strip().splitlines() or ["it says nothing"])[-1]
        raise CannotRunError(f"{command[0]} failed with {code} ({last}); see {log}")


def _remove(path: Path) -> None:
    """Delete a root, unless something is mounted in it: that would be deleted with it."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines()]
    inside = [mount for mount in mounts if mount.startswith(f"{path.resolve()}/")]
    if inside:
        raise CannotRunError(f"{path}: cannot be made again, {inside[0]} is mounted; umount it")
    if path.exists():
        shutil.rmtree(path)
