"""The whole page, from the report, the pictures and what a run of the files showed; reads and writes nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segexport.compare.rows import FileRow
from segexport.report.page.budget import budget_section
from segexport.report.page.doctor import doctor_section
from segexport.report.page.files import files_section
from segexport.report.page.heading import heading
from segexport.report.page.histogram import histogram_section
from segexport.report.page.lenient import brief, mapping
from segexport.report.page.markup import Html, joined, tag
from segexport.report.page.noise import noise_section
from segexport.report.page.origin import origin_section
from segexport.report.page.pictures import pictures_section
from segexport.report.page.rewrites import rewrites_section
from segexport.report.page.section import Section
from segexport.report.page.views import Evidence, PictureView

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = Path(__file__).with_name("style.css")


def build_page(
    body: Mapping[str, Any],
    rows: Sequence[FileRow],
    views: Sequence[PictureView],
    evidence: Evidence | None = None,
) -> str:
    """A report as HTML.

    Args:
        body: what `report.json` holds; every key of it may be absent.
        rows: its files.
        views: pictures with the files' masks, in the order in which they are shown.
        evidence: what a run of the files showed; without it there is neither histogram nor contract.
    """
    found = evidence or Evidence()
    sections = _sections(body, rows, views, found)
    page = tag(
        "body",
        tag("a", "Skip to the files", href="#files", class_="skip"),
        tag("main", heading(body, rows, found), _contents(sections), *(section.to_html() for section in sections)),
        tag("footer", tag("p", "Made by segexport. This page asks nothing of any other file or machine.")),
    )
    return f"<!DOCTYPE html>\n{tag('html', _head(body), page, lang='en')}\n"


def _sections(
    body: Mapping[str, Any], rows: Sequence[FileRow], views: Sequence[PictureView], evidence: Evidence
) -> list[Section]:
    sections = (
        files_section(rows, body),
        pictures_section(rows, views, evidence),
        histogram_section(rows, evidence),
        noise_section(body),
        budget_section(body),
        doctor_section(body),
        rewrites_section(body),
        origin_section(body, evidence),
    )
    return [section for section in sections if section is not None]


def _contents(sections: Sequence[Section]) -> Html:
    links = (tag("li", tag("a", section.title, href=f"#{section.key}")) for section in sections)
    return tag("nav", tag("ul", joined(links)), aria_label="Contents")


def _head(body: Mapping[str, Any]) -> Html:
    name = brief(mapping(body.get("source")).get("checkpoint")) or "a checkpoint"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", f"Export report: {name}"),
        tag("link", rel="icon", href="data:,"),
        tag("style", Html(_STYLE.read_text("utf-8"))),
    )
