"""`segbench export`: rows and cells of a small result worked out by hand, and names that are no markup and no formula."""

from __future__ import annotations

import copy
import csv
import io
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests import messages
from tests.benchmarks.made_results import as_latency
from tests.refusals import refused, run_segbench

from segbench.results.export import markdown, stages_csv, values_csv
from segbench.results.file import write_results

export = partial(run_segbench, "export")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


@pytest.fixture
def path(tmp_path: Path, small_result: dict[str, Any]) -> Path:
    path = tmp_path / "results.json"
    write_results(path, small_result)
    return path


def test_csv_has_a_row_for_each_stage(small_result: dict[str, Any]) -> None:
    invoke, whole = rows(stages_csv(as_latency(small_result)))
    assert (invoke["stage"], whole["stage"]) == ("invoke", "whole")
    assert (invoke["configuration"], invoke["model"], invoke["precision"]) == (*["portrait_int8.tflite"] * 2, "int8")
    assert (invoke["n"], invoke["p50_ms"], invoke["min_ms"], invoke["max_ms"]) == ("3", "5.0", "4.0", "6.0")
    assert (whole["p50_ms"], whole["verdict"], whole["threads"], whole["preset"]) == ("10.0", "too few values", "2", "")
    assert (whole["width"], whole["height"], whole["cpu"]) == ("640", "480", "A Processor")


def test_values_have_a_row_each_in_the_order_of_measuring(small_result: dict[str, Any]) -> None:
    found = [
        (one["process"], one["round"], one["stage"], one["value_ms"])
        for one in rows(values_csv(as_latency(small_result)))
    ]
    assert found == [
        ("0", "0", "invoke", "4.0"),
        ("0", "1", "invoke", "6.0"),
        ("0", "0", "whole", "9.0"),
        ("0", "1", "whole", "11.0"),
        ("1", "0", "invoke", "5.0"),
        ("1", "0", "whole", "10.0"),
    ]


def test_markdown_has_a_line_for_each_configuration_and_one_for_its_stages(small_result: dict[str, Any]) -> None:
    lines = markdown(as_latency(small_result)).splitlines()
    assert lines[0].startswith("A Processor, 2 cores, 8.0 GB, Linux; segbench 0.1.0, 2026-11-25")
    tables = [line for line in lines if line.startswith("|")]
    whole = dict(zip(cells(tables[0]), cells(tables[2]), strict=True))
    assert whole["configuration"] == "portrait_int8.tflite"
    assert (whole["p50, ms"], whole["n"], whole["frames/s"]) == ("10.00", "3", "100")
    assert (whole["over baseline, MB"], whole["file, MB"], whole["preset"]) == ("40", "2.00", "none")
    assert whole["how steady"].startswith("too few values: 3")
    assert dict(zip(cells(tables[3]), cells(tables[5]), strict=True)) == {
        "configuration": "portrait_int8.tflite",
        "invoke": "5.00",
        "whole": "10.00",
    }


def test_stage_that_one_configuration_lacks_is_a_dash(small_result: dict[str, Any]) -> None:
    first = small_result["configurations"][0]
    second = {**copy.deepcopy(first), "name": "b"}
    for stages in (second["stages"], second["stability"], *(one["values_ms"] for one in second["processes"])):
        del stages["invoke"]
    small_result["configurations"].append(second)
    assert markdown(as_latency(small_result)).splitlines()[-1] == "| b | – | 10.00 |"


def test_markdown_says_what_int8_can_use_and_that_it_was_interrupted(small_result: dict[str, Any]) -> None:
    small_result["machine"]["int8_flags"] = ["avx2", "avx512_vnni"]
    small_result["interrupted"] = True
    line = markdown(as_latency(small_result)).splitlines()[0]
    assert ", avx2 avx512_vnni, 8.0 GB" in line
    assert line.endswith(", interrupted.")


@pytest.mark.parametrize("name", ["a | b", "<img src=x>", "a\n\n# b", "[x](y)", "`rm`", "&lt;", "_x_"])
def test_name_from_a_file_is_no_markup(small_result: dict[str, Any], name: str) -> None:
    plain = len(markdown(as_latency(small_result)).splitlines())
    small_result["configurations"][0]["name"] = name
    text = markdown(as_latency(small_result))
    assert len(text.splitlines()) == plain
    assert "<img" not in text
    assert "&lt;" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in table[:3]}) == 1
    for sign in "[`#|_":
        assert sign not in name or f"\\{sign}" in table[2]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1"])
def test_name_from_a_file_is_no_formula(small_result: dict[str, Any], name: str) -> None:
    small_result["configurations"][0]["name"] = name
    for text in (stages_csv(as_latency(small_result)), values_csv(as_latency(small_result))):
        assert rows(text)[0]["configuration"] == f"'{name}"


def test_command_writes_files_and_standard_output(tmp_path: Path, path: Path, small_result: dict[str, Any]) -> None:
    stages, values = tmp_path / "stages.csv", tmp_path / "values.csv"
    result = export(path, "--csv", stages, "--values", values, "--markdown")
    assert result.exit_code == 0, result.output
    assert stages.read_text() == stages_csv(as_latency(small_result))
    assert values.read_text() == values_csv(as_latency(small_result))
    assert result.stdout == markdown(as_latency(small_result))
    assert export(path, "--csv", "-").stdout == stages_csv(as_latency(small_result))


def test_nothing_asked_for_is_a_usage_error(path: Path) -> None:
    result = export(path)
    assert result.exit_code == 2
    assert "give --csv FILE, --values FILE or --markdown" in result.stderr


def test_file_that_cannot_be_used_gives_one_line(tmp_path: Path, path: Path) -> None:
    edited = tmp_path / "edited.json"
    edited.write_text(path.read_text().replace("A Processor", "A Faster One"))
    for arguments, message in (
        ([tmp_path / "gone.json", "--markdown"], "gone.json: cannot be read"),
        ([edited, "--markdown"], f"edited.json: {messages.EDITED}"),
        ([path, "--csv", tmp_path / "gone" / "a.csv"], messages.GONE_IS_NO_FOLDER),
    ):
        assert message in refused(export(*arguments))
