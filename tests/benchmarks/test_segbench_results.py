"""Results files: what is written comes back, and whatever is not whole, ours and unedited is refused in one line."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segbench.errors import OutputError, ResultsError
from segbench.results.latency import FORMAT, VERSION, configuration_key, read_results, with_digest, write_results
from segbench.results.output_file import check_output

Edit = Callable[[dict[str, Any]], Any]


def refused(path: Path) -> str:
    """What reading it says, in one line that begins with the path."""
    with pytest.raises(ResultsError) as caught:
        read_results(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_what_is_written_comes_back(tmp_path: Path, small_result: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    write_results(path, small_result)
    read = read_results(path)
    assert read.pop("digest")
    assert read == small_result
    assert list(tmp_path.iterdir()) == [path]


def test_the_digest_is_that_of_sorted_json_without_whitespace() -> None:
    expected = hashlib.sha256(b'{"a":"\\u00fc","b":[0.1,1]}').hexdigest()
    assert with_digest({"b": [0.1, 1], "a": "ü", "digest": "of before"})["digest"] == expected


def test_layout_of_the_file_is_no_edit(tmp_path: Path, small_result: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(with_digest(small_result), sort_keys=True))
    assert read_results(path)["format"] == FORMAT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe\x00", "is no text"),
        (b"{", "is no JSON that segbench writes"),
        (b"[" * 100_000, "is no JSON that segbench writes (nested deeper than 64)"),
        (b'{"version": NaN}', "NaN is not a number here"),
        (b'{"version": 1e999}', "is no JSON that segbench writes"),
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
    assert "was edited after it was written" in refused(path)


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
        (lambda r: r.pop("machine"), "the file: lacks the field 'machine'"),
        (lambda r: r.update(machine=[]), "machine: got [], expected an object"),
        (lambda r: r.update(configurations=[]), "configurations: got [], expected a list of at least 1"),
        (lambda r: r.update(interrupted=1), "interrupted: got 1, expected true or false"),
        (configuration(lambda c: c.pop("preset")), "configurations[0]: lacks the field 'preset'"),
        (configuration(lambda c: c.update(threads=True)), "configurations[0].threads: got True"),
        (configuration(lambda c: c.update(threads=-1)), "configurations[0].threads: got -1"),
        (configuration(lambda c: c.update(processes=[])), "configurations[0].processes: got [], expected a list"),
        (
            configuration(lambda c: c["processes"][1]["values_ms"].update(invoke=[])),
            "configurations[0].processes[1].values_ms.invoke: got [], expected a list of at least 1",
        ),
        (
            configuration(lambda c: c["processes"][0]["values_ms"]["whole"].append("fast")),
            "configurations[0].processes[0].values_ms.whole[2]: got 'fast', expected a number from 0",
        ),
        (
            configuration(lambda c: c["processes"][0]["values_ms"]["whole"].append(10**400)),
            "configurations[0].processes[0].values_ms.whole[2]: got 1000",
        ),
        (configuration(lambda c: c["stages"].update(sleep={})), "configurations[0].stages: got 'sleep'"),
        (configuration(lambda c: c["stages"]["whole"].update(p50_ms=-1)), "stages.whole.p50_ms: got -1"),
        (configuration(lambda c: c["stages"].pop("whole")), "configurations[0].stages: lacks 'whole'"),
        (configuration(lambda c: c["stability"].pop("invoke")), "name different stages"),
        (configuration(lambda c: c["processes"][1]["values_ms"].pop("invoke")), "name different stages"),
    ],
)
def test_field_that_is_missing_or_wrong_is_named(
    tmp_path: Path, small_result: dict[str, Any], edit: Edit, message: str
) -> None:
    edit(small_result)
    path = tmp_path / "a.json"
    write_results(path, small_result)
    assert message in refused(path)


def test_fields_that_came_later_do_no_harm(tmp_path: Path, small_result: dict[str, Any]) -> None:
    small_result["note"] = "by hand"
    path = tmp_path / "a.json"
    write_results(path, small_result)
    assert read_results(path)["note"] == "by hand"


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
    key, changed = configuration_key(one), configuration_key(other)
    assert [name for name in key._fields if getattr(key, name) != getattr(changed, name)] == [axis]


def test_key_does_not_hold_what_was_measured(small_result: dict[str, Any]) -> None:
    one = small_result["configurations"][0]
    again = {**one, "name": "b", "library_version": "3", "processes": [], "frames_per_second": 1.0}
    assert configuration_key(one) == configuration_key(again)
    assert {configuration_key(one): 1}


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
    with pytest.raises(OutputError, match="gone is no folder"):
        check_output(tmp_path / "gone" / "a.json")
    with pytest.raises(OutputError, match="a folder has that name"):
        check_output(tmp_path)
    with pytest.raises(OutputError, match="no ordinary file has that name"):
        check_output(Path("/dev/null"))


def test_link_is_followed_and_not_replaced(tmp_path: Path, small_result: dict[str, Any]) -> None:
    link, target = tmp_path / "link.json", tmp_path / "target.json"
    link.symlink_to(target)
    write_results(link, small_result)
    assert link.is_symlink()
    assert read_results(target)["version"] == VERSION
