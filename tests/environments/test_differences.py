"""The table that `make newest` prints: two small environments compared by hand."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "environments"))

from differences import difference_table, locked_here


def test_what_differs_or_is_on_one_side_only_is_listed() -> None:
    locked = {"numpy": "1.26.4", "click": "8.5.1", "six": "1.17.0"}
    newest = {"numpy": "2.4.6", "click": "8.5.1", "rich": "15.0.0"}
    assert [line.split() for line in difference_table(locked, newest).splitlines()] == [
        ["package", "locked", "newest"],
        ["numpy", "1.26.4", "2.4.6"],
        ["rich", "-", "15.0.0"],
        ["six", "1.17.0", "-"],
    ]


def test_no_difference_is_said() -> None:
    assert difference_table({"click": "8.5.1"}, {"click": "8.5.1"}) == "the newest of everything is what the lock holds"


def test_lines_for_another_interpreter_do_not_count() -> None:
    lines = ("a==1.0 ; python_version < '3.0'", "a==2.0 ; python_version >= '3.0'", "b-c==3.1.post1")
    lock = "".join(f"{line} \\\n    --hash=sha256:00\n" for line in lines)
    assert locked_here(lock) == {"a": "2.0", "b-c": "3.1.post1"}
