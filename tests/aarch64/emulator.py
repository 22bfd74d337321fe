"""The kernel hands aarch64 programs to qemu: registered with binfmt_misc for a while, and taken away again.

Programs that start others (`segbench` starts fresh processes) need it; a wrapper around the first one would not do.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from refusal import CannotRunError

BINFMT = Path("/proc/sys/fs/binfmt_misc")
PREFIX = "segedge-aarch64-"
# The head of an aarch64 program: 64 bits, little-endian, type 2 (program) or 3, machine 183 (ELF specification, e_machine)
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


@contextmanager
def emulation(binfmt: Path = BINFMT) -> Iterator[None]:
    """While it lasts aarch64 programs run, in any root: the emulator is opened once, here. `binfmt` is mounted.

    Raises:
        CannotRunError: the kernel refused it.
    """
    qemu = shutil.which("qemu-aarch64-static") or "/usr/bin/qemu-aarch64-static"
    name = f"{PREFIX}{os.getpid()}"
    remove_stale(binfmt)
    try:
        # F: open it now, so that no root needs a copy; O, C: the program's own file and rights
        (binfmt / "register").write_text(f":{name}:M::{_MAGIC}:{_MASK}:{qemu}:OCF", "ascii")
    except OSError as error:
        raise CannotRunError(
            f"the kernel does not take {qemu} as its emulator ({error.strerror}); run it outside of a container, or in a "
            "privileged one"
        ) from error
    try:
        yield
    finally:
        _unregister(binfmt / name)


def remove_stale(binfmt: Path) -> list[str]:
    """Take away what runs that were killed left there; → their names."""
    stale = [path for path in binfmt.glob(f"{PREFIX}*") if not Path("/proc", path.name.removeprefix(PREFIX)).exists()]
    for path in stale:
        _unregister(path)
    return [path.name for path in stale]


def _unregister(path: Path) -> None:
    path.write_text("-1", "ascii")
