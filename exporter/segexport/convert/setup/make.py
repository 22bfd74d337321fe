"""Make the environment of a converter: next to its place, checked, and only then under its name.

Killed half-way it leaves a hidden folder, which the next run removes: the one who holds the lock file owns every such
folder, and pip holds it too, so that nobody starts while the pip of a killed run still writes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from segexport.convert.setup.installing import Say, make_venv, pip_install
from segexport.convert.setup.interpreters import find_interpreters, version_of
from segexport.convert.setup.known import ConverterEnvironment
from segexport.convert.setup.place import MARKER, Made, converters_folder, problem_of, read_marker
from segexport.errors import SetupError
from segexport.process.environment import made_environment
from segruntime.errors import install_command

_UPGRADE = "a newer segedge has a newer lock"
_LONGEST_S = 900.0
# what pip brought along, and no conversion needs
_TOOLS = ("pip", "setuptools")
_CHECK = """
import sys
sys.path += sys.argv[3:]
import importlib, json
from importlib.metadata import version
for name in sys.argv[1].split(","):
    importlib.import_module(name)
print(json.dumps({name: version(name) for name in sys.argv[2].split(",")}))
"""


class NoPythonError(SetupError):
    """There is no Python here that the converter is locked for, or no file for this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupOutcome:
    """`new`: was it made now, and in how many seconds? Else it was there."""

    folder: Path
    made: Made
    new: bool
    seconds: float


def make_converter(environment: ConverterEnvironment, *, python: Path | None, say: Say, note: Say) -> SetupOutcome:
    """The converter's environment, made where it is not there yet or is of another lock.

    python: the interpreter; by default the running one where the lock allows it, else the newest that fits.
    say: is told what it is at, in short. note: is told what the user should know.

    Raises:
        NoPythonError: there is nothing here to make it with.
        SetupError: it was not made; nothing of it is left.
    """
    started = time.monotonic()
    target = converters_folder() / environment.name
    with _turn(target, note) as held:
        _remove_leftovers(target)
        new = problem_of(environment.name) is not None
        if new:
            _make(environment, choose_python(environment, python), target, say, held)
        made = read_marker(target)
    if made is None:
        raise SetupError(f"{target}: its {MARKER} cannot be read; remove the folder and try again")
    return SetupOutcome(folder=target, made=made, new=new, seconds=time.monotonic() - started)


def choose_python(environment: ConverterEnvironment, asked: Path | None) -> Path:
    """The interpreter for it.

    Raises:
        NoPythonError: none fits, or the one that was asked for does not.
    """
    if refusal := environment.refusal():
        raise NoPythonError(f"converter {environment.name} {refusal}")
    ours = Path(sys.executable)
    if asked is None and environment.fits(sys.version_info[:3]):
        return ours
    if asked is not None:
        return _asked_python(environment, asked)
    if environment.borrows is None:
        fitting = {minor: path for minor, path in find_interpreters(os.environ).items() if _fits(environment, path)}
        if fitting:
            return fitting[max(fitting)]
    raise NoPythonError(
        f"converter {environment.name} needs Python {environment.pythons}, none was found; "
        f"give one: segexport setup {environment.name} --python PATH"
    )


def _asked_python(environment: ConverterEnvironment, asked: Path) -> Path:
    found = version_of(asked)
    if not found or not environment.fits(_numbers(found)):
        raise NoPythonError(
            f"converter {environment.name} needs Python {environment.pythons}, {asked} is {found or 'none that runs'}"
        )
    ours = "{}.{}".format(*sys.version_info)
    if environment.borrows is not None and not found.startswith(f"{ours}."):
        raise NoPythonError(
            f"converter {environment.name} takes {environment.borrows} from here, so it needs Python {ours} as here; "
            f"{asked} is {found}"
        )
    return asked.absolute()


def _fits(environment: ConverterEnvironment, python: Path) -> bool:
    return environment.fits(_numbers(version_of(python)))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", version))


def _make(environment: ConverterEnvironment, python: Path, target: Path, say: Say, held: int) -> None:
    with _room(target) as room:
        place = room / "made"
        _fill(environment, python, place, say, held)
        say("checking")
        versions = _check(environment, place, room)
        made = Made(
            lock=environment.lock_digest(),
            python=version_of(place / "bin" / "python"),
            versions=versions,
            size_bytes=_size_bytes(place),
        )
        (place / MARKER).write_text(json.dumps(asdict(made), indent=1), encoding="utf-8")
        _put(place, target, room)


