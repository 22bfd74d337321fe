"""Plots: axes, outlines and labels worked out by hand, the same bytes each time, and names that are no markup."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from tests import messages
from tests.benchmarks.made_results import as_latency, as_sustained
from tests.each_case import each_case

from segbench.errors import MissingExtraError, OptionError, OutputError
from segbench.plots import SUFFIXES, Plot, check_plot, distribution, medians, picture, stages, sustained
from segbench.plots.distribution import number
from segbench.plots.label_places import spots
from segbench.plots.medians import PARTS
from segbench.plots.outline import MOST_LANES, beyond, lanes, outline, ticks
from segbench.plots.palette import PAGE_NAMES, verdict_colour
from segbench.plots.scale import log_ticks, scale_for
from segbench.plots.stages import stages_of
from segbench.plots.words import label, shortened
from segbench.results.latency import STAGES

Made = dict[str, Any]
Make = Callable[..., Made]


def distribution_plot(result: Made) -> Plot:
    return distribution.distribution_plot(as_latency(result))


def stages_plot(result: Made) -> Plot:
    return stages.stages_plot(as_latency(result))


def medians_plot(result: Made) -> Plot:
    return medians.medians_plot(as_latency(result))


def sustained_plot(result: Made) -> Plot:
    return sustained.sustained_plot(as_sustained(result))


def texts(svg: bytes) -> list[str]:
    """What can be read in it."""
    root = ElementTree.fromstring(svg)  # noqa: S314
    return ["".join(one.itertext()) for one in root.iter() if one.tag.endswith("}text")]


def one(*values: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(values, np.float64)


def test_axis_of_one_narrow_configuration_does_not_begin_at_0_and_says_so() -> None:
    scale = scale_for([one(10, 10.2, 10.4)])
    assert 9.9 < scale.low < 10
    assert 10.4 < scale.high < 10.5
    assert (scale.is_log, scale.words) == (False, ", not from 0")


def test_axis_that_begins_at_0_says_nothing() -> None:
    scale = scale_for([one(2, 6, 10)])
    assert (scale.low, scale.is_log, scale.words) == (0, False, "")


def test_axis_is_logarithmic_where_medians_are_far_apart_and_says_so() -> None:
    assert scale_for([one(10, 10, 10), one(31, 31, 31)]).words == ", logarithmic"
    assert not scale_for([one(10, 10, 10), one(29, 29, 29)]).is_log


def test_one_far_value_does_not_squeeze_the_others_and_is_counted() -> None:
    values = one(*np.linspace(9, 11, 199), 500)
    scale = scale_for([values])
    assert scale.high < 30
    assert beyond(values, scale) == 1
    assert beyond(values[:-1], scale) == 0


def test_values_of_zero_have_an_axis() -> None:
    scale = scale_for([one(0, 0, 0)])
    assert 0 <= scale.low < scale.high
    assert np.isfinite(scale.drawn(one(0, 1e-5))).all()


def test_places_on_the_axis_are_shares_of_it() -> None:
    straight = scale_for([one(2, 6, 10)])
    assert straight.drawn(one(0, straight.high / 2, straight.high)) == pytest.approx([0, 0.5, 1])
    log = scale_for([one(1, 1, 1), one(100, 100, 100)])
    assert log.drawn(one(log.low, 10, log.high)) == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (3, 70, [5, 10, 20, 50]),
        (0.9, 110, [1, 2, 5, 10, 20, 50, 100]),
        (2.4, 9, [3, 4, 5, 7]),  # 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9 would be one too many
        (3, 8, [3, 3.5, 4, 5, 6, 7, 8]),
        (1e-5, 1e12, [1e-5, 1e-2, 1e1, 1e4, 1e7, 1e10]),
        (0.5, 2e6, [1, 10, 100, 1e3, 1e4, 1e5, 1e6]),
    ],
)
def test_ticks_of_a_logarithmic_axis_are_round_and_few(low: float, high: float, expected: list[float]) -> None:
    assert log_ticks(low, high) == pytest.approx(expected)


def test_two_modes_stay_two() -> None:
    values = one(*([10.0] * 60), *([10.1] * 40), *([20.0] * 50))
    scale = scale_for([values])
    across, up = outline([values], scale)
    assert (up[0], up[-1], up.max()) == (0, 0, 1)
    assert (np.diff(across) >= 0).all()
    between = up[(across > 11) & (across < 19)]
    assert (between == 0).all()
    assert up[across > 19].max() > 0.4


def test_outline_of_a_single_value_is_one_bar() -> None:
    _, up = outline([one(5)], scale_for([one(5)]))
    assert list(up) == [0, 1, 1, 0]


def test_processes_share_lines_where_there_are_many_and_none_is_lost() -> None:
    few = [one(k) for k in range(MOST_LANES)]
    assert len(lanes(few)) == MOST_LANES
    many = [one(k) for k in range(100)]
    shared = lanes(many)
    assert len(shared) == MOST_LANES
    assert list(np.concatenate(shared)) == list(range(100))


def test_values_at_one_place_are_one_tick_and_those_beyond_are_none() -> None:
    scale = scale_for([one(0, 50, 100)])
    assert list(ticks(one(100, 50, 50, 50.001, 1e6), scale)) == [50, 100]


def test_labels_break_after_commas_and_lose_their_middle() -> None:
    assert label("net.tflite") == "net.tflite"
    assert label("mobile_unet_int8.tflite, 2 threads, 640x480, fast") == (
        "mobile_unet_int8.tflite,\n2 threads, 640x480, fast"
    )
    long = label("a" * 40 + "b" * 60)
    assert [len(line) for line in long.split("\n")] == [34, 34]
    assert long.startswith("a" * 33 + "…\n")
    assert label("a\n\tb\x1b[1m\u202ec") == "a b?[1m?c"
    assert label("") == ""
    assert shortened("abcdefghij", 5) == "ab…ij"


def test_numbers_at_points_do_not_cover_one_another_or_a_point() -> None:
    points = [(100.0 + k, 100.0) for k in range(6)]
    placed = spots(points)
    everything = [*placed, *points]
    for k, (x, y) in enumerate(placed):
        others = [spot for j, spot in enumerate(everything) if j != k]
        assert all(abs(x - a) >= 14 or abs(y - b) >= 11 for a, b in others)


def test_numbers_are_short() -> None:
    assert [number(v) for v in (0.031, 9.999, 99.96, 123.44, 4567.8)] == ["0.03", "10.00", "99.96", "123.4", "4,568"]


def test_only_steady_values_are_blue_and_no_colour_is_used_twice() -> None:
    assert len({verdict_colour(name) for name in ("steady", "drifting", "too few values")}) == 3
    assert verdict_colour("noisy") == verdict_colour("drifting")
    assert len(set(PAGE_NAMES.values())) == len(PAGE_NAMES)


@pytest.fixture
def several(small_result: Made, make_configuration: Make) -> Made:
    """24 configurations of all stages, the last without most of them."""
    rng = np.random.default_rng(3)

    def values(middle: float) -> dict[str, list[float]]:
        return {stage: list(rng.normal(middle * (k + 1), middle / 10, 60)) for k, stage in enumerate(STAGES)}

    names = [f"net_{k}.tflite, {k} threads, 1280x720, balanced" for k in range(23)]
    made = [make_configuration(name, values(3 + k), values(3 + k)) for k, name in enumerate(names)]
    last = make_configuration("last", {"invoke": [4.0, 5.0], "whole": [7.0, 7.0]}, {"invoke": [4.0], "whole": [8.0]})
    return {**small_result, "configurations": [*made, last]}


MAKERS = (distribution_plot, stages_plot, medians_plot)


@pytest.mark.parametrize("make", MAKERS)
def test_24_configurations_are_all_there_in_a_file_of_bounded_size(several: Made, make: Callable[[Made], Plot]) -> None:
    plot = make(several)
    svg = picture(plot, ".svg")
    read = " ".join(texts(svg))
    for k in range(23):
        assert f"net_{k}.tflite," in read
    assert "last" in read
    assert len(svg) < 600_000
    assert plot.size[0] == 10


def test_distribution_says_percentiles_n_verdict_and_how_to_read_it(small_result: Made) -> None:
    read = texts(picture(distribution_plot(small_result), ".svg"))
    whole = small_result["configurations"][0]["stages"]["whole"]
    for expected in (
        "portrait_int8.tflite",
        "too few values",
        "p50",
        "p99",
        "n",
        "3",
        "10.00",
        f"{whole['p90_ms']:.2f}",
    ):
        assert expected in read
    assert any(text.startswith("frame → composite, ms") for text in read)
    assert any("a line for each process" in text for text in read)


def test_distribution_counts_what_lies_beyond_its_axis(small_result: Made, make_configuration: Make) -> None:
    values = {"whole": [*np.linspace(9, 11, 299), 400.0, 500.0]}
    small_result["configurations"] = [make_configuration("net", values)]
    read = texts(picture(distribution_plot(small_result), ".svg"))
    assert "▸ 2 of them beyond the axis" in read
    assert "500.0" in read  # the largest is told all the same


def test_many_processes_are_said_to_share_lines(small_result: Made, make_configuration: Make) -> None:
    small_result["configurations"] = [make_configuration("net", *[{"whole": [5.0, 6.0]}] * 60)]
    assert any("a line for some processes" in text for text in texts(picture(distribution_plot(small_result), ".svg")))


def test_stages_has_a_panel_for_each_stage_but_the_whole_and_a_dash_where_there_is_none(several: Made) -> None:
    assert stages_of(as_latency(several)) == list(STAGES[:-1])
    read = texts(picture(stages_plot(several), ".svg"))
    titles = [text for text in read if text.startswith(("decode, ms", "refine, ms", "frame → alpha, ms"))]
    assert len(titles) == 3
    assert read.count("–") == len(STAGES) - 2  # "last" has invoke and whole only
    assert not any(text.startswith("whole, ms") for text in read)


def test_medians_are_the_parts_and_the_whole_is_a_mark(small_result: Made, several: Made) -> None:
    read = texts(picture(medians_plot(several), ".svg"))
    assert {"preprocess", "invoke", "postprocess", "refine", "composite", "whole"} <= set(read)
    assert not {"decode", "alpha"} & set(PARTS)  # decode is no part of the whole, alpha is all of the others
    alone = texts(picture(medians_plot(small_result), ".svg"))
    assert "refine" not in alone


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("make", MAKERS)
def test_the_same_values_give_the_same_bytes(small_result: Made, make: Callable[[Made], Plot], suffix: str) -> None:
    import matplotlib

    first = picture(make(small_result), suffix)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert picture(make(copy.deepcopy(small_result)), suffix) == first
        assert matplotlib.rcParams["font.size"] == 30  # and the user's settings stay
    small_result["configurations"][0]["name"] = "another"
    assert picture(make(small_result), suffix) != first


@each_case(
    "name",
    ["</text></svg><script>x</script>", "a & \"b\" 'c'", "$\\frac{$", "a--><!--", ' d="1.23456"', "]]>", "", "木 🙂"],
)
@each_case("make", MAKERS)
def test_name_from_a_file_is_text_and_nothing_else(small_result: Made, make: Callable[[Made], Plot], name: str) -> None:
    small_result["configurations"][0]["name"] = name
    svg = picture(make(small_result), ".svg")
    assert label(name).strip() in [text.strip() for text in texts(svg)] or not name
    assert not [tag for tag in ElementTree.fromstring(svg).iter() if tag.tag.endswith("script")]  # noqa: S314
    assert picture(make(small_result), ".png")


@pytest.mark.parametrize("make", MAKERS)
def test_picture_is_no_empty_one_and_no_larger_than_matplotlib_allows(
    small_result: Made, make: Callable[[Made], Plot]
) -> None:
    drawn = cv2.imdecode(np.frombuffer(picture(make(small_result), ".png"), np.uint8), cv2.IMREAD_COLOR)
    assert drawn is not None
    assert drawn.shape[1] == 1200
    assert drawn.std() > 5


def test_height_of_a_picture_is_bounded() -> None:
    tall = Plot(kind="x", about="x", size=(1.0, 1000.0), draw=lambda figure: None)
    drawn = cv2.imdecode(np.frombuffer(picture(tall, ".png"), np.uint8), cv2.IMREAD_COLOR)
    assert drawn is not None
    assert drawn.shape[0] == 60_000


def test_sustained_tells_how_it_ended(small_sustained: Made) -> None:
    read = texts(picture(sustained_plot(small_sustained), ".svg"))
    assert "portrait_int8.tflite: its last minute takes 1.50 times as long as its first" in read


def test_what_cannot_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_plot(tmp_path / "a.SVG")
    with pytest.raises(OptionError, match=r"plot: got a\.txt, expected a file that ends in \.png, \.svg, \.pdf"):
        check_plot(Path("a.txt"))
    with pytest.raises(OptionError, match=messages.GONE_IS_NO_FOLDER):
        check_plot(tmp_path / "gone" / "a.png")
    (tmp_path / "b.png").mkdir()
    with pytest.raises(OutputError, match=messages.A_FOLDER_HAS_IT):
        check_plot(tmp_path / "b.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match="the plot needs matplotlib, which is not installed"):
        check_plot(tmp_path / "a.png")
