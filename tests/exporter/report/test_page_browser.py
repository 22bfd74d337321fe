"""The page in a real browser, where one is installed: no error, no request, nothing wider than a phone."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from tests.pages import browse, needs_browser, title_in_a_frame

from segexport.compare.rows import FileRow
from segexport.report.page import Evidence, MaskView, PictureView, build_page
from segexport.report.page.histogram import spread
from segruntime.measures.agreement import agreement
from segruntime.strict_json import Fields

pytestmark = [pytest.mark.slow, needs_browser]
MEASURE = """
addEventListener("load", () => {
  const frame = document.querySelector("iframe").contentDocument;
  const page = frame.documentElement, wide = page.scrollWidth, broken = [...frame.images].filter(i => !i.naturalWidth).length;
  document.title = `wide ${wide} broken ${broken} images ${frame.images.length}`;
});
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every part of the page, with hostile names."""
    body = json.loads((Path(__file__).parents[1] / "golden" / "page_body.json").read_text("utf-8"))
    body["source"]["checkpoint"] = "<script>throw 1</script>" + "W" * 5000
    known = {field.name for field in fields(FileRow)}
    rows = [
        FileRow.from_json(Fields({key: value for key, value in row.items() if key in known})) for row in body["files"]
    ]
    ramp = np.linspace(0, 1, 1024, dtype=np.float32).reshape(32, 32)
    other = np.clip(ramp + np.float32(0.02), 0, 1)
    shown = MaskView(mask=other, agreement=agreement(ramp, other))
    view = PictureView(
        name="x" * 300,
        frame=np.full((32, 32, 3), 90, np.uint8),
        reference=ramp,
        masks={"float32": shown, "int8": shown},
    )
    evidence = Evidence(spreads={"int8": spread(ramp, other)}, pictures=1, contract_of="a", contract={"k": "v" * 500})
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(build_page(body, rows, [view] * 6, evidence), "utf-8")
    return path


def test_the_page_opens_from_disk_without_any_message_on_the_console(page: Path, tmp_path: Path) -> None:
    done = browse(page, tmp_path)
    assert "CONSOLE" not in done.stderr
    assert "<main>" in done.stdout
    assert "&lt;script&gt;throw 1" in done.stdout


def test_the_console_would_have_told(tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<script>console.error('told')</script>")
    assert "CONSOLE" in browse(bad, tmp_path / "profile").stderr


@pytest.mark.parametrize("width", [320, 390, 768, 1200])
def test_nothing_is_wider_than_the_window_and_every_picture_is_drawn(page: Path, tmp_path: Path, width: int) -> None:
    assert title_in_a_frame(page, tmp_path, width, MEASURE) == f"wide {width} broken 0 images 31"