def _fill(environment: ConverterEnvironment, python: Path, place: Path, say: Say, held: int) -> None:
    say(f"a virtual environment of {python}")
    make_venv(python, place, (held,))
    # one line a distribution; those that the markers leave out are not counted by pip, so the count may end early
    lock = environment.lock.read_text(encoding="utf-8")
    names = sorted(set(re.findall(r"^([a-z0-9][\w.-]*)==", lock, re.MULTILINE)))
    version = version_of(place / "bin" / "python")
    words = [
        "--no-deps",
        "--ignore-requires-python",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "-r",
        str(environment.lock),
    ]
    pip_install(
        place,
        words,
        instead=_UPGRADE,
        python=f"{version} on {os.uname().machine}",
        say=_counted(len(names), say),
        held=(held,),
    )
    leftover = [name for name in _TOOLS if name not in names]
    remove = [str(place / "bin" / "python"), "-m", "pip", "--quiet", "uninstall", "--yes", *leftover]
    subprocess.run(remove, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _counted(total: int, say: Say) -> Callable[[str], None]:
    done = 0

    def read(line: str) -> None:
        nonlocal done
        if found := re.match(r"Collecting ([\w.-]+==\S+)", line):
            done += 1
            say(f"{found[1]} {done}/{total}")
        elif line.startswith("Installing collected packages"):
            say("unpacking")

    return read


def _check(environment: ConverterEnvironment, place: Path, room: Path) -> dict[str, str]:
    """Import what a conversion imports; → distribution → version, of those that are shown.

    Raises:
        SetupError: something cannot be imported.
    """
    borrowed = [_folder_of(environment.borrows)] if environment.borrows else []
    command = [str(place / "bin" / "python"), "-c", _CHECK, ",".join(environment.imports), ",".join(environment.shown)]
    (room / "check").mkdir()
    try:
        done = subprocess.run(
            [*command, *borrowed],
            cwd=room / "check",
            env=made_environment(room / "check"),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"converter {environment.name}: its import did not end in {_LONGEST_S:.0f} s") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
        raise SetupError(f"converter {environment.name} was installed and cannot be imported: {lines[-1][:300]}")
    found: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _folder_of(module: str) -> str:
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise SetupError(
            f"{module} is not installed here, and the converter takes it from here: {install_command('export')}"
        )
    return str(Path(next(iter(spec.submodule_search_locations))).parent)


def _put(place: Path, target: Path, room: Path) -> None:
    """Under its name, in place of one of another lock."""
    if os.path.lexists(target):
        target.rename(room / "before")
    place.rename(target)


@contextlib.contextmanager
def _turn(target: Path, note: Say) -> Iterator[int]:
    """Nobody else makes this converter meanwhile; → the descriptor of the lock file."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = (target.parent / f".{target.name}.lock").open("a")
    except OSError as error:
        raise SetupError(f"{target.parent}: {error.strerror}; SEGEDGE_CONVERTERS names another folder") from error
    with file:
        _take(file, target.name, note)
        yield file.fileno()


def _take(file: IO[str], name: str, note: Say) -> None:
    import fcntl  # Windows has none

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note(f"another `segexport setup` makes {name}; waiting for it")
        fcntl.flock(file, fcntl.LOCK_EX)


def _hidden(target: Path) -> str:
    return f".{target.name}-"


def _remove_leftovers(target: Path) -> None:
    for one in target.parent.glob(f"{_hidden(target)}*"):
        shutil.rmtree(one, ignore_errors=True)


@contextlib.contextmanager
def _room(target: Path) -> Iterator[Path]:
    """A hidden folder next to the target, gone at the end; what the disk refuses is one line."""
    try:
        room = Path(tempfile.mkdtemp(prefix=_hidden(target), dir=target.parent))
        try:
            yield room
        finally:
            shutil.rmtree(room, ignore_errors=True)
    except OSError as error:
        raise SetupError(f"{target}: {error.strerror or error}; nothing of it was left") from error


def _size_bytes(place: Path) -> int:
    return sum(entry.lstat().st_size for entry in place.rglob("*"))
