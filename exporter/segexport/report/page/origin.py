"""Where the files come from, so that they can be made again: command, checkpoint, versions, contract."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from segexport.report.page.figures import fixed
from segexport.report.page.lenient import brief, mapping, number, words
from segexport.report.page.markup import NOTHING, Html, joined, tag
from segexport.report.page.section import Section
from segexport.report.page.tables import Column, facts, folded, table
from segexport.report.page.views import Evidence

_LONGEST_JSON = 100_000


def origin_section(body: Mapping[str, Any], evidence: Evidence) -> Section:
    source = mapping(body.get("source"))
    content = joined(
        (
            _command(body),
            facts(_facts(body, source)),
            _notes(source),
            _contract(evidence),
            _json("The recipe", body.get("recipe")),
            _tools(body),
        )
    )
    return Section(
        key="origin",
        title="How to make it again",
        lead="The checkpoint, the command, and the versions that made these files.",
        content=content,
    )


def _command(body: Mapping[str, Any]) -> Html:
    given = body.get("command")
    command = [word for word in given if isinstance(word, str)] if isinstance(given, list) else []
    if not command:
        return NOTHING
    line = " ".join(shlex.quote(word) for word in command[:200])
    return tag(
        "pre", tag("code", brief(line, 4000)), class_="command", tabindex="0", role="region", aria_label="Command"
    )


def _facts(body: Mapping[str, Any], source: Mapping[str, Any]) -> list[tuple[str, str]]:
    pictures = mapping(body.get("pictures"))
    seconds, logit = number(body.get("elapsed_s")), number(body.get("largest_logit"))
    calibrated = number(pictures.get("calibrate"))
    return [
        ("Checkpoint's SHA-256", brief(source.get("sha256"))),
        ("Preprocessing", brief(source.get("preprocessing"))),
        ("Mean", _triple(source.get("mean"))),
        ("Standard deviation", _triple(source.get("std"))),
        ("Colour order", brief(source.get("color"))),
        ("Pictures that calibrated", "" if calibrated is None else fixed(calibrated, 0)),
        ("Their SHA-256", brief(pictures.get("sha256"))),
        ("Largest logit", "" if logit is None else fixed(logit, 1)),
        ("Took", "" if seconds is None else fixed(seconds, 1, " s")),
    ]


def _triple(values: object) -> str:
    found = values if isinstance(values, (list, tuple)) else ()
    return ", ".join(brief(value, 20) for value in found[:4])


def _notes(source: Mapping[str, Any]) -> Html:
    notes = words(source.get("notes"))
    return tag("ul", *(tag("li", note) for note in notes)) if notes else NOTHING


def _contract(evidence: Evidence) -> Html:
    return _json(f"The contract of {brief(evidence.contract_of)}", evidence.contract)


def _json(summary: str, value: object) -> Html:
    if not isinstance(value, Mapping) or not value:
        return NOTHING
    text = brief(json.dumps(value, indent=2, ensure_ascii=False, default=str), _LONGEST_JSON)
    return folded(summary, tag("pre", tag("code", text), tabindex="0", role="region", aria_label=summary))


def _tools(body: Mapping[str, Any]) -> Html:
    tools = mapping(body.get("tools"))
    rows = [[brief(name), brief(version)] for name, version in list(tools.items())[:200]]
    if not rows:
        return NOTHING
    return folded(
        "Versions of the tools", table("Tools", (Column("Tool", words=True), Column("Version", words=True)), rows)
    )
