"""A part of the page under its heading."""

from __future__ import annotations

from dataclasses import dataclass

from segexport.report.page.markup import Html, tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """`key` is the anchor, `title` the heading; `lead` says in a sentence what is seen and how to read it."""

    key: str
    title: str
    lead: str
    content: Html

    def to_html(self) -> Html:
        heading = tag("h2", self.title, id=f"{self.key}-title")
        lead = tag("p", self.lead, class_="lead")
        return tag("section", heading, lead, self.content, id=self.key, aria_labelledby=f"{self.key}-title")
