"""What may be compared with what, which verdict follows, and what the command says and how it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests import messages
from tests.benchmarks.made_results import as_latency, with_digest
from tests.refusals import refused, run_segbench

from segbench.compare import match, run
from segbench.compare.match import AXES
from segbench.compare.run import in_turn
from segbench.errors import ComparisonError
from segbench.results.file import write_results
from segbench.statistics.stability import stability
from segbench.statistics.summary import summarize

Made = dict[str, Any]
Maker = Callable[..., Made]


@pytest.fixture
def make(small_result: Made) -> Maker:
    """A result whose one configuration has a process for each of `medians`, and these `changes` to its fields."""

    def build(*medians: float, imports: float = 80.0, starts: list[float] | None = None, **changes: Any) -> Made:
        result = deepcopy(small_result)
        configuration = result["configurations"][0]
        (process, *_) = configuration["processes"]
        values = [[m * share for share in (0.99, 1.0, 1.0, 1.01)] for m in medians]
        stages = {"invoke": [[v / 2 for v in row] for row in values], "whole": values}
        configuration["processes"] = [
            {
                **process,
                "import_ms": imports * (1 + k / 1000),
                "values_ms": {name: rows[k] for name, rows in stages.items()},
            }
            for k in range(len(medians))
        ]
        for one, start in zip(configuration["processes"], starts or [], strict=False):
            one["started_at"] = start
        for name, rows in stages.items():
            configuration["stages"][name] = summarize([v for row in rows for v in row]).to_json()
            configuration["stability"][name] = stability(rows).to_json()
        configuration.update(changes)
        return with_digest(result)

    return build


def compare_results(a: Made, b: Made, **options: Any) -> Made:
    """As the command says it."""
    first = as_latency(a)
    found = run.compare_results(first, first if b is a else as_latency(b), **options)
    return dict(json.loads(json.dumps(found.to_json())))


def matched(a: Made, b: Made, axes: Collection[str] = ()) -> list[Any]:
    return match.matched(as_latency(a), as_latency(b), axes)


def with_machine(result: Made, **changes: Any) -> Made:
    return with_digest({**result, "machine": {**result["machine"], **changes}})


def both(a: Made, b: Made) -> Made:
    """One run that measured the configurations of both in turn."""
    return with_digest({**a, "configurations": [*a["configurations"], *b["configurations"]]})


def only(result: Made) -> Made:
    (comparison,) = result["comparisons"]
    return dict(comparison)


FIVE = 10.0, 10.1, 9.9, 10.05, 9.95
SLOWER = tuple(1.2 * v for v in FIVE)
BETWEEN = {"threads": 4}


def test_every_stage_has_ratio_interval_and_verdict(make: Maker) -> None:
    one = only(compare_results(make(*FIVE), make(*SLOWER)))
    assert list(one["stages"]) == ["invoke", "whole"]
    for stage in one["stages"].values():
        assert stage["ratio"] == pytest.approx(1.2)
        assert 1.1 < stage["low"] < 1.2 < stage["high"] < 1.3
        assert stage["verdict"] == "slower"
    assert (one["verdict"], one["processes"], one["paired"]) == ("slower", [5, 5], False)


def test_swapping_files_swaps_the_verdict(make: Maker) -> None:
    one = only(compare_results(make(*SLOWER), make(*FIVE)))
    assert one["verdict"] == "faster"
    assert one["stages"]["whole"]["ratio"] == pytest.approx(1 / 1.2)


def test_same_values_show_no_difference(make: Maker) -> None:
    assert only(compare_results(make(*FIVE), make(*reversed(FIVE))))["verdict"] == "no difference seen"


def test_two_processes_are_too_few_whatever_their_values(make: Maker) -> None:
    one = only(compare_results(make(10.0, 10.0), make(30.0, 30.0)))
    assert one["verdict"] == messages.TOO_FEW_PROCESSES
    assert (one["stages"]["whole"]["ratio"], one["stages"]["whole"]["low"]) == (pytest.approx(3), None)


def test_verdict_is_that_of_the_whole_not_of_a_stage(make: Maker) -> None:
    b = make(*FIVE)
    for process in b["configurations"][0]["processes"]:
        process["values_ms"]["invoke"] = [3 * v for v in process["values_ms"]["invoke"]]
    one = only(compare_results(make(*FIVE), with_digest(b)))
    assert one["stages"]["invoke"]["verdict"] == "slower"
    assert one["verdict"] == "no difference seen"


def test_machine_that_was_slower_at_importing_too_gives_no_verdict(make: Maker) -> None:
    one = only(compare_results(make(*FIVE), make(*SLOWER, imports=96.0)))
    assert one["verdict"] == "the machine changed"
    assert one["imports"]["ratio"] == pytest.approx(1.2)
    assert one["stages"]["whole"]["verdict"] == "slower"


def test_imports_say_nothing_about_another_machine(make: Maker) -> None:
    b = with_machine(make(*SLOWER, imports=96.0), cpu="Another")
    one = only(compare_results(make(*FIVE), b, axes=["machine"]))
    assert (one["verdict"], one["imports"]) == ("slower", None)


# rounds of a machine whose speed changes by a factor of four, B always 5 % above A
ROUNDS = 10.0, 40.0, 20.0, 10.0, 30.0, 20.0
ABOVE = tuple(1.05 * v for v in ROUNDS)
TURNS = [float(k) for k in range(0, 12, 2)]


def test_processes_that_ran_in_turn_are_compared_in_pairs(make: Maker) -> None:
    a, b = make(*ROUNDS, starts=TURNS), make(*ABOVE, starts=[start + 1 for start in TURNS])
    one = only(compare_results(a, b))
    assert (one["paired"], one["verdict"], one["warnings"]) == (True, "slower", [])


def test_processes_that_ran_one_after_the_other_are_not(make: Maker) -> None:
    a, b = make(*ROUNDS, starts=TURNS), make(*ABOVE, starts=[start + 60 for start in TURNS])
    one = only(compare_results(a, b))
    assert (one["paired"], one["verdict"]) == (False, "no difference seen")
    assert "one after the other" in one["warnings"][0]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0, 2, 4], [1, 3, 5], True),
        ([0, 3, 4], [1, 2, 5], True),  # in random order within the rounds
        ([0, 1, 2], [3, 4, 5], False),
        ([0, 1, 4], [2, 3, 5], False),
        ([0, 2], [1, 3, 5], False),
        ([0, None, 4], [1, 3, 5], False),
    ],
)
def test_in_turn_means_round_after_round(
    make: Maker, a: list[float | None], b: list[float | None], expected: bool
) -> None:
    (process,) = as_latency(make(10.0)).configurations[0].processes
    sides = [[replace(process, started_at=start) for start in starts] for starts in (a, b)]
    assert in_turn(*sides) is expected


def test_one_run_is_compared_with_itself_along_an_axis_and_in_pairs(make: Maker) -> None:
    run = both(make(*ROUNDS, name="2 threads"), make(*ABOVE, name="4 threads", **BETWEEN))
    one = only(compare_results(run, run, axes=["threads"]))
    assert (one["a"], one["b"], one["paired"], one["verdict"]) == ("2 threads", "4 threads", True, "slower")
    assert one["differences"] == ["threads 2 against 4"]


def test_run_that_ended_within_a_round_is_compared_by_its_whole_rounds(make: Maker) -> None:
    run = both(make(*ROUNDS), make(*ABOVE[:-1], **BETWEEN))
    one = only(compare_results(with_digest({**run, "interrupted": True}), run, axes=["threads"]))
    assert one["paired"] is False  # two files
    again = with_digest({**run, "interrupted": True})
    result = compare_results(again, again, axes=["threads"], names=("run.json", "run.json"))
    assert (only(result)["processes"], only(result)["paired"]) == ([5, 5], True)
    assert result["warnings"] == ["run.json was interrupted: it holds what was measured until then"]


def test_other_sides_of_an_axis_are_compared_with_the_first(make: Maker) -> None:
    sizes = [{"frame": {"width": w, "height": w, "source": "the drawn frame"}} for w in (64, 128, 256)]
    one, two, three = (make(*FIVE, **size) for size in sizes)
    run = both(both(one, two), three)
    compared = compare_results(run, run, axes=["size"])["comparisons"]
    assert [c["differences"] for c in compared] == [["size 64x64 against 128x128"], ["size 64x64 against 256x256"]]


def other_model(make: Maker, **changes: Any) -> Made:
    model = make(*FIVE)["configurations"][0]["model"]
    return {**model, "name": "other.onnx", "sha256": "cd" * 32, **changes}


@pytest.mark.parametrize(
    ("changes", "axis", "said"),
    [
        ({"threads": 4}, "threads", "threads 2 against 4"),
        ({"preset": "fast"}, "preset", "preset none against fast"),
        (
            {"frame": {"width": 1280, "height": 720, "source": "the drawn frame"}},
            "size",
            "size 640x480 against 1280x720",
        ),
        ({"backend": "onnx"}, "backend", "backend tflite against onnx"),
    ],
)
def test_what_differs_is_refused_until_its_axis_is_named(make: Maker, changes: Made, axis: str, said: str) -> None:
    a, b = make(*FIVE), make(*FIVE, **changes)
    with pytest.raises(ComparisonError, match=f"not the same: {said}; add --axis {axis} if that is meant"):
        matched(a, b)
    for wrong in set(AXES) - {axis, "machine"}:
        with pytest.raises(ComparisonError, match=rf"add --axis {axis} if|nothing differs in {wrong}"):
            matched(a, b, [wrong])
    assert only(compare_results(a, b, axes=[axis]))["differences"] == [said]


def test_another_model_is_refused_by_name_or_by_digest(make: Maker) -> None:
    a = make(*FIVE)
    with pytest.raises(ComparisonError, match=r"model portrait_int8.tflite against other.onnx; add --axis model"):
        matched(a, make(*FIVE, model=other_model(make)))
    same_name = other_model(make, name="portrait_int8.tflite")
    with pytest.raises(
        ComparisonError, match=r"portrait_int8.tflite \(abababab\) against portrait_int8.tflite \(cdcdcdcd\)"
    ):
        matched(a, make(*FIVE, model=same_name))


def test_axis_backend_lets_the_file_differ_but_not_its_precision(make: Maker) -> None:
    a, same = make(*FIVE), make(*FIVE, backend="onnx", model=other_model(make))
    assert len(matched(a, same, ["backend"])) == 1
    float32 = make(*FIVE, backend="onnx", model=other_model(make, precision="float32"))
    with pytest.raises(ComparisonError, match=r"precision: int8 against float32, .*; add --axis model if"):
        matched(a, float32, ["backend"])
    assert len(matched(a, float32, ["backend", "model"])) == 1
    run = both(a, float32)
    with pytest.raises(ComparisonError, match="precision: int8 against float32"):
        matched(run, run, ["backend"])


def test_stages_that_do_other_work_with_a_preset_are_not_compared(make: Maker) -> None:
    a, b = make(*FIVE), make(*FIVE, preset="fast")
    for result, stages in ((a, ["postprocess"]), (b, ["postprocess", "refine"])):
        configuration = result["configurations"][0]
        for stage in stages:
            for statistics in ("stages", "stability"):
                configuration[statistics][stage] = configuration[statistics]["invoke"]
            for process in configuration["processes"]:
                process["values_ms"][stage] = process["values_ms"]["invoke"]
    assert list(only(compare_results(a, b, axes=["preset"]))["stages"]) == ["invoke", "whole"]
    assert "postprocess" in only(compare_results(a, with_digest(deepcopy(a))))["stages"]


def test_another_input_is_refused_whatever_the_axes(make: Maker) -> None:
    b = make(*FIVE, frame={"width": 640, "height": 480, "source": "me.jpg"})
    for axes in ([], list(AXES)):
        with pytest.raises(
            ComparisonError, match=r"input the drawn frame against me\.jpg; measure both with the same --input"
        ):
            matched(make(*FIVE), b, axes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cpu": "Another"}, "cpu A Processor against Another"),
        ({"logical_cores": 8}, "logical_cores 4 against 8"),
        ({"int8_flags": ["avx2"]}, r"int8_flags none against \['avx2'\]"),
        ({"memory_bytes": 4_000_000_000}, "memory 8.0 GB against 4.0 GB"),
    ],
)
def test_another_machine_is_refused_until_that_is_meant(make: Maker, changes: Made, said: str) -> None:
    a, b = make(*FIVE), with_machine(make(*FIVE), **changes)
    with pytest.raises(ComparisonError, match=f"not the same machine: {said}; add --axis machine"):
        matched(a, b)
    (line,) = compare_results(a, b, axes=["machine"])["differences"]
    assert re.fullmatch(said, line)


def test_memory_that_the_kernel_took_is_no_other_machine(make: Maker) -> None:
    assert matched(make(*FIVE), with_machine(make(*FIVE), memory_bytes=7_900_000_000))


def test_another_pace_is_refused(make: Maker) -> None:
    b = make(*FIVE)
    paced = with_digest({**b, "settings": {**b["settings"], "rate": 30}})
    with pytest.raises(
        ComparisonError, match="as fast as it goes against 30 frames a second; measure both with the same --rate"
    ):
        matched(make(*FIVE), paced)


def test_versions_and_settings_that_differ_are_said_and_the_seed_is_not(make: Maker) -> None:
    a, b = make(*FIVE), make(*FIVE, library_version="2.3.0")
    a = with_machine(a, packages={"numpy": "1.26", "rich": "13"}, python="3.11")
    b = with_machine(b, packages={"numpy": "2.0", "rich": "13"}, python="3.12")
    b = with_digest({**b, "settings": {**b["settings"], "seed": 9, "runs": 60}})
    result = compare_results(a, b)
    assert result["differences"] == ["python 3.11 against 3.12", "numpy 1.26 against 2.0", "setting runs 50 against 60"]
    assert only(result)["differences"] == ["ai_edge_litert 2.1.0 against 2.3.0"]


def test_more_processes_than_segbench_starts_are_refused(make: Maker) -> None:
    b = make(*FIVE)
    b["configurations"][0]["processes"] *= 201
    with pytest.raises(ComparisonError, match="got 1005 of one configuration, expected at most 1000"):
        matched(make(*FIVE), b)


def test_configuration_without_partner_is_named(make: Maker) -> None:
    result = compare_results(make(*FIVE), both(make(*FIVE), make(*FIVE, name="4 threads", threads=4)))
    assert len(result["comparisons"]) == 1
    assert result["warnings"] == ["nothing to compare with: 4 threads"]


compare = partial(run_segbench, "compare")


@pytest.fixture
def files(tmp_path: Path, make: Maker) -> tuple[Path, Path]:
    """`a.json`, and `b.json`, which is 20 % slower."""
    paths = tmp_path / "a.json", tmp_path / "b.json"
    for path, medians in zip(paths, (FIVE, SLOWER), strict=True):
        write_results(path, make(*medians))
    return paths


def test_command_shows_each_stage_and_the_verdict_in_words(files: tuple[Path, Path]) -> None:
    result = compare(*files)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("slower") == 3  # two stages and the whole in words
    assert "B is slower: 1.200 (1." in result.stdout
    assert "5 and 5 processes" in result.stdout
    assert "98% interval" in result.stdout
    lines = [line for line in result.stdout.splitlines() if line.startswith(("┏", "┃", "┡", "│", "└"))]
    assert len(lines) == 6
    assert max(map(len, lines)) <= 100


def test_command_gives_json(files: tuple[Path, Path]) -> None:
    found = json.loads(compare(*files, "--json").stdout)
    assert (found["format"], found["version"], found["confidence"]) == ("segedge.segbench.comparison", 1, 0.98)
    assert found["comparisons"][0]["verdict"] == "slower"
    assert found["a"]["digest"] == json.loads(files[0].read_text())["digest"]


@pytest.mark.parametrize(("limit", "code"), [("5%", 1), ("0.05", 1), ("19.9%", 0), ("30%", 0), ("0", 1)])
def test_fail_above_goes_by_the_lower_end(files: tuple[Path, Path], limit: str, code: int) -> None:
    result = compare(*files, "--fail-above", limit)
    assert result.exit_code == code, result.output
    assert "B is slower" in result.stdout
    assert result.stderr.count("even at the lower end of the interval") == code


def test_fail_above_lets_what_is_faster_pass(files: tuple[Path, Path]) -> None:
    assert compare(*reversed(files), "--fail-above", "0%").exit_code == 0


def test_gate_that_cannot_tell_stays_shut(tmp_path: Path, make: Maker) -> None:
    path = tmp_path / "few.json"
    write_results(path, make(10.0, 10.0))
    assert compare(path, path).exit_code == 0
    result = compare(path, path, "--fail-above", "5%")
    assert result.exit_code == 1
    assert f"{messages.TOO_FEW_PROCESSES}, so nobody knows; measure again" in result.stderr


@pytest.mark.parametrize("limit", ["5 percent", "-1%", "nan", "101%", ""])
def test_share_that_is_none_is_a_usage_error(files: tuple[Path, Path], limit: str) -> None:
    result = compare(*files, "--fail-above", limit)
    assert result.exit_code == 2
    assert "expected 0% to 100%, like 5%" in result.stderr


def test_one_file_needs_an_axis(files: tuple[Path, Path]) -> None:
    result = compare(files[0])
    assert result.exit_code == 2
    assert "give a second file, or --axis" in result.stderr


def test_axis_along_which_nothing_differs_gives_one_line(files: tuple[Path, Path]) -> None:
    told = "segbench: nothing differs in threads, which --axis names; leave --axis out, or give other results"
    assert refused(compare(files[0], "--axis", "threads")) == told


def test_file_that_is_no_result_gives_one_line(files: tuple[Path, Path]) -> None:
    files[1].write_text(files[1].read_text().replace('"threads": 2', '"threads": 3'))
    assert "b.json: was edited" in refused(compare(*files))
