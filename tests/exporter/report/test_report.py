"""The report comes back as it was written, and a damaged one is refused, whatever was done to it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from tests import messages

from segexport.compare.rows import FileRow, read_report, write_report
from segexport.errors import OutputError

ROW = FileRow(
    name="a.onnx",
    precision="onnx",
    kept=True,
    size_bytes=3,
    sha256="0" * 64,
    pictures=2,
    max_difference=0.5,
    mean_difference=0.25,
    mask_iou=0.75,
    changed_pixels=0.125,
    boundary_f=1.0,
    worst_picture="b.png",
    worst_iou=0.5,
    bound={"max_difference": 1e-4, "mask_iou": None, "relative_to": None},
    bound_text="largest difference at most 0.0001",
    within_bound=False,
    invoke_p50_ms=1.5,
    float_layers=("one", "two"),
)


def written(folder: Path, **changes: Any) -> Path:
    write_report(folder / "report.json", {"files": [asdict(ROW)], "size": [1, 2], **changes})
    return folder


def test_a_report_comes_back(tmp_path: Path) -> None:
    body, rows = read_report(written(tmp_path))
    assert rows == [ROW]
    assert (body["format"], body["version"], body["size"]) == ("segedge.report", 1, [1, 2])


def test_numbers_that_are_none_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_report(tmp_path / "report.json", {"files": [asdict(replace(ROW, max_difference=float("nan")))]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, r"\(version is 2, expected 1\); export again"),
        ({"format": "other"}, "format is 'other', expected 'segedge.report'"),
        ({"files": None}, "files is None, expected a list"),
        ({"files": []}, None),
        ({"files": {}}, "files is {}, expected a list"),
        ({"files": [1]}, r"files\[0\] is of type int, expected an object"),
        ({"files": [{}]}, r"files\[0\]\.name is missing"),
    ],
)
def test_a_report_of_another_form_is_refused(tmp_path: Path, change: dict[str, Any], message: str | None) -> None:
    folder = written(tmp_path, **change)
    if message is None:
        assert read_report(folder)[1] == []
        return
    with pytest.raises(OutputError, match=rf"report\.json: {messages.NO_REPORT} .*{message}"):
        read_report(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 7),
        ("name", None),
        ("sha256", ["0"]),
        ("kept", "yes"),
        ("mask_iou", "high"),
        ("max_difference", None),
        ("size_bytes", 1.5),
        ("float_layers", None),
        ("bound", None),
        ("bound", {}),
        ("bound", {"max_difference": 1, "mask_iou": "0", "relative_to": None}),
        ("bound", {"max_difference": 1, "mask_iou": None, "relative_to": None, "more": 1}),
        ("unknown", 1),
    ],
)
def test_a_field_of_another_type_is_refused(tmp_path: Path, field: str, value: Any) -> None:
    write_report(tmp_path / "report.json", {"files": [{**asdict(ROW), field: value}]})
    with pytest.raises(OutputError, match=messages.NO_REPORT):
        read_report(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", "\x00", "[" * 100_000])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(OutputError, match=messages.NO_REPORT):
        read_report(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(OutputError, match=messages.NO_REPORT):
        read_report(tmp_path)


def test_report_on_disk_and_on_standard_output_are_one(exported: Any) -> None:
    stored = json.loads((exported.folder / "report.json").read_text())
    assert {key: value for key, value in stored.items() if key not in ("format", "version")} == exported.body
    assert stored["size"] == [32, 32]
    assert stored["pictures"]["calibrate"] == stored["pictures"]["measure"] == 20
    assert stored["command"][:2] == ["segexport", "tflite"]
    assert 0 < stored["largest_logit"] < 40
