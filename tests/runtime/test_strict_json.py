"""JSON from outside ends in a value or a ValueError, whatever the recursion limit of the process is."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.each_case import each_case

from segruntime.strict_json.parse import DEEPEST, parse_json


def test_brackets_in_texts_do_not_count_as_depth() -> None:
    text = "[" * 1000
    assert parse_json(f'{{"a\\"{text}": ["{text}\\\\", 1]}}') == {f'a"{text}': [f"{text}\\", 1]}


def test_the_deepest_text_is_read_and_one_level_more_is_not() -> None:
    assert parse_json("[" * DEEPEST + "]" * DEEPEST)
    with pytest.raises(ValueError, match=f"nested deeper than {DEEPEST}"):
        parse_json("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))


def test_a_deep_text_does_not_crash_a_process_with_a_raised_recursion_limit() -> None:
    openings = ["[", '{"a":', '[{"a":']
    program = (
        "import sys; sys.setrecursionlimit(10**6); from segruntime.strict_json import parse_json\n"
        f"for opening in {openings}:\n"
        " try: parse_json(opening * 100_000)\n except ValueError as error: print(opening, error, flush=True)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    said = [f"{opening} nested deeper than {DEEPEST}" for opening in openings]
    assert (ran.returncode, ran.stdout.splitlines()) == (0, said)


@each_case("text", ["", "{", '"', "[NaN]", "[Infinity]", '{"a": 1, "a": 2}', "[" * 100_000 + '"'])
def test_what_is_no_strict_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 the messages are the parser's own
        parse_json(text)
