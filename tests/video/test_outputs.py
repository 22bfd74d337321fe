"""Where results may go: what is refused says why, leaves nothing half-written and takes nothing away."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from tests import messages
from tests.video.clips import av, frames, make, person

from segruntime.errors import ModelFileError, OptionError, OutputError, SegRuntimeError, install_command
from segruntime.run import command
from segruntime.run.statistics import Statistics
from segruntime.run.video.encoder import VideoEncoder

pytestmark = pytest.mark.usefixtures("everywhere")
Run = Callable[..., Statistics]
Refuses = Callable[..., None]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make(tmp_path / "in.mp4", frames=3)


@pytest.mark.parametrize(
    ("output", "error", "message"),
    [
        (
            "out.xyz",
            OptionError,
            r"out\.xyz: unknown ending '\.xyz' for a video, expected \.mp4, \.m4v, \.mov, \.mkv, ",
        ),
        ("out.png", OptionError, r"unknown ending '\.png' for a video, .* a pattern \(frames/%05d\.png\)"),
        ("out.mp3", OptionError, r"unknown ending '\.mp3' for a video"),
        ("nowhere/out.mp4", OutputError, r"nowhere/out\.mp4: the folder .*nowhere is not there; make it, or choose"),
        ("in.mp4", OutputError, rf"in\.mp4: {messages.THE_INPUT_ITSELF}; choose another name with -o"),
        ("%s.png", OptionError, r"unknown ending"),
        ("%d%d.png", OptionError, r"cannot number frames \(.*\), expected one number in it, like %05d"),
        ("in.mp4/frames/", OutputError, r"is not there|cannot be made"),
    ],
)
def test_an_output_that_cannot_be_is_refused(
    output: str, error: type[SegRuntimeError], message: str, clip: Path, tmp_path: Path, refuses: Refuses
) -> None:
    refuses(error, message, clip, f"{tmp_path}/{output}", overwrite=True)


@pytest.mark.parametrize("kind", [os.symlink, os.link])
def test_the_input_by_another_name_is_refused(
    kind: Callable[[Path, Path], None], clip: Path, tmp_path: Path, refuses: Refuses
) -> None:
    other = tmp_path / "other.mp4"
    kind(clip, other)
    refuses(OutputError, messages.THE_INPUT_ITSELF, clip, other, overwrite=True)
    refuses(OutputError, messages.THE_INPUT_ITSELF, other, clip, overwrite=True)


@pytest.mark.parametrize("output", ["in", "in/", "in/masks/", "link/masks", "."])
def test_the_input_folder_is_no_place_for_results(output: str, tmp_path: Path, refuses: Refuses) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    cv2.imwrite(str(tmp_path / "in" / "a.png"), person(64, 48))
    source = tmp_path if output == "." else tmp_path / "in"
    said = "lies in the input folder, whose pictures it would become; choose another"
    refuses(OutputError, said, source, f"{tmp_path}/{output}", overwrite=True)


def test_what_is_there_already_stays_without_overwrite(
    clip: Path, tmp_path: Path, segrun: Run, refuses: Refuses
) -> None:
    (tmp_path / "out.mp4").write_text("mine")
    said = r"out\.mp4: is there already; add --overwrite to replace it, or choose"
    refuses(OutputError, said, clip, tmp_path / "out.mp4")
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "frame_000002.png").write_text("mine")
    with pytest.raises(OutputError, match=r"frame_000002\.png: is there already"):
        segrun(clip, tmp_path / "frames")
    assert (tmp_path / "frames" / "frame_000002.png").read_text() == "mine"


def test_what_is_there_is_replaced_with_overwrite(
    clip: Path, tmp_path: Path, segrun: Run, nothing_else: set[str]
) -> None:
    nothing_else |= {"in.mp4", "out.mp4"}
    (tmp_path / "out.mp4").write_text("old")
    segrun(clip, tmp_path / "out.mp4", overwrite=True)
    assert len(frames(tmp_path / "out.mp4")) == 3


def test_a_result_has_the_rights_of_a_new_file(clip: Path, tmp_path: Path, segrun: Run, nothing_else: set[str]) -> None:
    nothing_else |= {"in.mp4", "out.mp4", "new"}
    segrun(clip, tmp_path / "out.mp4")
    (tmp_path / "new").touch()
    assert (tmp_path / "out.mp4").stat().st_mode == (tmp_path / "new").stat().st_mode


def test_a_folder_of_the_name_is_no_file(clip: Path, tmp_path: Path, refuses: Refuses) -> None:
    (tmp_path / "out").write_text("mine")
    (tmp_path / "f").mkdir()
    cv2.imwrite(str(tmp_path / "f" / "a.png"), person(64, 48))
    said = "out: is a file, expected a folder for the results"
    refuses(OutputError, said, clip, f"{tmp_path}/out/", overwrite=True)
    refuses(OutputError, said, tmp_path / "f", tmp_path / "out", overwrite=True)


def test_a_folder_that_may_not_be_written_to(clip: Path, tmp_path: Path, refuses: Refuses) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    if os.geteuid() == 0:
        closed = Path("/sys")  # root may write anywhere else
        if not closed.is_dir():
            pytest.skip("root may write anywhere")
    said = r"cannot be written \((Permission denied|Read-only file system)\); choose another folder"
    refuses(OutputError, said, clip, closed / "out.mp4")


def test_an_error_on_the_way_leaves_nothing_and_keeps_the_old_file(
    clip: Path, tmp_path: Path, refuses: Refuses, everywhere: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out.mp4").write_text("mine")
    monkeypatch.setattr(type(everywhere), "coarse", lambda *_: 1 / 0)
    refuses(ZeroDivisionError, "division", clip, tmp_path / "out.mp4", overwrite=True)


def test_a_result_that_the_container_refuses_is_not_blamed_on_the_disk(
    clip: Path, tmp_path: Path, refuses: Refuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: object) -> None:
        raise av.error.ArgumentError(22, "Invalid argument")

    monkeypatch.setattr(VideoEncoder, "__call__", refusing)
    said = r"failed \(Invalid argument\); nothing is left of it\. Choose another ending"
    refuses(OutputError, said, clip, tmp_path / "out.mp4")


def test_a_model_that_is_none_leaves_nothing(
    clip: Path, tmp_path: Path, refuses: Refuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segruntime.segmenter import load

    monkeypatch.setattr(command, "load", load)
    refuses(ModelFileError, r"no\.tflite", clip, tmp_path / "out.mp4", model=str(tmp_path / "no.tflite"))


def test_a_background_that_is_the_output_is_only_replaced_when_asked(
    clip: Path, tmp_path: Path, segrun: Run, refuses: Refuses, nothing_else: set[str]
) -> None:
    nothing_else |= {"in.mp4", "behind.mp4"}
    behind = make(tmp_path / "behind.mp4", frames=2)
    refuses(OutputError, "is there already", clip, behind, behind)
    assert segrun(clip, behind, behind, overwrite=True).frames == 3
    assert len(frames(behind)) == 3


def test_options_that_make_no_run(clip: Path, tmp_path: Path, refuses: Refuses) -> None:
    refuses(OptionError, "output: got none, expected -o OUTPUT, or --preview", clip, None)
    refuses(OptionError, "every: got 0, expected 1 or more", clip, tmp_path / "out.mp4", every=0)
    refuses(OptionError, r"fast.*balanced.*best", clip, tmp_path / "out.mp4", preset="perfect")


def test_a_missing_pyav_is_said_with_its_pip_command(
    clip: Path, tmp_path: Path, refuses: Refuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    refuses(SegRuntimeError, re.escape(install_command("video")), clip, tmp_path / "out.mp4")
