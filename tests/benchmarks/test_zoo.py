"""The zoo's bookkeeping, without its libraries: what is done is kept, and the tables say what was measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.places import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import zoo.measure
import zoo.run
from segbench.console import no_progress
from segbench.errors import ResultsError
from segbench.process.interrupt import Interrupt
from segbench.results.file import write_results
from zoo import make
from zoo.cli import main
from zoo.errors import ZooError
from zoo.make import Made
from zoo.measure import WAYS, _warned, measure
from zoo.networks import NETWORKS
from zoo.results import WAYS as NAMES
from zoo.results import ZooResult, read_zoo
from zoo.run import is_whole, run_zoo
from zoo.table import networks_table, notes, saved_table

FACTS = {"parameters": 3_720_000, "packages": {"transformers": "5.1"}, "person": 0.4, "largest_logit": 12.0}


def file(iou: float = 1.0, kept: bool = True, **elsewhere: int) -> dict[str, Any]:
    return {
        "max_difference": 3e-7,
        "mask_iou": iou,
        "invoke_p50_ms": 41.26,
        "size_bytes": 15_000_000,
        "kept": kept,
        "elsewhere": elsewhere,
    }


def cell(taken: str | None = "direct", refusal: str | None = None, **files: Any) -> dict[str, Any]:
    return {"seconds": 7.06, "taken": taken, "refused": {}, "refusal": refusal, "files": files}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was measured, `network way`; every network is there, every way gives one file."""
    done: list[str] = []

    def measured(made: Made, way: Any, interrupt: Interrupt) -> dict[str, Any]:
        done.append(f"{made.onnx.stem} {way.converter}")
        interrupt.asked = len(done) == 3
        return cell(way.converter, float32=file())

    def made(name: str, *_: object) -> Made:
        return Made(onnx=tmp_path / f"{name}.onnx", pt2=tmp_path / f"{name}.pt2", saved=tmp_path / name, facts=FACTS)

    monkeypatch.setattr(zoo.run, "FOLDER", tmp_path)
    monkeypatch.setattr(zoo.run, "KEPT", tmp_path / "results.json")
    monkeypatch.setattr(zoo.run, "make_pictures", lambda: tmp_path)
    monkeypatch.setattr(zoo.run, "make_network", made)
    monkeypatch.setattr(zoo.run, "measure", measured)
    return done


def go(names: tuple[str, ...], ways: tuple[str, ...], again: bool = False) -> ZooResult:
    return run_zoo(names, ways, again, lambda _: None, no_progress)


def test_run_goes_on_where_it_was_interrupted_and_does_nothing_twice(runs: list[str]) -> None:
    names, ways = ("segformer_b0", "unet_resnet18"), ("direct", "tf")
    first = go(names, ways)
    assert first.interrupted
    assert runs == ["segformer_b0 direct", "segformer_b0 tf", "unet_resnet18 direct"]
    second = go(names, ways)
    # what Ctrl-C ended says nothing of its network, and is done again
    assert runs[3:] == ["unet_resnet18 direct", "unet_resnet18 tf"]
    assert not second.interrupted
    assert [set(one["cells"]) for one in second.networks] == [set(ways)] * 2
    go(names, ways)
    assert len(runs) == 5
    go(names[:1], ways[:1], again=True)
    assert runs[5:] == ["segformer_b0 direct"]


def test_only_a_run_of_every_network_through_every_way_is_whole(runs: list[str]) -> None:
    runs += [""] * 3  # past the interrupt
    assert not is_whole(go(tuple(NETWORKS)[1:], NAMES))
    assert is_whole(go(tuple(NETWORKS), NAMES))


def test_network_that_cannot_be_made_is_a_row_with_its_reason(runs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *_: object) -> Made:
        raise ZooError(f"{name}: cannot be made (ImportError: no timm)")

    monkeypatch.setattr(zoo.run, "make_network", refuse)
    result = go(("unet_mit_b0",), ("direct",))
    assert runs == []
    assert result.networks[0]["failure"] == "cannot be made (ImportError: no timm)"
    assert "- smp Unet, mit_b0: was not made: cannot be made (ImportError: no timm)" in notes(result)


def test_tables_say_what_was_measured(runs: list[str]) -> None:
    result = go(("segformer_b0",), NAMES[:1])
    result.networks[0]["cells"] = {
        "direct": cell(float32=file(GATHER_ND=2)),
        "tf": cell(None, "none of 1 converters gives this network"),
        "saved": cell(float32=file(), int8=file(0.9832, RESIZE_BILINEAR=1)),
    }
    assert networks_table(result).splitlines()[2] == (
        "| transformers SegFormer, b0 | 3.7 M | 3e-07 · IoU 1.0000 · 7.1 s · 41 ms · 2 off | refused · 7 s | – |"
    )
    assert saved_table(result).splitlines()[2] == (
        "| transformers SegFormer, b0 | folder | direct | 7.1 | 3e-07 | 1.0000 | 41.3 | – | "
        "0.9832 | 1.68 | 41.3 | 1 RESIZE_BILINEAR |"
    )
    assert "- transformers SegFormer, b0, tf: none of 1 converters gives this network" in notes(result).splitlines()


