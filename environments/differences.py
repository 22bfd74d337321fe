"""What differs between an environment of the newest and its lock, as a table.

.venv-newest/bin/python environments/differences.py main
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from importlib.metadata import distributions

from environment import ENVIRONMENTS, read_lock
from packaging.markers import Marker

# what venv brings, and segedge itself
NOT_LOCKED = {"pip", "setuptools", "segedge"}


def locked_here(text: str) -> dict[str, str]:
    """Name → version of a lock, as far as its markers hold for this interpreter and machine."""
    return {name: version for name, version, marker in read_lock(text) if not marker or Marker(marker).evaluate()}


def installed_here() -> dict[str, str]:
    """Normalised name → version, without a build's suffix (`+cpu`), of what this interpreter can import."""
    found = {re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(): one.version for one in distributions()}
    return {name: version.partition("+")[0] for name, version in found.items() if name not in NOT_LOCKED}


def difference_table(locked: Mapping[str, str], newest: Mapping[str, str]) -> str:
    """One line a distribution whose version differs, a dash where one side lacks it; or one line that says none does."""
    names = sorted(name for name in locked.keys() | newest.keys() if locked.get(name) != newest.get(name))
    if not names:
        return "the newest of everything is what the lock holds"
    rows = [("package", "locked", "newest"), *((name, locked.get(name, "-"), newest.get(name, "-")) for name in names)]
    return "\n".join(f"{name:<32} {old:<20} {new}" for name, old, new in rows)


if __name__ == "__main__":
    environment = ENVIRONMENTS[sys.argv[1]]
    apart = dict([environment.pinned_apart.split("==")]) if environment.pinned_apart else {}
    held = {
        name: version for name, version in locked_here(environment.lock.read_text()).items() if name not in NOT_LOCKED
    }
    print(f"\n{environment.name}:\n{difference_table({**held, **apart}, installed_here())}\n")
