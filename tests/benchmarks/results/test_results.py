"""Results files: what is written comes back, and whatever is not whole, ours and unedited is refused in one line."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests import messages
from tests.benchmarks.made_results import with_digest
from tests.refusals import refusal

from segbench.errors import OutputError, ResultsError
from segbench.results.file import digest_of, write_results
from segbench.results.latency import FORMAT, VERSION, Configuration, ConfigurationKey, read_latency
from segbench.results.output_file import check_output
from segruntime.strict_json import Fields

Edit = Callable[[dict[str, Any]], Any]


def refused(path: Path) -> str:
    return refusal(ResultsError, read_latency, path, starts=f"{path}: ")


def test_what_is_written_comes_back(tmp_path: Path, small_result: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    write_results(path, small_result)
    written = json.loads(path.read_text())
    assert written == with_digest(small_result)
    again = json.loads(json.dumps(read_latency(path).to_json()))
    none = {"usable_cores", "distribution", "int8_flags", "governor", "frequency_max_mhz", "python"}
    assert again["machine"] == {
        **small_result["machine"],
        **dict.fromkeys(none),
        "sensors": {"before": None, "after": None},
        "packages": {},
    }
    for one in again["configurations"][0]["processes"]:
        assert one.pop("started_at") is None
    assert again["settings"].pop("least_mask_iou") is None
    assert {**again, "machine": None} == {**written, "machine": None}
    assert list(tmp_path.iterdir()) == [path]


def test_the_digest_is_that_of_sorted_json_without_whitespace() -> None:
    expected = hashlib.sha256(b'{"a":"\\u00fc","b":[0.1,1]}').hexdigest()
    assert digest_of({"b": [0.1, 1], "a": "ü", "digest": "of before"}) == expected


def test_layout_of_the_file_is_no_edit(tmp_path: Path, small_result: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(with_digest(small_result), sort_keys=True))
    assert read_latency(path).header.format == FORMAT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe\x00", "is no text"),
        (b"{", messages.NO_JSON),
        (b"[" * 100_000, f"{messages.NO_JSON} (nested deeper than 64)"),
        (b'{"version": NaN}', f"NaN {messages.NO_NUMBER_HERE}"),
        (b'{"version": 1e999}', messages.NO_JSON),
        (b"[1]", "is JSON of another kind, expected format 'segedge.segbench', got 'list'"),
        (b"null", "is JSON of another kind"),
        (b'{"format": "segedge.segbench.accuracy"}', "got 'segedge.segbench.accuracy'"),
        (b'{"format": "segedge.segbench"}', "has version None, expected 2"),
        (b'{"format": "segedge.segbench", "version": true}', "has version True, expected 2"),
        (b'{"format": "segedge.segbench", "version": -1}', "has version -1, expected 2"),
        (b'{"format": "segedge.segbench", "version": 1}', "has version 1, which was replaced by 2; run segbench again"),
        (b'{"format": "segedge.segbench", "version": 3}', "has version 3, this segbench knows 2; update segedge"),
        (b'{"format": "segedge.segbench", "version": 2}', "has no digest"),
    ],
)
def test_file_that_is_none_of_ours_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert message in refused(path)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "gone.json")
    assert "is a folder" in refused(tmp_path)


def test_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(300 * 1024 * 1024)
    assert "has 314572800 bytes, expected at most 268435456" in refused(path)


def test_one_edited_value_is_noticed(tmp_path: Path, small_result: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    write_results(path, small_result)
    text = path.read_text()
    assert text.count("11.0") >= 1
    path.write_text(text.replace("11.0", "10.0", 1))
    assert messages.EDITED in refused(path)


def test_cut_file_is_refused_at_every_length(tmp_path: Path, small_result: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    write_results(path, small_result)
    data = path.read_bytes().rstrip()
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        refused(path)


def configuration(edit: Edit) -> Edit:
    return lambda result: edit(result["configurations"][0])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda r: r.pop("machine"), "machine is missing"),
        (lambda r: r.update(machine=[]), "machine is of type list, expected an object"),
        (
            lambda r: r["machine"].update(memory_bytes="8"),
            "machine.memory_bytes is '8', expected a whole number from 0",
        ),
        (
            lambda r: r["machine"].update(packages=["numpy"]),
            "machine.packages is ['numpy'], expected an object of texts",
        ),
        (lambda r: r["settings"].pop("warmup_runs"), "settings.warmup_runs is missing"),
        (lambda r: r["settings"].update(runs=0), "runs: got 0, expected a whole number from 1"),
        (lambda r: r.update(configurations=[]), "configurations is [], expected a list of 1"),
        (lambda r: r.update(interrupted=1), "interrupted is 1, expected true or false"),
        (configuration(lambda c: c.pop("preset")), "configurations[0].preset is missing"),
        (configuration(lambda c: c.update(threads=True)), "configurations[0].threads is True"),
        (configuration(lambda c: c.update(threads=-1)), "configurations[0].threads is -1"),
        (configuration(lambda c: c.update(processes=[])), "configurations[0].processes is [], expected a list"),
        (
            configuration(lambda c: c["processes"][1]["values_ms"].update(invoke=[])),
            "configurations[0].processes[1].values_ms.invoke is [], expected a list of at least 1",
        ),
        (
            configuration(lambda c: c["processes"][0]["values_ms"]["whole"].append("fast")),
            "configurations[0].processes[0].values_ms.whole is [9.0, 11.0, 'fast'], expected a list of numbers from 0",
        ),
        (
            configuration(lambda c: c["processes"][0]["values_ms"]["whole"].append(10**400)),
            "configurations[0].processes[0].values_ms.whole is [9.0, 11.0, 1000",
        ),
        (configuration(lambda c: c["stages"].update(sleep={})), "configurations[0].stages is {"),
        (configuration(lambda c: c["stages"]["whole"].update(p50_ms=-1)), "stages.whole.p50_ms is -1"),
        (configuration(lambda c: c["stages"]["whole"].update(p50_ms=1e305)), "stages.whole.p50_ms is 1e+305"),
        (configuration(lambda c: c["stages"].pop("whole")), "expected 'whole' among them"),
        (configuration(lambda c: c["stability"].pop("invoke")), "expected the same stages as in stability"),
        (configuration(lambda c: c["processes"][1]["values_ms"].pop("invoke")), "expected the same stages"),
    ],
)
def test_field_that_is_missing_or_wrong_is_named(
    tmp_path: Path, small_result: dict[str, Any], edit: Edit, message: str
) -> None:
    edit(small_result)
    path = tmp_path / "a.json"
    write_results(path, small_result)
    assert message in refused(path)


def key_of(one: dict[str, Any]) -> ConfigurationKey:
    return Configuration.from_json(Fields(one)).key


def test_fields_that_came_later_do_no_harm(tmp_path: Path, small_result: dict[str, Any]) -> None:
    small_result["note"] = "by hand"
    path = tmp_path / "a.json"
    write_results(path, small_result)
    assert not read_latency(path).interrupted


@pytest.mark.parametrize(
    ("axis", "edit"),
    [
        ("model", lambda c: c["model"].update(sha256="cd" * 32)),
        ("backend", lambda c: c.update(backend="onnx")),
        ("threads", lambda c: c.update(threads=4)),
        ("size", lambda c: c["frame"].update(width=1280)),
        ("size", lambda c: c["frame"].update(height=720)),
        ("source", lambda c: c["frame"].update(source="me.jpg")),
        ("preset", lambda c: c.update(preset="fast")),
    ],
)
def test_key_differs_in_what_was_changed_and_in_nothing_else(
    small_result: dict[str, Any], axis: str, edit: Edit
) -> None:
    one = small_result["configurations"][0]
    other = copy.deepcopy(one)
    edit(other)
    key, changed = key_of(one), key_of(other)
    assert [name for name in key._fields if getattr(key, name) != getattr(changed, name)] == [axis]


def test_key_does_not_hold_what_was_measured(small_result: dict[str, Any]) -> None:
    one = small_result["configurations"][0]
    again = {**one, "name": "b", "library_version": "3", "processes": one["processes"][:1], "frames_per_second": 1.0}
    assert key_of(one) == key_of(again)
    assert {key_of(one): 1}


def test_old_file_stays_where_the_new_one_cannot_be_written(
    tmp_path: Path, small_result: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("segruntime.atomic_file.os.replace", full)
    with pytest.raises(OutputError, match=r"a\.json: cannot be written \(No space left on device\); free some space"):
        write_results(path, small_result)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_value_that_is_no_number_is_never_written(tmp_path: Path, small_result: dict[str, Any]) -> None:
    small_result["configurations"][0]["frames_per_second"] = float("nan")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_results(tmp_path / "a.json", small_result)
    assert not list(tmp_path.iterdir())


def test_output_is_checked_before_anything_is_measured(tmp_path: Path) -> None:
    check_output(tmp_path / "new.json")
    with pytest.raises(OutputError, match=messages.GONE_IS_NO_FOLDER):
        check_output(tmp_path / "gone" / "a.json")
    with pytest.raises(OutputError, match=messages.A_FOLDER_HAS_IT):
        check_output(tmp_path)
    with pytest.raises(OutputError, match=messages.NO_ORDINARY_FILE):
        check_output(Path("/dev/null"))


def test_link_is_followed_and_not_replaced(tmp_path: Path, small_result: dict[str, Any]) -> None:
    link, target = tmp_path / "link.json", tmp_path / "target.json"
    link.symlink_to(target)
    write_results(link, small_result)
    assert link.is_symlink()
    assert read_latency(target).header.version == VERSION
