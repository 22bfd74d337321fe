"""Where a job keeps what it knows: a hidden folder in the folder of its results, or next to its one result."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname

from segruntime.errors import OutputError
from segruntime.jobs.journal import JOURNAL
from segruntime.jobs.unit import Unit

HIDDEN = ".segrun"
_LOCK, _DRAFTS = "lock", "units"


@dataclass(frozen=True, slots=True)
class Place:
    """`root`: the folder that the names of results are below. `state`: of the journal, the lock and the drafts."""

    root: Path
    state: Path

    @classmethod
    def of(cls, output: Path, *, is_folder: bool) -> Place:
        if is_folder:
            return cls(output, output / HIDDEN)
        return cls(output.parent, output.with_name(f".{output.name}{HIDDEN}"))

    @property
    def drafts(self) -> str:
        return str(self.state / _DRAFTS)

    def path(self, name: str) -> str:
        """Of a result by its name below the root."""
        return os.path.join(self.root, name)

    def deliver(self, unit: Unit) -> None:
        """The draft gets its name.

        Raises:
            OutputError: it cannot.
        """
        target = Path(self.path(unit.name))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(unit.draft(self.drafts), target)
        except OSError as error:
            raise OutputError(
                f"{target}: cannot be put there ({error.strerror}); choose another folder with -o"
            ) from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folders, and let nobody else work there for as long as the block runs, on no machine that sees them.

        Nothing is left of them where no job was begun.

        Raises:
            OutputError: somebody does, or nothing can be written.
        """
        is_new = not self.root.exists()
        try:
            Path(self.drafts).mkdir(parents=True, exist_ok=True)
            lock = os.open(self.state / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise OutputError(
                f"{self.state}: cannot be written ({error.strerror}); choose another folder with -o"
            ) from error
        try:
            if not _locked(lock):
                raise OutputError(
                    f"{self.state}: another segrun works here ({self._holder()}); wait for it, or look with segrun status"
                )
            os.ftruncate(lock, 0)
            os.pwrite(lock, json.dumps({"host": gethostname(), "process": os.getpid()}).encode(), 0)
            yield
        finally:
            os.close(lock)
            if not self.has_begun():
                self.remove()
                with suppress(OSError):
                    if is_new:
                        self.root.rmdir()

    def is_held(self) -> bool:
        """Whether a segrun works here now."""
        try:
            lock = os.open(self.state / _LOCK, os.O_RDWR)
        except OSError:
            return False
        try:
            return not _locked(lock)
        finally:
            os.close(lock)

    def has_begun(self) -> bool:
        """Whether a job was begun here, and not, where it has one result only, ended."""
        journal = self.state / JOURNAL
        return journal.is_file() and journal.stat().st_size > 0

    def sweep(self, is_kept: Callable[[str], bool]) -> None:
        """Take drafts away, but those of the units whose ids are to be kept."""
        with suppress(OSError), os.scandir(self.drafts) as found:
            for one in found:
                if not is_kept(one.name.partition(".")[0]):
                    os.unlink(one.path)

    def empty(self) -> None:
        """Forget the job, but not the lock."""
        with suppress(OSError), os.scandir(self.state) as found:
            for one in found:
                if one.name not in (_LOCK, _DRAFTS):
                    os.unlink(one.path)
        self.sweep(lambda _: False)

    def remove(self) -> None:
        shutil.rmtree(self.state, ignore_errors=True)

    def _holder(self) -> str:
        try:
            said = json.loads((self.state / _LOCK).read_text())
            return f"process {said['process']} on {said['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "of another machine"


def _locked(handle: int) -> bool:
    """Take the lock, if nobody has it. Where the system has no such locks, it is always free."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
