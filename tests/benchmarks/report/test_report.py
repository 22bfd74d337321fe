"""`segbench report`: one page that asks nothing of anything, in which nothing from a file is markup."""

from __future__ import annotations

import copy
import re
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import messages
from tests.benchmarks.made_results import as_latency, as_result
from tests.pages import Outline
from tests.refusals import refused, run_segbench

import segbench.commands.report
from segbench.plots.sources import AnySource, Source, by_machine
from segbench.report import build_page
from segbench.report.comparison import compared_with_first
from segbench.report.warnings import find_warnings
from segbench.results.file import write_results
from segbench.results.latency import STAGES

Made = dict[str, Any]
Make = Callable[..., Made]


def source(name: str, result: Made) -> AnySource:
    return Source(path=Path(f"{name}.json"), result=as_result(result))


def page(**results: Made) -> Outline:
    return Outline(build_page([source(name, result) for name, result in results.items()]))


report = partial(run_segbench, "report")


@pytest.fixture
def run(small_result: Made, make_configuration: Make) -> Make:
    """A run of five rounds; each configuration takes `times` as long as the first, and has these `changes`."""

    def made(*configurations: tuple[str, float, Made]) -> Made:
        rounds = [[10.0 * (1 + k / 100) * (1 + j / 1000) for j in range(30)] for k in range(5)]
        found = []
        for name, times, changes in configurations:
            values = [[times * v for v in row] for row in rounds]
            stages = [{"invoke": [v / 2 for v in row], "whole": row} for row in values]
            model = {"sha256": f"{len(found):064d}"}
            one = make_configuration(name, *stages, **changes)
            one["model"].update(model)
            found.append(one)
        return {**small_result, "configurations": found}

    return made


def test_page_asks_nothing_of_any_other_file(small_result: Made, small_accuracy: Made, small_sustained: Made) -> None:
    found = page(a=small_result, b=small_accuracy, c=small_sustained)
    assert found.count["svg"] == 5
    assert not {"script", "img", "iframe", "object", "embed", "image", "form"} & found.count.keys()
    assert not [name for name in found.attributes if name.startswith("on") or name in ("src", "srcset", "action")]
    outward = [value for value in found.values("href", "xlink:href") if not value.startswith("#")]
    assert outward == ["data:,"]
    styles = found.values("style", "clip-path", "fill")
    assert not [value for value in styles if re.search(r"url\((?!#)|@import|https?:", value)]
    assert "default-src 'none'" in " ".join(found.values("content"))


def test_names_within_the_page_are_there_once_each(small_result: Made, small_accuracy: Made, run: Make) -> None:
    """Several drawings stand in one page, and each has its own names."""
    other = run(("net", 1.0, {}), ("other", 2.0, {}))
    found = page(a=small_result, b=other, c=small_accuracy)
    names = Counter(found.values("id"))
    assert max(names.values()) == 1
    inward = [value[1:] for value in found.values("href", "xlink:href") if value.startswith("#")]
    inward += re.findall(r"url\(#([^)]*)\)", " ".join(found.values("clip-path", "style")))
    inward += found.values("aria-labelledby")
    assert len(inward) > 20
    assert set(inward) <= set(names)


def test_numbers_of_the_results_stand_in_the_page(
    small_result: Made, small_accuracy: Made, small_sustained: Made
) -> None:
    small_result["machine"].update(
        int8_flags=["avx2", "avx512_vnni"], packages={"numpy": "1.2.3"}, governor="powersave"
    )
    read = page(a=small_result, b=small_accuracy, c=small_sustained).words
    for expected in (
        *("A Processor", "8.0 GB", "avx2, avx512_vnni", "powersave", "numpy 1.2.3"),
        *("portrait_int8.tflite", "int8, ai_edge_litert 2.1.0, 2 threads, 640x480, no preset"),
        *("10.00", "100", "94.00", "2.00", "too few values", "90.00"),
        *("its last minute takes 1.50 times as long as its first", "this machine has no thermometer"),
        *("ab" * 32, "seed 7", "rate none", "warnings"),
    ):
        assert expected in read, expected


def test_plots_take_their_colours_from_the_page(small_result: Made) -> None:
    """So that they turn dark with it: no colour of a plot is written down in it."""
    html = build_page([source("a", small_result)])
    drawn = html[html.index("<figure>") :]
    assert "var(--ink)" in drawn
    assert not re.search(r'(?:fill|stroke|style)="[^"]*#[0-9a-f]{6}', drawn)
    assert "DejaVu" not in drawn
    assert drawn.count("<style") == 0


