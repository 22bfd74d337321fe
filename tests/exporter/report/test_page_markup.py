"""Nothing from outside becomes markup, and numbers are readable."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError
from tests.each_case import each_case

from segexport.report.page.values import (
    brief,
    difference,
    entries,
    fixed,
    mapping,
    megabytes,
    number,
    percent,
    size_in_words,
    words,
)
from segruntime.errors import MissingExtraError, install_command
from segruntime.html_page.render import counted, render


def rendered(folder: Path, template: str, **values: Any) -> str:
    (folder / "page.html.jinja").write_text(template)
    return render(folder, (brief,), **values)


@each_case(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\" onload='x' &amp;", "&#34; onload=&#39;x&#39; &amp;amp;"),
        ("a\x00b\x1b[31m", "a\\x00b\\x1b[31m"),
        ("exe\u202egnp.", "exe\\u202egnp."),
        ("\ud800", "\\ud800"),
        ("Bäume 木 ✓", "Bäume 木 ✓"),
    ],
)
def test_text_is_escaped_and_the_invisible_made_visible(
    tmp_path_factory: pytest.TempPathFactory, text: str, shown: str
) -> None:
    page = rendered(tmp_path_factory.mktemp("page"), '<td title="{{ x }}">{{ x | brief }}</td>', x=text)
    assert page == f'<td title="{shown}">{shown}</td>'


def test_text_that_goes_through_a_macro_is_escaped_once(tmp_path: Path) -> None:
    imported = '{% from "macros.html.jinja" import named, table_of %}'
    template = imported + '{{ named("1 < 2", "&") }}{{ table_of("<", ["a"], [], [["<i>"]]) }}'
    page = rendered(tmp_path, template)
    assert "<span>1 &lt; 2<small>&amp;</small></span>" in page
    assert 'aria-label="&lt;"' in page
    assert "&lt;i&gt;</th>" in page


def test_a_value_that_python_does_not_give_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError, match="'x' is undefined"):
        rendered(tmp_path, "{{ x }}")


def test_terms_without_a_value_are_left_out(tmp_path: Path) -> None:
    template = '{% from "macros.html.jinja" import facts %}{{ facts(pairs) }}'
    assert rendered(tmp_path, template, pairs=[("a", ""), ("b", "–")]).strip() == ""
    page = rendered(tmp_path, template, pairs=[("a", ""), ("b", "1"), ("c", "2")])
    assert "".join(page.split("\n")) == "<dl><div><dt>b</dt><dd>1</dd></div><div><dt>c</dt><dd>2</dd></div></dl>"


def test_a_missing_jinja2_names_the_command_that_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match="the page needs jinja2, which is not installed") as refused:
        rendered(tmp_path, "")
    assert str(refused.value).endswith(install_command("report"))


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
    assert [percent(3, 0, of=whole) for whole in (12, 0, None)] == ["25 %", "–", "–"]
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
