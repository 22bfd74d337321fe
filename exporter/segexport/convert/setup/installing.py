"""A virtual environment, and pip in it. The standard library is enough."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from segexport.errors import SetupError

Say = Callable[[str], None]
SOURCE = "`pip config list` says where pip takes files from"
# what a Python that runs us was told about its modules, which is not for the one that is being made
_OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONSAFEPATH", "__PYVENV_LAUNCHER__")


def make_venv(python: str | Path, place: Path, held: Sequence[int] = ()) -> None:
    """An empty virtual environment of that interpreter, with pip. `held`: file descriptors that the child keeps.

    Raises:
        SetupError: it cannot be made; one line.
    """
    done = _run([str(python), "-m", "venv", str(place)], held=held)
    if done.returncode:
        said = f"{done.stderr}\n{done.stdout}"
        if "No space left on device" in said:
            raise SetupError(reason(said, "", ""))
        if "ensurepip" in said:
            raise SetupError(f"{python} makes no virtual environment, its ensurepip is missing: install python3-venv")
        raise SetupError(f"{python} -m venv {place} failed: {_last_line(said)}")


def pip_install(
    place: Path,
    words: list[str],
    *,
    instead: str,
    python: str | None = None,
    say: Say | None = None,
    held: Sequence[int] = (),
) -> None:
    """`pip install` with these words in the environment.

    instead: what helps where a locked version is gone. python: which one the environment has, where it is not this one.
    say: is told each distribution that is looked for. held: file descriptors that the child keeps.

    Raises:
        SetupError: pip's reason in one line.
    """
    command = [str(place / "bin" / "python"), "-m", "pip", "--no-input", "--disable-pip-version-check", "install"]
    done = _run([*command, "--progress-bar", "off", *words], held=held, say=say)
    if done.returncode:
        raise SetupError(reason(done.stderr, python or here(), instead))


def _run(command: list[str], *, held: Sequence[int], say: Say | None = None) -> subprocess.CompletedProcess[str]:
    """Its output, each line of it told to `say`; dead when we are interrupted."""
    environment = {name: value for name, value in os.environ.items() if name not in _OURS}
    lines = []
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        with subprocess.Popen(
            command,
            env=environment,
            pass_fds=tuple(held),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
        ) as process:
            try:
                for line in process.stdout or ():
                    lines.append(line)
                    if say is not None:
                        say(line)
            except BaseException:
                process.kill()
                raise
        errors.seek(0)
        return subprocess.CompletedProcess(command, process.returncode, "".join(lines), errors.read())


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it says nothing"


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
