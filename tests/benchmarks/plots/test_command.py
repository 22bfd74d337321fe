"""`segbench plot`, `segbench --plot`, `segbench accuracy -o`: what they write, and one line for what they refuse."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests import messages
from tests.benchmarks.made_results import with_digest
from tests.refusals import refusal, refused, run_segbench

import segbench.commands.latency
import segruntime
from segbench.errors import ResultsError
from segbench.frames.drawn import drawn_frame
from segbench.results.accuracy import read_accuracy
from segbench.results.file import format_of, write_results
from segbench.results.sustained import read_sustained
from segruntime.errors import install_command

Made = dict[str, Any]
TINY = ["--runs", "3", "--seconds", "0", "--warmup-runs", "0", "--warmup-seconds", "0", "--processes", "1"]


@pytest.fixture
def files(tmp_path: Path, small_result: Made, small_accuracy: Made, small_sustained: Made) -> dict[str, Path]:
    """One results file of each kind."""
    made = {"latency": small_result, "accuracy": small_accuracy, "sustained": small_sustained}
    paths = {name: tmp_path / f"{name}.json" for name in made}
    for name, result in made.items():
        write_results(paths[name], result)
    return paths


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two drawn people, and masks that call the left half a person."""
    images, masks = tmp_path / "images", tmp_path / "masks"
    for folder in (images, masks):
        folder.mkdir()
    for seed, name in enumerate(("a", "b")):
        mask = np.zeros((48, 64), np.uint8)
        mask[:, :32] = 255
        cv2.imwrite(str(images / f"{name}.png"), drawn_frame(64, 48, seed))
        cv2.imwrite(str(masks / f"{name}.png"), mask)
    return images, masks


