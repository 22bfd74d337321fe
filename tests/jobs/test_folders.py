"""A folder as a job: each file once, whatever happens in between."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import pytest
from tests import messages
from tests.jobs.conftest import Flickering, RunJob
from tests.processor_time import at_most
from tests.refusals import refusal
from tests.video.clips import make, person

from segruntime.errors import OptionError, OutputError, PictureError
from segruntime.jobs import worker
from segruntime.jobs.cli import report
from segruntime.jobs.journal import Record, read_record
from segruntime.jobs.options import Summary
from segruntime.jobs.place import Place
from segruntime.jobs.progress import Progress


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Six pictures, two of them in a folder of their own."""
    folder = tmp_path / "in"
    (folder / "deeper").mkdir(parents=True)
    for k, name in enumerate(("a.png", "b.jpg", "c c.png", "ü №1 日本.jpg", "deeper/a.png", "deeper/b.png")):
        cv2.imencode(Path(name).suffix, person(64 + k, 48))[1].tofile(folder / name)
    return folder


def results(folder: Path) -> dict[str, bytes]:
    """What was delivered, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".segrun" not in path.parts
    }


def journal(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / ".segrun" / "job.jsonl").read_text().splitlines()]


def drafts(output: Path) -> list[str]:
    return os.listdir(output / ".segrun" / "units")


def test_every_picture_has_its_result_and_a_line(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    summary = job(pictures, tmp_path / "out")
    assert summary.exit_code == 0
    assert results(tmp_path / "out").keys() == results(pictures).keys()
    lines = [line for line in journal(tmp_path / "out") if "state" in line]
    assert sorted(line["name"] for line in lines) == sorted(results(pictures))
    assert {line["state"] for line in lines} == {"finished"}
    assert not drafts(tmp_path / "out")


def test_the_same_again_does_nothing_and_says_so(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    job(pictures, tmp_path / "out")
    said: list[str] = []
    summary = job(pictures, tmp_path / "out", say=said.append)
    assert flickering.seen == 6
    assert summary.exit_code == 0
    assert said == [f"{tmp_path / 'out'}: 6 of 6 are done, 0 left"]


def test_what_is_new_or_changed_or_gone_is_done_and_nothing_else(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    job(pictures, tmp_path / "out")
    shutil.copy(pictures / "a.png", pictures / "new.png")
    shutil.copy(pictures / "deeper/a.png", pictures / "b.jpg.png")
    (pictures / "b.jpg").write_bytes((pictures / "ü №1 日本.jpg").read_bytes())
    (tmp_path / "out/c c.png").unlink()
    before = results(tmp_path / "out")
    summary = job(pictures, tmp_path / "out")
    assert flickering.seen == 6 + 4
    assert (summary.progress.finished, summary.progress.files) == (8, 8)
    after = results(tmp_path / "out")
    assert after.keys() == before.keys() | {"new.png", "b.jpg.png", "c c.png"}
    assert [name for name in before if after[name] != before[name]] == ["b.jpg"]


def test_pictures_and_videos_lie_side_by_side(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    make(pictures / "deeper/talk.avi", frames=5, codec="mjpeg", pixels="yuvj420p", options={})
    make(pictures / "talk.mp4", frames=5)
    (pictures / "notes.txt").write_text("not a picture")
    (pictures / ".hidden.png").write_text("passed over")
    summary = job(pictures, tmp_path / "out")
    assert summary.exit_code == 0
    assert results(tmp_path / "out").keys() == results(pictures).keys() - {
        "notes.txt",
        ".hidden.png",
        "deeper/talk.avi",
    } | {"deeper/talk.mp4"}


def test_two_files_whose_results_would_have_one_name(tmp_path: Path, job: RunJob, flickering: Flickering) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("talk.avi", "talk.mp4"):
        make(folder / name, frames=2, codec="mpeg4", options={})
    for ending in ("jpg", "bmp"):
        cv2.imwrite(str(folder / f"face.{ending}"), person(64, 48))
    job(folder, tmp_path / "out")
    assert results(tmp_path / "out").keys() == {"talk.avi.mp4", "talk.mp4", "face.jpg", "face.bmp"}
    job(folder, tmp_path / "masks", background="alpha")
    assert results(tmp_path / "masks").keys() == {"talk.avi.mp4", "talk.mp4", "face.png", "face.jpg.png"}


def test_a_corrupt_file_is_one_line_and_the_others_are_done(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    (pictures / "deeper/b.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (pictures / "b.mp4").write_bytes(b"no video")
    summary = job(pictures, tmp_path / "out")
    assert summary.exit_code == 1
    assert [str(pictures / name) in line for name, line in zip(("b.mp4", "deeper/b.png"), summary.errors, strict=True)]
    assert results(tmp_path / "out").keys() == results(pictures).keys() - {"deeper/b.png", "b.mp4"}
    assert (summary.progress.finished, summary.progress.failed, summary.progress.left) == (5, 2, 0)


def test_what_failed_is_tried_again_and_then_no_failure_any_more(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(worker, "still_sink", lambda *_, **__: 1 / 0)
        summary = job(pictures, tmp_path / "out")
    assert summary.progress.failed == 6
    assert summary.errors[0].endswith("a.png: ZeroDivisionError: division by zero")
    summary = job(pictures, tmp_path / "out")
    assert (summary.progress.failed, summary.progress.finished, summary.errors) == (0, 6, [])


def test_a_kind_that_is_not_read_is_passed_over_by_name(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    (pictures / "raw.dng").write_bytes(b"II*\0")
    summary = job(pictures, tmp_path / "out")
    assert (summary.exit_code, summary.progress.skipped, summary.progress.finished) == (0, 1, 6)
    (line,) = [line for line in journal(tmp_path / "out") if line.get("state") == "skipped"]
    assert line["error"] == f"{pictures / 'raw.dng'}: is a raw photograph, which is not read; convert it first"
    assert any("raw.dng" in note for note in summary.notes)


@pytest.mark.parametrize("name", ["empty", "text"])
def test_a_folder_without_anything_to_do(name: str, tmp_path: Path, job: RunJob) -> None:
    (tmp_path / "in").mkdir()
    if name == "text":
        (tmp_path / "in/notes.txt").write_text("hello")
    refusal(
        PictureError,
        job,
        tmp_path / "in",
        tmp_path / "out",
        match=f"{messages.NO_PICTURE_IN_IT} and no video, expected a folder",
    )
    assert not (tmp_path / "out").exists()


# ── the same job, or another ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"background": "blue"}, "another background: green, now blue"),
        ({"preset": "best"}, "another preset: fast, now best"),
        ({"segment_s": 30}, "another segment: None, now 30"),
        ({"backend": "onnx"}, "another model: "),
    ],
    ids=["background", "preset", "segment", "model"],
)
def test_other_options_are_refused_by_name(
    words: dict[str, Any], said: str, pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    job(pictures, tmp_path / "out")
    before = results(tmp_path / "out")
    refusal(
        OutputError, job, pictures, tmp_path / "out", match=rf"{said}.*give the same to go on, --overwrite", **words
    )
    assert results(tmp_path / "out") == before


def test_a_background_that_was_changed_is_another_one(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    behind = tmp_path / "behind.png"
    cv2.imwrite(str(behind), person(20, 20))
    job(pictures, tmp_path / "out", background=str(behind))
    cv2.imwrite(str(behind), person(30, 20))
    refusal(OutputError, job, pictures, tmp_path / "out", match="another background file", background=str(behind))


def test_what_decides_nothing_may_be_another(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    job(pictures, tmp_path / "out")
    assert job(pictures, tmp_path / "out", threads=2, is_resumed=True).exit_code == 0
    assert flickering.seen == 6


def test_overwrite_begins_anew(pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering) -> None:
    job(pictures, tmp_path / "out")
    before = results(tmp_path / "out")
    summary = job(pictures, tmp_path / "out", background="blue", overwrite=True)
    assert (flickering.seen, summary.progress.finished) == (12, 6)
    after = results(tmp_path / "out")
    assert all(after[name] != before[name] for name in before)


def test_results_that_are_there_and_not_the_jobs_stay(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    out = tmp_path / "out"
    (out / "deeper").mkdir(parents=True)
    for name in ("a.png", "deeper/a.png"):
        (out / name).write_text("mine")
    refusal(
        OutputError,
        job,
        pictures,
        out,
        match=r"out/a\.png and 1 more: is there already, and not of this job; add --over",
    )
    assert set(results(out).values()) == {b"mine"}
    assert flickering.seen == 0
    assert job(pictures, out, overwrite=True).exit_code == 0
    assert b"mine" not in results(out).values()


# ── what a kill leaves ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_result_that_was_written_down_and_not_delivered_is_delivered(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    out = tmp_path / "out"
    job(pictures, out)
    (unit,) = [line["id"] for line in journal(out) if line.get("name") == "a.png"]
    (out / "a.png").rename(out / ".segrun/units" / f"{unit}.png")
    whole = (out / ".segrun/units" / f"{unit}.png").read_bytes()
    job(pictures, out)
    assert flickering.seen == 6
    assert (out / "a.png").read_bytes() == whole


def test_a_draft_that_was_not_written_down_is_thrown_away(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    out = tmp_path / "out"
    (out / ".segrun/units").mkdir(parents=True)
    (out / ".segrun/units/0123.png").write_text("half")
    job(pictures, out)
    assert not drafts(out)


def test_a_torn_last_line_is_read_over(pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering) -> None:
    out = tmp_path / "out"
    job(pictures, out)
    last = journal(out)[-1]
    (out / last["name"]).rename(out / ".segrun/units" / f"{last['id']}.jpg")  # it gets its name after its line
    path = out / ".segrun/job.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    job(pictures, out)
    assert flickering.seen == 7
    assert [line["name"] for line in journal(out) if "state" in line][-1] == last["name"]
    assert results(out).keys() == results(pictures).keys()


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"id": 3}', b"\xff"])
def test_a_damaged_line_in_the_middle_is_refused(
    line: bytes, pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    job(pictures, tmp_path / "out")
    path = tmp_path / "out/.segrun/job.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:3], line, *lines[3:], b""]))
    refusal(
        OutputError, job, pictures, tmp_path / "out", match=r"job\.jsonl: line 4 is damaged, expected a line of JSON"
    )


def test_a_journal_of_another_format_is_refused(pictures: Path, tmp_path: Path, job: RunJob) -> None:
    (tmp_path / "out/.segrun").mkdir(parents=True)
    (tmp_path / "out/.segrun/job.jsonl").write_text('{"segrun": 2}\n')
    refusal(
        OutputError,
        job,
        pictures,
        tmp_path / "out",
        match="is of format 2, expected 1; go on with the segrun that began",
    )


def test_two_at_a_time_in_one_place(pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with Place.of(out, is_folder=True).held():
        refusal(OutputError, job, pictures, out, match=rf"another segrun works here \(process {os.getpid()} on ")
    assert job(pictures, out).exit_code == 0


def test_a_full_disk_ends_the_job_in_a_line_and_it_goes_on(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segruntime.run.pictures import sink

    whole, count = sink.write_whole, 0

    def until_full(path: Path, data: bytes) -> None:
        nonlocal count
        count += 1
        if count > 2:
            raise OSError(28, "No space left on device")
        whole(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(sink, "write_whole", until_full)
        refusal(
            OutputError, job, pictures, tmp_path / "out", match=r"No space left on device\).*The same command goes on"
        )
    assert len(results(tmp_path / "out")) == 2
    assert not drafts(tmp_path / "out")
    seen = flickering.seen
    assert job(pictures, tmp_path / "out").progress.finished == 6
    assert flickering.seen == seen + 4


def test_ctrl_c_keeps_what_is_done(pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering) -> None:
    def after_two(progress: Any) -> None:
        if progress.finished == 2:
            raise KeyboardInterrupt

    summary = job(pictures, tmp_path / "out", watch=after_two)
    assert (summary.exit_code, summary.is_interrupted) == (130, True)
    assert len(results(tmp_path / "out")) == 2
    assert not drafts(tmp_path / "out")
    assert job(pictures, tmp_path / "out").progress.finished == 6


def test_a_place_where_nothing_can_be_written(pictures: Path, job: RunJob) -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("no folder here refuses even root")
    refusal(OutputError, job, pictures, Path("/proc/out"), match="cannot be written .*; choose another folder with -o")


def test_a_hundred_thousand_lines_are_read_soon(tmp_path: Path) -> None:
    path = tmp_path / "job.jsonl"
    line = {"state": "finished", "frames": 1, "seconds": 0.031, "source_bytes": 300_000, "kind": "picture"}
    with path.open("w") as file:
        file.write('{"segrun": 1, "source": "in", "options": {}}\n{"began": 1.0, "files": 100000, "done": 0}\n')
        for k in range(100_000):
            file.write(json.dumps({"id": f"{k:032x}", "name": f"{k // 1000}/{k}.jpg", **line}) + "\n")
    with at_most(3):
        record, whole = read_record(path)
    assert (record.files, record.all.frames, whole) == (100_000, 100_000, path.stat().st_size)


@pytest.mark.parametrize("name", ["out/", "out", "f/%05d.png"])
def test_a_job_of_one_file_gives_one_file(name: str, pictures: Path, tmp_path: Path, job: RunJob) -> None:
    said = "a job of one file gives one file; name it, like out"
    refusal(OptionError, job, pictures / "a.png", f"{tmp_path}/{name}", match=said, is_resumed=True)


@pytest.mark.parametrize("words", [{"segment_s": 0.5}, {"segment_s": 1e6}])
def test_segments_of_no_sensible_length(words: dict[str, Any], pictures: Path, tmp_path: Path, job: RunJob) -> None:
    refusal(OptionError, job, pictures, tmp_path / "out", match="expected seconds from 1 to 86400, like 30", **words)


def test_a_job_that_replaces_goes_on_where_it_replaced(
    pictures: Path, tmp_path: Path, job: RunJob, flickering: Flickering
) -> None:
    def after_two(progress: Any) -> None:
        if progress.finished == 2:
            raise KeyboardInterrupt

    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.png").write_text("mine")
    assert job(pictures, tmp_path / "out", overwrite=True, watch=after_two).exit_code == 130
    seen = flickering.seen
    assert job(pictures, tmp_path / "out", overwrite=True, is_resumed=True).exit_code == 0
    assert flickering.seen - seen <= 4


def test_of_many_notes_and_failures_the_first_are_said_and_the_rest_counted(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{k}.dng: is a raw photograph" for k in range(25)]
    progress = Progress.of(Record(run={"files": 25}), 0.0)
    report(Summary(progress=progress, notes=lines, errors=lines[:21]), "out", as_json=False)
    said = [line.removeprefix("segrun: ") for line in capsys.readouterr().err.splitlines()]
    assert said == [
        *lines[:20],
        "and 5 more notes; --json prints them all",
        *lines[:20],
        "and 1 more failed; segrun status out --json names them all",
    ]