def test_reasons_of_each_converter_are_told_in_place_of_the_line_that_points_to_them(runs: list[str]) -> None:
    result = go(("segformer_b0",), NAMES[:1])
    found = {**cell(None, "none of 2 converters, see above"), "refused": {"direct": "IoU 0.4", "tf": "tf.Erf"}}
    result.networks[0]["cells"] = {"saved": found}
    said = notes(result).splitlines()
    assert said[-2:] == [
        "- transformers SegFormer, b0, saved: direct: IoU 0.4",
        "- transformers SegFormer, b0, saved: tf: tf.Erf",
    ]


def test_converters_that_were_passed_over_are_read_from_the_warnings() -> None:
    words = "warning: calibration: few\nwarning: direct: IoU 0.4: wrong\nsegexport: none of 2 converters"
    assert _warned(words) == {"direct": "IoU 0.4: wrong"}


def test_int8_that_was_not_kept_is_no_number_alone(runs: list[str]) -> None:
    result = go(("segformer_b0",), NAMES[:1])
    result.networks[0]["cells"] = {"saved": cell(float32=file(), int8=file(0.52, kept=False))}
    assert "| 0.5200, refused | 48.00 |" in saved_table(result)


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        (("networks", 0, "cells", "tf"), {}, "tf.seconds is missing"),
        (("networks", 0, "cells", "other"), cell(), "cells is {.*'other'|expected an object with some of direct"),
        (("networks", 0, "cells", "saved", "files", "int8"), file(1.5), "a number from 0 to 1"),
    ],
)
def test_result_that_lacks_something_is_refused(
    runs: list[str], tmp_path: Path, place: tuple[Any, ...], value: Any, problem: str
) -> None:
    result = go(("segformer_b0",), ("saved",))
    written = result.to_json()
    inside: Any = written
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    write_results(tmp_path / "edited.json", written)
    with pytest.raises(ResultsError, match=problem):
        read_zoo(tmp_path / "edited.json")


def test_ways_of_the_command_are_those_that_a_result_may_have() -> None:
    assert tuple(WAYS) == NAMES


def test_report_of_the_command_gives_the_files_that_were_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"precision": name, "name": f"net.{name}", **file(kept=False)} for name in ("onnx", "float32", "int8")]
    report = json.dumps({"converter": "tf", "refused": {"direct": "IoU 0.4"}, "files": rows})
    monkeypatch.setattr(zoo.measure, "run_child", lambda *_: (report, "segexport: int8 is over its bound\n", 1))
    made = Made(onnx=tmp_path / "net.onnx", pt2=tmp_path / "net.pt2", saved=tmp_path / "net", facts=FACTS)
    with Interrupt() as interrupt:
        found = measure(made, WAYS["saved"], interrupt)
    assert {name: found[name] for name in ("taken", "refused", "refusal")} == {
        "taken": "tf",
        "refused": {"direct": "IoU 0.4"},
        "refusal": "int8 is over its bound",
    }
    assert found["files"] == {"float32": file(kept=False), "int8": file(kept=False)}


def test_what_was_saved_is_given_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(zoo.measure, "run_child", lambda command, _: (ran.append(command), ("", "", 0))[1])
    made = Made(onnx=tmp_path / "net.onnx", pt2=tmp_path / "net.pt2", saved=tmp_path / "net.ckpt", facts=FACTS)
    with Interrupt() as interrupt:
        for way in ("saved", "litert-torch"):
            measure(made, WAYS[way], interrupt)
    assert str(tmp_path / "net.ckpt") in ran[0]
    assert ran[0][-2:] == ["--max-iou-drop", "2"]
    assert str(tmp_path / "net.pt2") in ran[1]


def test_refusal_of_the_command_is_the_reason_without_paths(tmp_path: Path) -> None:
    made = Made(onnx=tmp_path / "missing.onnx", pt2=tmp_path / "missing.pt2", saved=tmp_path / "missing", facts=FACTS)
    with Interrupt() as interrupt:
        found = measure(made, WAYS["saved"], interrupt)
    assert (found["taken"], found["files"]) == (None, {})
    assert found["refusal"]
    assert str(tmp_path) not in found["refusal"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["resnet"], "zoo: resnet: no such network, expected some of unet_resnet18, "),
    ],
)
def test_wrong_word_is_one_line(words: list[str], reason: str) -> None:
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 1
    assert ran.stderr.startswith(reason)
    assert ran.stderr.count("\n") == 1


def test_half_made_network_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script.py"
    script.write_text(facts := "print('made')\nprint('{\"parameters\": 5}')\n")
    monkeypatch.setattr(make, "_SCRIPT", script)
    (tmp_path / "segformer_b0.onnx").write_bytes(b"half")
    (tmp_path / "segformer_b0").mkdir()
    with Interrupt() as interrupt:
        assert make.make_network("segformer_b0", interrupt, tmp_path).facts == {"parameters": 5}
        script.write_text(facts.replace("5", "6"))
        assert make.make_network("segformer_b0", interrupt, tmp_path).facts == {"parameters": 5}
        (tmp_path / "segformer_b0").rmdir()
        assert make.make_network("segformer_b0", interrupt, tmp_path).facts == {"parameters": 6}


def test_child_that_fails_is_named_by_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script.py"
    script.write_text("raise SystemExit('ImportError: no timm')\n")
    monkeypatch.setattr(make, "_SCRIPT", script)
    with (
        Interrupt() as interrupt,
        pytest.raises(ZooError, match=r"unet_mit_b0: cannot be made \(ImportError: no timm\)"),
    ):
        make.make_network("unet_mit_b0", interrupt, tmp_path)