@pytest.mark.parametrize(
    "name",
    [
        "</title></style></svg><script>x</script>",
        '" onload="x',
        "a\x00\u202eb",
        "&lt;b&gt;",
        "$\\frac{",
        "W" * 4000,
        "",
    ],
)
def test_nothing_from_a_file_is_markup(
    name: str, small_result: Made, small_accuracy: Made, small_sustained: Made
) -> None:
    plain = page(a=small_result, b=small_accuracy, c=small_sustained)
    for result in (small_result, small_accuracy, small_sustained):
        result["machine"] = {**result["machine"], "cpu": name, "system": name, "packages": {name or "x": name}}
    small_result["settings"] = {**small_result["settings"], name: name, "nested": {"a": 1}, "list": [name, None]}
    small_result["measured_at"] = name
    one = small_result["configurations"][0]
    for each in (one, small_sustained):
        each.update(library=name, library_version=name)
        each["model"] = {**each["model"], "name": name, "precision": name, "architecture": name}
    one.update(name=name, preset=None)
    one["processes"][0]["warnings"] = [name]
    small_accuracy["model"] = {**small_accuracy["model"], "name": name}
    small_accuracy["each"][0]["picture"] = name
    small_sustained["warnings"] = [name]
    found = page(a=small_result, b=small_accuracy, c=small_sustained)
    assert found.count["script"] == 0
    assert not [key for key in found.attributes if key.startswith("on")]
    assert found.count["svg"] == plain.count["svg"]
    if name:
        shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in name)
        assert "".join(shown.split())[:20] in "".join(page(a=small_result).words.split())


def test_machines_have_sections_of_their_own_and_share_no_ratio(run: Make) -> None:
    here, there = run(("net", 1.0, {}), ("other", 2.0, {})), run(("net", 5.0, {}))
    there["machine"] = {**there["machine"], "cpu": "A Board"}
    found = page(here=here, there=there)
    assert [value for value in found.values("id") if re.fullmatch(r"machine-\d", value)] == [
        "machine-1",
        "machine-2",
    ]
    assert "3 configurations on 2 machines" in found.words
    assert found.words.count("Compared with net") == 1
    assert "5.000" not in found.words  # 50 ms over 10 ms


def test_a_run_is_compared_with_its_first(run: Make) -> None:
    result = run(("first", 1.0, {}), ("same", 1.0, {}), ("slow", 1.3, {"threads": 1}), ("fast", 0.5, {}))
    (beside,), left_out = compared_with_first(as_latency(result))
    assert (beside.first, beside.confidence, left_out) == ("first", 0.98, [])
    assert [(one.b, one.verdict) for one in beside.comparisons] == [
        ("same", "no difference seen"),
        ("slow", "slower"),
        ("fast", "faster"),
    ]
    assert [one.whole.ratio for one in beside.comparisons] == pytest.approx([1, 1.3, 0.5])
    assert all(one.paired for one in beside.comparisons)
    read = page(a=result).words
    for expected in ("Compared with first", "1.300", "slower", "0.500", "faster", "no difference seen"):
        assert expected in read


def test_frames_of_different_sizes_are_not_compared(run: Make) -> None:
    def large(width: int) -> Made:
        return {"frame": {"width": width, "height": 720, "source": "the drawn frame"}}

    result = run(("a", 1.0, large(1280)), ("b", 1.0, large(640)), ("c", 2.0, large(1280)))
    (beside,), _ = compared_with_first(as_latency(result))
    assert (beside.first, beside.frame, [one.b for one in beside.comparisons]) == ("a", "1280x720", ["c"])
    alone = run(("a", 1.0, large(1280)), ("b", 1.0, large(640)))
    assert compared_with_first(as_latency(alone)) == ([], [])
    assert "Compared with" not in page(a=alone).words


def test_two_processes_are_too_few_to_tell(small_result: Made) -> None:
    (one,) = small_result["configurations"]
    small_result["configurations"].append({**one, "name": "b", "threads": 4})
    assert messages.TOO_FEW_PROCESSES in page(a=small_result).words


def test_accuracy_without_latency_has_a_page(small_accuracy: Made) -> None:
    other = {**copy.deepcopy(small_accuracy), "pictures_sha256": "01" * 32, "preset": "fast"}
    read = page(a=small_accuracy, b=other).words
    assert "the accuracy of 2 models on A Processor" in read
    assert "2 different sets of pictures, A to B: only results on the same set can be compared" in read
    assert "2 (B)" in read


def test_accuracy_of_another_machine_joins_and_is_no_section(small_result: Made, small_accuracy: Made) -> None:
    """Masks are the same wherever they are made; times are not."""
    small_accuracy["machine"] = {**small_accuracy["machine"], "cpu": "A Server"}
    found = page(a=small_result, b=small_accuracy)
    assert "1 configuration on A Processor" in found.words
    assert "Accuracy against latency" in found.words
    assert "machine-2" not in found.values("id")