def test_everything_that_the_files_allow_is_written_and_listed(files: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "plots"
    result = run_segbench("plot", *files.values(), "-o", output, "--format", "svg,PNG")
    assert result.exit_code == 0, result.output
    kinds = ("distribution", "stages", "medians", "pareto", "sustained")
    expected = [output / f"{kind}{suffix}" for kind in kinds for suffix in (".svg", ".png")]
    assert [line.partition(": ")[0] for line in result.stdout.splitlines()] == [str(path) for path in expected]
    assert set(output.iterdir()) == set(expected)
    assert f"{output / 'pareto.svg'}: latency.json, accuracy.json" in result.stdout
    assert result.stderr == ""


def test_second_of_a_kind_has_a_number_and_a_second_run_replaces(files: dict[str, Path], tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    result = json.loads(files["latency"].read_text())
    write_results(again, {**result, "measured_at": "2026-11-26T00:00:00+00:00"})
    output = tmp_path / "plots"
    output.mkdir()
    (output / "stages-2.png").write_text("old")
    done = run_segbench("plot", files["latency"], again, "-o", output)
    assert done.exit_code == 0, done.output
    assert sorted(path.stem for path in output.iterdir()) == [
        *("distribution", "distribution-2", "medians", "medians-2", "stages", "stages-2")
    ]
    assert cv2.imread(str(output / "stages-2.png")) is not None


def test_whole_alone_has_no_stages(tmp_path: Path, small_result: Made) -> None:
    (one,) = small_result["configurations"]
    for part in (one["stages"], one["stability"], *(process["values_ms"] for process in one["processes"])):
        del part["invoke"]
    write_results(tmp_path / "a.json", small_result)
    assert run_segbench("plot", tmp_path / "a.json", "-o", tmp_path / "plots").exit_code == 0
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["distribution.png"]


def test_configuration_without_accuracy_is_named(files: dict[str, Path], tmp_path: Path, small_accuracy: Made) -> None:
    write_results(tmp_path / "other.json", {**small_accuracy, "preset": "fast"})
    result = run_segbench("plot", files["latency"], tmp_path / "other.json", "-o", tmp_path / "plots")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "segbench: no accuracy for portrait_int8.tflite",
        "segbench: no latency for what other.json measured",
    ]
    assert not (tmp_path / "plots" / "pareto.png").exists()


def test_accuracy_alone_is_no_plot(files: dict[str, Path], tmp_path: Path) -> None:
    message = refused(run_segbench("plot", files["accuracy"], "-o", tmp_path / "plots"))
    assert "give the latency of the same files too" in message
    assert not (tmp_path / "plots").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("{", messages.NO_JSON),
        (
            "[]",
            "has no format, expected one of segedge.segbench, segedge.segbench.accuracy, segedge.segbench.sustained",
        ),
        (
            '{"format": "segedge.segbench.video"}',
            "has format 'segedge.segbench.video', expected one of segedge.segbench,",
        ),
        (
            '{"format": "segedge.segbench.sustained", "version": 2}',
            "has version 2, this segbench knows 1; update segedge",
        ),
        ('{"format": "segedge.segbench.accuracy", "version": 1}', "has no digest"),
    ],
)
@pytest.mark.parametrize("command", ["plot", "report"])
def test_file_that_cannot_be_used_gives_one_line(tmp_path: Path, command: str, content: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    output = tmp_path / "out"
    assert message in refused(run_segbench(command, path, "-o", output))
    assert not output.exists()


@pytest.mark.parametrize("command", ["plot", "report"])
def test_edited_and_cut_files_and_the_same_twice_give_one_line(
    files: dict[str, Path], tmp_path: Path, command: str
) -> None:
    copied = tmp_path / "copy.json"
    copied.write_text(json.dumps(json.loads(files["latency"].read_text())))  # other bytes, the same result
    output = tmp_path / "out"
    assert f"copy.json: holds the same result as {files['latency']}; leave one of them out" in refused(
        run_segbench(command, files["latency"], copied, "-o", output)
    )
    for name, path in files.items():
        path.write_text(path.read_text().replace("A Processor", "A Faster One"))
        assert f"{name}.json: {messages.EDITED}" in refused(run_segbench(command, path, "-o", output))
        path.write_text(path.read_text()[:-40])
        assert f"{name}.json: {messages.NO_JSON}" in refused(run_segbench(command, path, "-o", output))
    assert not output.exists()


@pytest.mark.parametrize("command", ["plot", "report"])
def test_missing_matplotlib_names_the_extra(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = refused(run_segbench(command, files["latency"], "-o", tmp_path / "out"))
    assert f"needs matplotlib, which is not installed: {install_command('bench')}" in message


def test_output_that_is_no_folder_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    before = files["latency"].read_bytes()
    assert "it is a file, expected a folder" in refused(run_segbench("plot", files["latency"], "-o", files["latency"]))
    assert files["latency"].read_bytes() == before
    assert "No such file or directory" in refused(
        run_segbench("plot", files["latency"], "-o", tmp_path / "gone" / "plots")
    )
    (tmp_path / "plots" / "stages.png").mkdir(parents=True)
    assert messages.A_FOLDER_HAS_IT in refused(run_segbench("plot", files["latency"], "-o", tmp_path / "plots"))
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["stages.png"]  # nothing was written before


def test_unknown_format_names_the_known_ones_and_no_output_is_a_usage_error(files: dict[str, Path]) -> None:
    assert "format: got 'gif', expected some of png, svg, pdf" in refused(
        run_segbench("plot", files["latency"], "-o", "plots", "--format", "png,gif")
    )
    assert run_segbench("plot", files["latency"]).exit_code == 2
    assert run_segbench("plot", "-o", "plots").exit_code == 2


def test_latency_command_draws_what_it_measured(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    result = run_segbench(*TINY, "--size", "32x32", "--plot", path, "--json")
    assert result.exit_code == 0, result.output
    assert segruntime.load().path.name in path.read_text("utf-8")


def test_plot_that_cannot_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segbench.commands.latency, "run_latency", lambda *_: pytest.fail("it measured"))
    assert "plot: got a.txt" in refused(run_segbench("--plot", "a.txt"))
    assert messages.GONE_IS_NO_FOLDER in refused(run_segbench("--plot", tmp_path / "gone" / "a.png"))
    assert run_segbench("--plot", "a.png", "sustained").exit_code == 2


def test_accuracy_is_written_with_its_digest_and_read_back(folders: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "accuracy.json"
    result = run_segbench("accuracy", "--images", folders[0], "--masks", folders[1], "--json", "-o", path)
    assert result.exit_code == 0, result.output
    read = read_accuracy(path)
    written = json.loads(path.read_text())
    assert written == json.loads(result.stdout)
    assert json.loads(json.dumps(read.to_json())) == written
    assert read.header.segbench_version == segruntime.__version__
    assert run_segbench("accuracy", "--images", folders[0], "--masks", folders[1], "-o", path).exit_code == 0
    assert read_accuracy(path).summary == read.summary


def test_digest_of_the_pictures_is_that_of_pictures_and_masks(folders: tuple[Path, Path]) -> None:
    def digest() -> str:
        result = run_segbench("accuracy", "--images", folders[0], "--masks", folders[1], "--json")
        return str(json.loads(result.stdout)["pictures_sha256"])

    first = digest()
    assert digest() == first
    cv2.imwrite(str(folders[1] / "b.png"), np.full((48, 64), 255, np.uint8))
    second = digest()
    cv2.imwrite(str(folders[0] / "b.png"), drawn_frame(64, 48, 9))
    assert len({first, second, digest()}) == 3


def test_accuracy_file_is_refused_before_anything_is_measured(folders: tuple[Path, Path], tmp_path: Path) -> None:
    images, masks = folders
    assert messages.GONE_IS_NO_FOLDER in refused(
        run_segbench("accuracy", "--images", images, "--masks", masks, "-o", tmp_path / "gone" / "a.json")
    )


@pytest.mark.parametrize(
    ("name", "reader", "edit", "message"),
    [
        ("accuracy", read_accuracy, lambda r: r.pop("pictures_sha256"), "pictures_sha256 is missing"),
        ("accuracy", read_accuracy, lambda r: r["model"].pop("backend"), "model.backend is missing"),
        ("accuracy", read_accuracy, lambda r: r.update(each=[]), "each is [], expected a list of 1"),
        (
            "accuracy",
            read_accuracy,
            lambda r: r["summary"]["iou"].update(mean=1.5),
            "summary.iou.mean is 1.5, expected a number from 0 to 1",
        ),
        ("sustained", read_sustained, lambda r: r.update(minutes=[]), "minutes is [], expected a list"),
        (
            "sustained",
            read_sustained,
            lambda r: r["minutes"][1].update(throttled="no"),
            "minutes[1].throttled is 'no', expected true or false",
        ),
        ("sustained", read_sustained, lambda r: r.pop("frame"), "frame is missing"),
    ],
)
def test_field_that_is_missing_or_wrong_is_named(
    files: dict[str, Path], name: str, reader: Callable[[Path], Any], edit: Callable[[Made], Any], message: str
) -> None:
    result = json.loads(files[name].read_text())
    reader(files[name])
    edited = copy.deepcopy(result)
    edit(edited)
    files[name].write_text(json.dumps(with_digest(edited)))
    assert message in refusal(ResultsError, reader, files[name])


def test_sustained_result_that_the_command_wrote_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    assert run_segbench("sustained", "--minutes", 0.001, "--size", "32x32", "--json", "-o", path).exit_code == 0
    assert read_sustained(path).minutes[0].n > 0
    assert format_of(path) == "segedge.segbench.sustained"
