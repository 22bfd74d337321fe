"""Run a command inside a Debian root, with the checkout, its neighbour `shared` and a place for results mounted there.

Everything is mounted in this process's own namespace (`enter_namespace`): when it ends, however it ends, nothing is left.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from child import run_to_end
from debian_root import DebianRoot
from emulator import BINFMT
from processors import Processor
from refusal import CannotRunError

CHECKOUT, SHARED, RESULTS = "/segedge/checkout", "/segedge/shared", "/segedge/results"
_ENTERED = "SEGEDGE_MOUNT_NAMESPACE"
_KEPT = ("LANG", "TERM")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """`log`: what it printed on both streams."""

    code: int
    seconds: float
    log: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A root with a processor. `results` is this machine's folder, `RESULTS` inside."""

    root: DebianRoot
    processor: Processor
    results: Path

    def run(self, name: str, command: Sequence[str], limit_s: float) -> Ran:
        """Python with these arguments, in the checkout; the output goes to `NAME.log` in the results' folder.

        What takes longer than `limit_s` is ended, with the code `child.TIMED_OUT`.
        """
        log = self.results / f"{name}.log"
        start = time.monotonic()
        inside = ["chroot", str(self.root.path), "/usr/bin/env", f"--chdir={CHECKOUT}", "/usr/bin/python3"]
        code = run_to_end([*inside, *command], log, limit_s=limit_s, environment=self._environment())
        return Ran(code=code, seconds=time.monotonic() - start, log=log)

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        emulated = {"QEMU_CPU": self.processor.emulated} if self.processor.emulated else {}
        own = {"PATH": "/usr/sbin:/usr/bin", "HOME": "/root", "PYTHONPYCACHEPREFIX": "/tmp/bytecode"}  # noqa: S108 - of the root
        return {"LANG": "C.UTF-8", **kept, **own, **emulated}


def enter_namespace() -> None:
    """Start this program again in a mount namespace of its own; returns in the one that was started."""
    # unshare replaces itself by the program, so the process stays the same
    if os.environ.get(_ENTERED) != str(os.getpid()):
        os.environ[_ENTERED] = str(os.getpid())
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])  # noqa: S606


def mount_binfmt() -> None:
    """binfmt_misc at its usual place, if it is not there."""
    if not (BINFMT / "register").exists():
        _mount("-t", "binfmt_misc", "binfmt_misc", BINFMT)


def mount_into(machine: Machine, checkout: Path, shared: Path) -> None:
    """Kernel file systems, the processor's own cpuinfo, and the three folders; checkout and shared cannot be written to.

    Raises:
        CannotRunError: a mount failed.
    """
    root = machine.root.path
    _mount("-t", "proc", "proc", _place(root, "/proc"))
    _mount("--rbind", "/dev", _place(root, "/dev"))
    _mount_read_only(Path("/sys"), _place(root, "/sys"))
    _mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", _place(root, "/tmp"))  # noqa: S108 - a mount point
    if machine.processor.emulated:
        cpuinfo = machine.results / "cpuinfo"
        cpuinfo.write_text(machine.processor.cpuinfo(os.cpu_count() or 1), "ascii")
        _mount("--bind", cpuinfo, root / "proc/cpuinfo")
    _mount_read_only(checkout, _place(root, CHECKOUT))
    if shared.is_dir():
        _mount_read_only(shared, _place(root, SHARED))
    _mount("--bind", machine.results, _place(root, RESULTS))


def unmount_from(machine: Machine) -> None:
    """Take all of that away again, so that the same root can be another machine."""
    root = machine.root.path.resolve()
    lines = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    inside = [place for place in (line.split()[4] for line in lines) if place.startswith(f"{root}/")]
    for place in reversed(inside):
        subprocess.run(["umount", "--lazy", place], check=True)


def _place(root: Path, path: str) -> Path:
    place = root / path.removeprefix("/")
    place.mkdir(parents=True, exist_ok=True)
    return place


def _mount_read_only(source: Path, place: Path) -> None:
    _mount("--bind", source, place)
    _mount("-o", "remount,bind,ro", place)


def _mount(*arguments: str | Path) -> None:
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRunError(
            f"{done.stderr.strip() or 'mount failed'}; run it outside of a container, or in a privileged one"
        )
