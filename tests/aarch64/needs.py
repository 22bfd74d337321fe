"""What the emulated tests need of this machine: root, a few programs, and a kernel that can hand programs to an emulator."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from refusal import CannotRunError

PACKAGE_OF = {
    "debootstrap": "debootstrap",
    "qemu-aarch64-static": "qemu-user-static",
    "gpgv": "gpgv",
    "dpkg": "dpkg",
    "mount": "mount",
    "unshare": "util-linux",
    "chroot": "coreutils",
}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def check_needs() -> None:
    """Also puts the folders of root's programs on PATH, where `su` may have left them out.

    Raises:
        CannotRunError: everything that is missing, and the command that brings it.
    """
    if platform.machine() != "x86_64":
        raise CannotRunError(
            f"this machine is {platform.machine()}, expected x86_64, whose masks are the other side of the comparison; "
            "on a Raspberry Pi, make light runs the tests themselves"
        )
    if os.geteuid() != 0:
        raise CannotRunError(
            f"runs as user {os.geteuid()}, expected root, for debootstrap, chroot and mounts; sudo make test-aarch64"
        )
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    missing = {name: package for name, package in PACKAGE_OF.items() if shutil.which(name) is None}
    if not KEYRING.is_file():
        missing[str(KEYRING)] = "debian-archive-keyring"
    if missing:
        packages = " ".join(dict.fromkeys(missing.values()))
        raise CannotRunError(f"{', '.join(missing)} not found; apt-get install {packages}")
    if "binfmt_misc" not in Path("/proc/filesystems").read_text("ascii"):
        raise CannotRunError(
            "this kernel has no binfmt_misc, which hands aarch64 programs to the emulator; modprobe binfmt_misc, on the host "
            "if this is a container"
        )
