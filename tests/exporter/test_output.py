"""Files appear whole or not at all, and nothing unfinished stays, whatever happens."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from segexport.errors import ConversionError, OutputError
from segexport.output import Staging


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(staging: Staging, error: BaseException) -> None:
    with staging:
        (staging.path / "x").write_text("half of the ne")
        raise error


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_files_are_published_under_their_names(tmp_path: Path) -> None:
    with Staging(tmp_path / "a" / "b", ["x"], overwrite=False) as staging:
        (staging.path / "x").write_text("whole")
        (staging.path / "scrap").write_text("left over")
        staging.publish(["x"])
    assert names(tmp_path / "a" / "b") == ["x"]
    assert (tmp_path / "a" / "b" / "x").read_text() == "whole"


def test_staging_is_absolute_below_a_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # converters run in another working directory
    with Staging(Path("out"), ["x"], overwrite=False) as staging:
        assert staging.path.is_absolute()
        assert staging.path.parent == tmp_path / "out"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3), ConversionError("failed")])
def test_nothing_stays_after_a_failure_not_even_the_folders_it_made(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write_half(Staging(tmp_path / "a" / "b", ["x"], overwrite=False), error)
    assert names(tmp_path) == []


def test_a_folder_that_was_there_stays_with_what_it_held(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="no"), Staging(tmp_path, ["x"], overwrite=False):
        raise ValueError("no")
    assert names(tmp_path) == ["mine.txt"]


def test_an_existing_file_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "y").write_text("old")
    (tmp_path / "x").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match=r"x is already there and 1 more; nothing was changed\. Give --overwrite"):
        Staging(tmp_path, ["x", "y", "z"], overwrite=False)
    assert names(tmp_path) == ["x", "y"]
    assert (tmp_path / "y").read_text() == "old"


def test_overwriting_that_fails_half_way_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_half(Staging(tmp_path, ["x"], overwrite=True), KeyboardInterrupt())
    assert names(tmp_path) == ["x"]
    assert (tmp_path / "x").read_text() == "old"


def test_overwriting_replaces(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    with Staging(tmp_path, ["x"], overwrite=True) as staging:
        (staging.path / "x").write_text("new")
        staging.publish(["x"])
    assert (tmp_path / "x").read_text() == "new"


def test_a_folder_under_a_files_name_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(OutputError, match=r"x is a folder, expected a file or nothing; nothing was changed"):
        Staging(tmp_path, ["x"], overwrite=True)


def test_a_path_below_a_regular_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(OutputError, match=r"cannot be written \(Not a directory\); expected a folder that can be made"):
        Staging(tmp_path / "file" / "out", ["x"], overwrite=False)
    with pytest.raises(OutputError, match=r"cannot be written \(File exists\)"):
        Staging(tmp_path / "file", ["x"], overwrite=False)
    assert names(tmp_path) == ["file"]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"writing failed \(No space left on device\); nothing unfinished was left"),
        Staging(tmp_path / "out", ["x"], overwrite=False),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert names(tmp_path) == []


def test_a_full_disk_while_the_folder_is_made_takes_the_parents_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("segexport.output.tempfile.mkdtemp", full)
    with pytest.raises(OutputError, match=r"cannot be written \(No space left on device\)"):
        Staging(tmp_path / "a" / "b", ["x"], overwrite=False)
    assert names(tmp_path) == []


def test_an_error_of_our_own_is_passed_on_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"^our own$"), Staging(tmp_path / "out", ["x"], overwrite=False):
        raise OutputError("our own")


def test_what_a_dead_process_left_is_cleared_and_a_living_ones_is_not(tmp_path: Path) -> None:
    dead, absurd = f".segexport-{dead_pid()}-abc", f".segexport-{10**20}-abc"
    living, other = f".segexport-{os.getpid()}-abc", ".segexport-notes"
    for name in (dead, absurd, living, other):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part").write_text("half")
    with Staging(tmp_path, ["x"], overwrite=False):
        pass
    assert names(tmp_path) == sorted([living, other])
