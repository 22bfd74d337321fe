"""The page of `segbench report` in a real browser, where one is installed: silent, and no wider than a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.benchmarks.made_results import as_result
from tests.pages import browse, needs_browser, title_in_a_frame

from segbench.plots.sources import Source
from segbench.report import build_page

MEASURE = """
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument, plots = [...page.querySelectorAll("svg")];
  const drawn = plots.filter(plot => plot.getBoundingClientRect().height > 100 && plot.querySelectorAll("path").length > 5);
  const ink = plots.length && getComputedStyle(plots[0].querySelector("text")).fill;
  document.title = `wide ${page.documentElement.scrollWidth} drawn ${drawn.length} of ${plots.length} in ${ink}`;
});
"""
pytestmark = [pytest.mark.slow, needs_browser]


@pytest.fixture
def page(
    tmp_path: Path, small_result: dict[str, Any], small_accuracy: dict[str, Any], small_sustained: dict[str, Any]
) -> Path:
    (one,) = small_result["configurations"]
    small_result["configurations"] = [{**one, "name": "<script>throw 1</script>" + "W" * 3000}, {**one, "threads": 4}]
    results = (small_result, small_accuracy, small_sustained)
    sources = [Source(path=Path("a.json"), result=as_result(one)) for one in results]
    path = tmp_path / "report.html"
    path.write_text(build_page(sources), "utf-8")
    return path


def test_page_opens_from_disk_without_any_message_on_the_console(page: Path, tmp_path: Path) -> None:
    done = browse(page, tmp_path / "profile")
    assert "CONSOLE" not in done.stderr
    assert "&lt;script&gt;throw 1" in done.stdout


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_is_wider_than_the_window_and_every_plot_is_drawn_in_the_page_s_colours(
    page: Path, tmp_path: Path, width: int
) -> None:
    title = title_in_a_frame(page, tmp_path / "profile", width, MEASURE)
    assert title == f"wide {width} drawn 5 of 5 in rgb(92, 92, 86)"  # --soft
