"""What `make test-cpus` holds, with the OpenCV that is installed and the processor that is here: its switches, in children."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from children import Children, Row, run_tests
from compare import BOUNDS
from environments import installed
from outputs import network_masks
from settings import SWITCHED, Setting, in_use, probe, why_not_here
from tables import broken_bounds

INSTALLED = installed()
KINDS = ("outputs", "network")


@pytest.fixture(scope="module")
def children(tmp_path_factory: pytest.TempPathFactory) -> Children:
    return Children(KINDS, tmp_path_factory.mktemp("cpus"))


@pytest.fixture(scope="module")
def rows(children: Children) -> list[Row]:
    here = [setting for setting in SWITCHED if not why_not_here(setting, INSTALLED.features)]
    return [children.row(setting, INSTALLED, with_tests=False) for setting in here]


def test_what_the_runtime_makes_keeps_its_bounds_whatever_is_switched_off(rows: list[Row], children: Children) -> None:
    widest = {name: one for made in children.made.values() for name, one in made.widest().items()}
    assert broken_bounds(rows, widest) == []
    assert set(widest) == set(BOUNDS)


@pytest.mark.parametrize("setting", [one for one in SWITCHED if one.without], ids=lambda one: one.name)
def test_a_switch_takes_away_what_it_names(setting: Setting) -> None:
    left = probe(INSTALLED.python, setting.environment(INSTALLED.features))
    assert not set(left.opencv) & set(setting.without)
    assert left.opencv == tuple(name for name in INSTALLED.features.opencv if name not in setting.without)
    assert not any(name.startswith("AVX512") or name == "X86_V4" for name in left.numpy)


@pytest.mark.parametrize("name", ["AVX2", "SSE without IPP"])
def test_the_exactness_tests_pass(name: str) -> None:
    (setting,) = [one for one in SWITCHED if one.name == name]
    if why := why_not_here(setting, INSTALLED.features):
        pytest.skip(why)
    assert run_tests(setting, INSTALLED) == "passed"


def test_a_switch_that_opencv_does_not_take_is_said(tmp_path: Path) -> None:
    if not INSTALLED.features.opencv:
        pytest.skip("OpenCV dispatches nothing here")
    wrong = Setting(name="wrong", without=INSTALLED.features.opencv[-1:])
    unknown = type(INSTALLED)(
        python=INSTALLED.python, opencv=INSTALLED.opencv, numpy=INSTALLED.numpy
    )  # so nothing is named
    row = Children(("network",), tmp_path).row(wrong, unknown, with_tests=False)
    assert row.failed == (f"network: OpenCV did not take the switch, it uses {wrong.without[0]}",)


def test_the_masks_that_are_compared_hold_people() -> None:
    portraits = [mask for name, mask in network_masks() if "x" not in name.partition(": ")[2]]
    assert len(portraits) >= 2
    assert all(0.05 < mask.mean() < 0.9 for mask in portraits)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("SSE SSE2 SSE3 *SSE4.1 *AVX2? *AVX512-SKX?", ("SSE4.1",)),
        ("NEON FP16 *NEON_DOTPROD *NEON_FP16", ("NEON_DOTPROD", "NEON_FP16")),
        ("", ()),
    ],
)
def test_opencvs_line_of_features(line: str, names: tuple[str, ...]) -> None:
    assert in_use(line) == names
