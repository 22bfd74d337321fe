"""An environment of its own for a library that is no dependency of ours: made by pip, kept for the next time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from peers.errors import PeerError, reason

FOLDER = Path(__file__).resolve().parent / ".venv"
LONGEST_S = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What pip is asked for. `name` is its folder's."""

    name: str
    requirements: tuple[str, ...]

    def python(self, folder: Path = FOLDER) -> Path:
        """Its interpreter; makes the environment where it is missing, half made, or was made of other requirements.

        Raises:
            PeerError: it cannot be made, or pip cannot install the requirements.
        """
        place = folder / self.name
        python, stamp = place / "bin" / "python", place / "requirements.txt"
        wanted = "\n".join(self.requirements) + "\n"
        if stamp.is_file() and stamp.read_text() == wanted and python.exists():
            return python
        shutil.rmtree(place, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self._run([sys.executable, "-m", "venv", str(place)], folder, "makes no environment")
        words = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", *self.requirements]
        self._run([str(python), *words], folder, "pip cannot install it")
        stamp.write_text(wanted)  # last: without it the environment counts as half made
        return python

    def _run(self, command: list[str], folder: Path, problem: str) -> None:
        log = folder / f"{self.name}.log"
        with log.open("w") as file:
            try:
                code = subprocess.run(command, stdout=file, stderr=file, timeout=LONGEST_S, check=False).returncode
            except subprocess.TimeoutExpired as error:
                raise PeerError(f"{self.name}: {problem} within {LONGEST_S:g} s; try again") from error
            except OSError as error:
                raise PeerError(f"{self.name}: {problem} ({error.strerror})") from error
        if code:
            raise PeerError(f"{self.name}: {problem} ({_reason(log, code)}); its words are in {log.name}")


def _reason(log: Path, code: int) -> str:
    """pip's last error."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.upper().startswith("ERROR")] or lines[-1:]
    return reason(errors[-1] if errors else f"it ended with code {code} without a word")
