"""The pages say what benchmarks/results says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.places import ROOT
from tests.scripts import load_script

from segbench.results.file import write_results


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return load_script("../readme_tables.py")


def test_pages_show_the_results_that_are_kept(tables: Any) -> None:
    texts = [page.read_text("utf-8") for page in tables.PAGES]
    assert [tables.with_tables(text) for text in texts] == texts
    for name in tables.TABLES:
        assert f"<!-- table {name} -->" in "".join(texts)


def test_another_number_on_a_page_is_noticed(tables: Any) -> None:
    text = (ROOT / "docs" / "measured.md").read_text("utf-8")
    row = tables.models_table().splitlines()[2]
    assert tables.with_tables(text.replace(row, row.replace("float32", "float64"))) == text


def test_accuracy_of_another_file_is_not_put_beside_the_latency(
    tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tables.RESULTS, tmp_path / "results")
    name = "mobile_unet_int8.tflite"
    path = tmp_path / "results" / "accuracy" / f"{name}.json"
    found = json.loads(path.read_text())
    found["model"]["sha256"] = "0" * 64
    write_results(path, found)
    monkeypatch.setattr(tables, "RESULTS", tmp_path / "results")
    with pytest.raises(SystemExit, match=f"{name}: latency and accuracy are of two files"):
        tables.models_table()


def test_table_that_nobody_makes_is_refused(tables: Any) -> None:
    with pytest.raises(KeyError, match="nonsense"):
        tables.with_tables("<!-- table nonsense -->\n<!-- end -->")


def test_results_that_are_kept_name_no_place_of_the_machine_that_made_them() -> None:
    for path in (ROOT / "benchmarks" / "results").rglob("*.json"):
        text = path.read_text()
        assert '"/' not in text, path
