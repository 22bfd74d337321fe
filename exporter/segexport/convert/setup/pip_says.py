"""Why pip failed, in one line."""

from __future__ import annotations

import platform
import re

SOURCE = "`pip config list` says where pip takes files from"


def here() -> str:
    """`3.11.7 on x86_64`, of the interpreter that runs this."""
    return f"{platform.python_version()} on {platform.machine()}"


def reason(said: str, python: str, instead: str) -> str:
    """What pip wrote to its error stream → one line: what failed, and what to do.

    python: which one it was, as `here` writes it. instead: what helps where a locked version is gone.
    """
    if "No space left on device" in said:
        return "no space is left on the disk, or in the folder for temporary files (TMPDIR); make room and try again"
    if gone := re.search(r"^ERROR: No matching distribution found for ([^\s;]+)", said, re.MULTILINE):
        return _not_found(gone[1], said, python, instead)
    if changed := re.search(r"DO NOT MATCH THE HASHES.*?\n\s+(\S+)", said, re.DOTALL):
        return f"{changed[1]} is another file than the one that was locked, its hash differs; {SOURCE}"
    errors = re.findall(r"^ERROR: (.+)", said, re.MULTILINE)
    return f"pip failed: {errors[-1] if errors else said.strip()[-200:] or 'it says nothing'}"


def _not_found(what: str, said: str, python: str, instead: str) -> str:
    if "Retrying (" in said and "(from versions: none)" in said:
        return f"{what} was not found, for pip's index does not answer; try again when it does"
    if "==" not in what:
        return f"{what} is not on the index for Python {python}"
    return f"the locked {what} is not on the index any more for Python {python}; {instead}"
