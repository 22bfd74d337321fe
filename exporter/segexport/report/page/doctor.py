"""What was found about the calibration pictures: the worst first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segexport.report.page.figures import NONE, difference, fixed, size_in_words, whole
from segexport.report.page.lenient import brief, entries, mapping, number
from segexport.report.page.markup import NOTHING, Html, joined, tag
from segexport.report.page.section import Section
from segexport.report.page.tables import facts

_LEVELS = {"warning": ("bad", "Warning"), "note": ("open", "Note"), "ok": ("good", "OK")}


def doctor_section(body: Mapping[str, Any]) -> Section | None:
    doctor = mapping(body.get("doctor"))
    if not doctor:
        return None
    content = joined((_findings(doctor), facts(_facts(doctor)), _stability(mapping(doctor.get("stability")))))
    return Section(
        key="calibration",
        title="The calibration pictures",
        lead="int8 takes its ranges from these pictures. Too few, or pictures unlike those that it will see, cost accuracy.",
        content=content,
    )


def _findings(doctor: Mapping[str, Any]) -> Html:
    order = list(_LEVELS)
    found = sorted(entries(doctor.get("findings")), key=lambda one: _rank(one.get("level"), order))
    return tag("ul", *(_finding(one) for one in found), class_="findings") if found else NOTHING


def _rank(level: object, order: list[str]) -> int:
    return order.index(level) if isinstance(level, str) and level in order else len(order)


def _finding(one: Mapping[str, Any]) -> Html:
    level = brief(one.get("level"), 20)
    kind, label = _LEVELS.get(level, ("open", level or "Unknown"))
    return tag("li", tag("b", label, class_=kind), tag("span", brief(one.get("text"), 2000)))


def _facts(doctor: Mapping[str, Any]) -> list[tuple[str, str]]:
    sizes, brightness = mapping(doctor.get("sizes")), mapping(doctor.get("brightness"))
    return [
        ("Folder", brief(doctor.get("folder"))),
        ("Pictures found", _known(whole(doctor.get("found")))),
        ("Usable", _known(whole(doctor.get("usable")))),
        ("Left out", _left_out(doctor)),
        ("Smallest", size_in_words(sizes.get("smallest"))),
        ("Median size", size_in_words(sizes.get("median"))),
        ("Largest", size_in_words(sizes.get("largest"))),
        ("Brightness", _known(difference(brightness.get("mean")))),
        ("Spread of brightness", _known(difference(brightness.get("spread")))),
    ]


def _left_out(doctor: Mapping[str, Any]) -> str:
    found, usable = number(doctor.get("found")), number(doctor.get("usable"))
    return "" if found is None or usable is None else whole(found - usable)


def _known(text: str) -> str:
    return "" if text == NONE else text


def _stability(stability: Mapping[str, Any]) -> Html:
    if not stability:
        return NOTHING
    halves = [
        ("IoU, first half", _known(fixed(stability.get("iou_first"), 4))),
        ("IoU, second half", _known(fixed(stability.get("iou_second"), 4))),
        ("IoU between the two", _known(fixed(stability.get("iou_between"), 4))),
        ("Difference, points", _known(fixed(stability.get("difference_points"), 2))),
    ]
    title = tag("h3", "Calibrated with one half, then with the other")
    return joined((title, tag("p", brief(stability.get("text"), 2000)), facts(halves)))