def test_what_has_no_partner_is_named(small_result: Made, small_accuracy: Made) -> None:
    small_accuracy["preset"] = "fast"
    read = page(latency=small_result, accuracy=small_accuracy).words
    assert "no accuracy for portrait_int8.tflite" in read
    assert "no latency for what accuracy.json measured" in read
    assert "Accuracy against latency" not in read


def test_warnings_say_what_to_know(small_result: Made, small_sustained: Made) -> None:
    small_result["interrupted"] = True
    small_result["machine"]["load_average_1min"] = 3.5
    small_result["machine"]["sensors"] = {"after": {"throttled": True, "throttle_flags": ["under-voltage"]}}
    small_result["configurations"][0]["processes"][0]["warnings"] = ["4 threads on 2 cores"]
    small_sustained["interrupted"] = True
    small_sustained["minutes"][1]["throttled"] = True
    (bench,) = by_machine([source("a", small_result), source("b", small_sustained)])
    found = find_warnings(bench)
    for expected in (
        "a.json was interrupted: it holds what was measured until then.",
        "a.json: the machine was busy before it was measured, with a load of 3.50.",
        "a.json: 1 of 1 configuration has too few values; portrait_int8.tflite: 3, at least 20 are needed to tell; raise "
        "--runs or --seconds.",
        "a.json: 4 threads on 2 cores.",
        "a.json: the clock was held down when it had been measured: under-voltage.",
        "b.json was interrupted in minute 2.",
        "b.json: the clock was held down in 1 minute.",
        "b.json: this machine has no thermometer.",
    ):
        assert expected in found
    quiet = copy.deepcopy(small_sustained)
    quiet.update(interrupted=False, warnings=[])
    quiet["minutes"][1]["throttled"] = False
    (bench,) = by_machine([source("b", quiet)])
    assert find_warnings(bench) == []


def test_12_configurations_stay_well_below_2_mb(small_result: Made, make_configuration: Make) -> None:
    rng = np.random.default_rng(1)

    def values(middle: float) -> dict[str, list[float]]:
        return {stage: list(rng.gamma(9, middle / 9, 300)) for stage in STAGES}

    made = [make_configuration(f"net {k}", *[values(5 + k) for _ in range(5)], threads=k + 1) for k in range(12)]
    assert len(build_page([source("a", {**small_result, "configurations": made})])) < 1_000_000


def test_the_same_files_give_the_same_bytes(tmp_path: Path, small_result: Made, small_accuracy: Made) -> None:
    write_results(tmp_path / "a.json", small_result)
    write_results(tmp_path / "b.json", small_accuracy)
    outputs = [tmp_path / "1.html", tmp_path / "2.html"]
    for output in outputs:
        result = report(tmp_path / "a.json", tmp_path / "b.json", "-o", output)
        assert result.exit_code == 0, result.output
        assert result.stdout == f"{output}\n"
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    assert outputs[0].read_text("utf-8").startswith("<!DOCTYPE html>\n")


def test_default_is_report_html_and_an_old_one_is_replaced(
    tmp_path: Path, small_result: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_results(Path("a.json"), small_result)
    Path("report.html").write_text("old")
    assert report("a.json").stdout == "report.html\n"
    assert "Benchmark report" in Path("report.html").read_text("utf-8")


def test_results_are_not_overwritten_by_their_page(tmp_path: Path, small_result: Made) -> None:
    path, link = tmp_path / "a.json", tmp_path / "link.html"
    write_results(path, small_result)
    link.symlink_to(path)
    before = path.read_bytes()
    for output in (path, link):
        assert "it is one of the results" in refused(report(path, "-o", output))
    assert path.read_bytes() == before


def test_output_that_cannot_be_written_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    for output, message in (
        (tmp_path, messages.A_FOLDER_HAS_IT),
        (tmp_path / "gone" / "a.html", messages.GONE_IS_NO_FOLDER),
        (Path("/dev/null"), messages.NO_ORDINARY_FILE),
    ):
        assert message in refused(report(tmp_path / "none.json", "-o", output))


def test_ctrl_c_and_a_full_disk_leave_the_old_page(
    tmp_path: Path, small_result: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_results(tmp_path / "a.json", small_result)
    output = tmp_path / "report.html"
    output.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("segruntime.atomic_file.os.replace", full)
        assert "No space left on device" in refused(report(tmp_path / "a.json", "-o", output))

    def interrupted(_: object) -> str:
        signal.raise_signal(signal.SIGINT)
        return ""

    with monkeypatch.context() as patch:
        patch.setattr(segbench.commands.report, "build_page", interrupted)
        assert report(tmp_path / "a.json", "-o", output).exit_code == 1
    assert output.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "report.html"}
