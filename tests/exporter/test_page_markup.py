"""Nothing from outside becomes markup, and numbers are readable."""

from __future__ import annotations

import math
from typing import Any

import pytest

from segexport.report.page.figures import counted, difference, fixed, megabytes, percent, size_in_words
from segexport.report.page.lenient import brief, entries, mapping, number, words
from segexport.report.page.markup import Html, escaped, tag


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\" onload='x' &amp;", "&quot; onload=&#x27;x&#x27; &amp;amp;"),
        ("a\x00b\x1b[31m", "a\\x00b\\x1b[31m"),
        ("exe\u202egnp.", "exe\\u202egnp."),
        ("\ud800", "\\ud800"),
        ("Bäume 木 ✓", "Bäume 木 ✓"),
    ],
)
def test_text_is_escaped_and_the_invisible_made_visible(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert tag("td", text) == f"<td>{shown}</td>"
    assert tag("td", "", title=text) == f'<td title="{shown}"></td>'


def test_only_markup_of_our_own_is_taken_as_it_is() -> None:
    inner = tag("b", "1 < 2")
    assert isinstance(inner, Html)
    assert tag("p", inner, "&") == "<p><b>1 &lt; 2</b>&amp;</p>"
    assert tag("p", inner + "<i>") == "<p>&lt;b&gt;1 &amp;lt; 2&lt;/b&gt;&lt;i&gt;</p>", "a sum is a plain string again"


def test_attributes_keep_their_spelling_and_none_is_left_out() -> None:
    assert tag("img", alt="", stroke_width=2, class_="x", title=None) == '<img alt="" stroke-width="2" class="x">'


@pytest.mark.parametrize("value", [None, True, "1", [], math.nan, math.inf, 10**400, -(10**400)])
def test_what_is_no_finite_number_is_a_dash(value: Any) -> None:
    assert number(value) is None
    assert {fixed(value, 2), difference(value), megabytes(value), percent(value, 1)} == {"–"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.28022, "0.28"), (0.006533, "0.00653"), (9.3877e-06, "9.4×10⁻⁶"), (-4e-8, "-4.0×10⁻⁸"), (1, "1")],
)
def test_a_difference_has_three_digits_or_a_power_of_ten(value: float, shown: str) -> None:
    assert difference(value) == shown


def test_numbers_are_grouped_and_counted() -> None:
    assert fixed(5242880, 0) == "5,242,880"
    assert fixed(1e300, 1) == "1e+300"
    assert megabytes(526662) == "0.53"
    assert percent(0.00051910, 3) == "0.052 %"
    assert [counted(n, "file") for n in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


@pytest.mark.parametrize(
    ("size", "shown"),
    [([256, 320], "320 × 256"), ([1080, 1920], "1920 × 1080"), ([1], ""), ("ab", ""), (None, ""), ([1, "x"], "")],
)
def test_a_size_is_width_by_height(size: Any, shown: str) -> None:
    assert size_in_words(size) == shown


def test_a_long_text_loses_its_middle() -> None:
    assert brief("a" * 5000 + "b" * 5000, 11) == "aaaaa…bbbbb"
    assert len(brief("x" * 5000)) <= 160
    assert brief(10**5000) == "a number too large"
    assert [brief(value) for value in (None, True, [], {}, 3, 0.5)] == ["", "", "", "", "3", "0.5"]


@pytest.mark.parametrize("value", [None, 0, "text", True, 1.5, [1, None, [2]]])
def test_what_is_no_object_or_list_is_empty(value: Any) -> None:
    assert mapping(value) == {}
    assert entries(value) == []
    assert words(value) == []


def test_lists_are_cut_at_two_thousand() -> None:
    assert len(entries([{}] * 10**5)) == 2000
    assert len(words(["x"] * 10**5)) == 2000
