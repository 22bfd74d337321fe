"""`segbench profile`: rounds, onnxruntime's trace, what processes come to together, the command, and what it refuses."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests import messages
from tests.benchmarks.made_results import read_json
from tests.refusals import refused, run_segbench

import segbench.profile.combine as combined
import segbench.profile.run as profile_run
from segbench.errors import OptionError, ProfileError, WorkerError
from segbench.process.interrupt import Interrupt
from segbench.process.job import Effort, Job
from segbench.profile.clock import choose_clock
from segbench.profile.onnx_trace import TraceFile, parse_trace
from segbench.profile.part import MOST_ROUNDS, Taken
from segbench.profile.result import FORMAT, VERSION, Estimate, PartTime, ProfileResult
from segbench.profile.rounds import run_rounds
from segbench.profile.run import ProfileJob, run_profile
from segbench.profile.table import BELOW, coverage, print_profile
from segruntime.errors import install_command
from segruntime.segmenter import BUNDLED
from segruntime.strict_json import Fields

profile = partial(run_segbench, "profile")


def part(kind: str, values_ms: list[float], **changes: Any) -> dict[str, Any]:
    one = {"kind": kind, "name": kind.lower(), "shape": [1, 8], "place": "XNNPACK", "operators": 1}
    return {**one, "values_ms": values_ms, **changes}


def taken(*parts: dict[str, Any], whole_ms: list[float], **changes: Any) -> dict[str, Any]:
    rest = {"clock": "processor", "profiled_ms": None, "prefixes": [], "unpacking": 0, "warnings": []}
    return {"parts": list(parts), "whole_ms": whole_ms, **rest, **changes}


def combine(processes: list[dict[str, Any]], backend: str) -> dict[str, Any]:
    """As the result has it."""
    found = combined.combine([Taken.from_json(Fields(one)) for one in processes], backend)
    return dict(json.loads(json.dumps(found.to_json())))


def node(name: str, ts: int, dur: int, kind: str = "Conv", index: str = "0", **changes: Any) -> dict[str, Any]:
    arguments = {
        "op_name": kind,
        "provider": "CPUExecutionProvider",
        "node_index": index,
        "output_type_shape": [{"float": [1, 2, 4]}],
        **changes,
    }
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": dur, "args": arguments}


def run(ts: int, dur: int) -> dict[str, Any]:
    return {"cat": "Session", "name": "model_run", "ts": ts, "dur": dur, "args": {}}


def test_each_round_has_every_step_once_and_warm_up_is_thrown_away() -> None:
    calls: list[str] = []

    def step(name: str, seconds: Sequence[float]) -> Any:
        def one() -> Sequence[float]:
            calls.append(name)
            return seconds

        return one

    job = Job(effort=Effort(runs=4, seconds=0, warmup_runs=2, warmup_seconds=0))
    rows = run_rounds([step("a", [1.0]), step("b", [2.0, 3.0])], job, Interrupt())
    assert rows == [[[1.0], [2.0, 3.0]]] * 4
    assert [sorted(calls[k : k + 2]) for k in range(0, 12, 2)] == [["a", "b"]] * 6
    assert len({tuple(calls[k : k + 2]) for k in range(0, 12, 2)}) == 2  # now a first, now b


def test_rounds_end_at_500_and_before_three_there_are_none() -> None:
    interrupt, done = Interrupt(), [0]

    def one() -> Sequence[float]:
        done[0] += 1
        interrupt.asked = done[0] == 2
        return [0.0]

    job = Job(effort=Effort(runs=3, seconds=3600, warmup_runs=0, warmup_seconds=0))
    assert run_rounds([one], job, interrupt) == []
    assert len(run_rounds([lambda: [0.0]], job, Interrupt())) == MOST_ROUNDS


def test_one_thread_is_timed_by_the_processors_clock_and_two_by_the_walls() -> None:
    """A sleep takes no time of the processor."""
    one, two = choose_clock(1), choose_clock(2)
    assert two.name == "wall"
    start = one.now(), two.now()
    time.sleep(0.2)
    assert two.now() - start[1] >= 0.2
    if one.name == "processor":
        assert one.now() - start[0] < 0.1


def test_trace_gives_the_nodes_of_each_run_in_their_order() -> None:
    """Events come in any order; the time of a node belongs to the run that ends next."""
    events = [
        run(0, 100),
        node("b", 50, 30, "ReorderOutput_token"),
        node("a", 10, 20, index="1"),
        node("a", 210, 25, index="1"),
        node("b", 240, 31, "ReorderOutput_token"),
        run(200, 110),
        {"cat": "Session", "name": "session_initialization", "ts": 0, "dur": 5, "args": {}},
        {"cat": "Session", "name": "no duration", "ts": 3, "args": {}},
    ]
    trace = parse_trace(json.dumps(events))
    assert [(one.kind, one.name, one.shape, one.provider) for one in trace.nodes] == [
        ("Conv", "a", (1, 2, 4), "CPUExecutionProvider"),
        ("ReorderOutput_token", "b", (1, 2, 4), "CPUExecutionProvider"),
    ]
    assert trace.seconds == ((20e-6, 30e-6), (25e-6, 31e-6))


def test_number_that_a_session_gives_to_its_own_nodes_is_not_in_their_name() -> None:
    trace = parse_trace(json.dumps([node("ReorderOutput_token_56", 1, 2), run(0, 5)]))
    assert trace.nodes[0].name == "ReorderOutput"


def test_trace_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(ProfileError, match="cut off after 9 characters; is the disk full"):
        parse_trace('[{"cat": ')
    with pytest.raises(ProfileError, match="holds no run"):
        parse_trace("[]")
    with pytest.raises(ProfileError, match="other nodes in one run than in another"):
        parse_trace(json.dumps([node("a", 1, 2), run(0, 5), node("b", 11, 2), run(10, 5)]))


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a file that is open keeps its name")
def test_nothing_is_left_in_the_temporary_folder_while_onnxruntime_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file = TraceFile()
    with Path(f"{file.prefix}_now.json").open("w") as writer:
        file.hide()
        assert list(tmp_path.iterdir()) == []
        writer.write("late")
    assert file.read() == "late"
    file.close()


def test_no_folder_for_temporary_files_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    with pytest.raises(ProfileError, match=r"cannot be made.*set TMPDIR"):
        TraceFile()


def test_a_time_is_the_mean_of_the_processes_medians_with_half_a_95_percent_interval() -> None:
    """By hand: medians 2 and 4; standard error sqrt(2) / sqrt(2) = 1; t with one degree of freedom: 12.706."""
    found = combine(
        [
            taken(part("CONV_2D", [1, 2, 90]), part("RELU", [1, 1, 1]), whole_ms=[3, 3, 9]),
            taken(part("CONV_2D", [4, 4, 4]), part("RELU", [1, 1, 1]), whole_ms=[5, 5, 5]),
        ],
        "tflite",
    )
    conv, relu = found["parts"]
    assert (conv["ms"], relu["ms"], relu["error_ms"]) == (3, 1, 0)
    assert conv["error_ms"] == pytest.approx(12.706, abs=1e-3)
    assert (conv["share"], relu["share"]) == (0.75, 0.25)
    assert (found["sum_ms"], found["whole"]["ms"], found["sum_to_whole"]) == (4, 4, 1)
    assert conv["values_ms"] == [[1, 2, 90], [4, 4, 4]]


def test_kinds_and_places_are_sums_with_the_error_of_the_sum() -> None:
    """What goes up in one and down in the other is no error of both together."""
    found = combine(
        [
            taken(part("CONV_2D", [1.0]), part("CONV_2D", [3.0], name="2"), whole_ms=[5]),
            taken(part("CONV_2D", [3.0]), part("CONV_2D", [1.0], name="2"), whole_ms=[5]),
        ],
        "tflite",
    )
    (kind,) = found["kinds"]
    assert (kind["kind"], kind["operators"], kind["ms"], kind["error_ms"], kind["share"]) == ("CONV_2D", 2, 4, 0, 1)
    assert found["places"][0]["place"] == "XNNPACK"
    assert found["parts"][0]["error_ms"] > 10


def test_no_error_is_smaller_than_onnxruntimes_microsecond() -> None:
    same = taken(part("Conv", [0.005]), whole_ms=[0.006], clock="wall", profiled_ms=[0.009])
    found = combine([same, same], "onnx")
    assert found["parts"][0]["error_ms"] == 0.0005
    assert found["profiled"]["overhead"] == pytest.approx(1.5)


def test_one_process_knows_no_error() -> None:
    assert combine([taken(part("RELU", [1]), whole_ms=[1])], "tflite")["parts"][0]["error_ms"] is None


def test_prefix_stands_beside_the_sum_of_its_parts() -> None:
    prefixes = [{"parts": 2, "values_ms": [4.0]}]
    parts = part("A", [2.0]), part("B", [3.0]), part("C", [5.0])
    (found,) = combine([taken(*parts, whole_ms=[10.0], prefixes=prefixes)], "tflite")["prefixes"]
    assert (found["parts"], found["ms"], found["parts_ms"], found["apart"]) == (2, 4, 5, 0.1)


def test_nodes_that_ran_in_another_order_are_put_together() -> None:
    a, b = part("Conv", [1.0]), part("Mul", [2.0])
    found = combine([taken(a, b, whole_ms=[3]), taken(b, a, whole_ms=[3])], "onnx")
    assert [(one["kind"], one["ms"]) for one in found["parts"]] == [("Conv", 1), ("Mul", 2)]
    with pytest.raises(ProfileError, match="differently from one process to the next"):
        combine([taken(a, b, whole_ms=[3]), taken(a, whole_ms=[3])], "onnx")


@pytest.fixture(scope="module")
def results() -> dict[str, ProfileResult]:
    """A short profile of both bundled models."""
    found = {}
    for backend in ("tflite", "onnx"):
        pytest.importorskip({"tflite": "ai_edge_litert", "onnx": "onnxruntime"}[backend])
        found[backend] = run_profile(ProfileJob(model=BUNDLED[backend], seconds=2))
    return found


def test_all_of_the_bundled_int8_model_but_its_uint8_ends_runs_on_xnnpack(results: dict[str, ProfileResult]) -> None:
    found = results["tflite"]
    assert (found.header.format, found.header.version, found.method) == (FORMAT, VERSION, "cut")
    places, parts = found.profile.places, found.profile.parts
    count = sum(one.operators for one in places)
    assert [(one.name, one.operators) for one in places] == [("XNNPACK", count - 2), ("LiteRT", 2)]
    assert [(part.kind, part.place) for part in (parts[0], parts[-1])] == 2 * [("QUANTIZE", "LiteRT")]
    assert re.match(rf"{count - 2} of {count} operators, 9\d\.?\d*% of the time, on XN", coverage(found)), coverage(
        found
    )


def test_most_of_the_time_goes_into_convolutions(results: dict[str, ProfileResult]) -> None:
    for backend, kind in (("tflite", "CONV_2D"), ("onnx", "Conv")):
        shares = {one.name: one.share for one in results[backend].profile.kinds}
        assert max(shares, key=lambda kind: shares[kind]) == kind
        assert shares[kind] + shares.get(f"DEPTHWISE_{kind}", 0) > 0.5


def test_parts_come_to_the_whole(results: dict[str, ProfileResult]) -> None:
    """Far bounds, for a machine on which other things run; docs/benchmarking.md has those of a quiet one."""
    found = results["tflite"].profile
    assert math.isclose(sum(one.share for one in found.parts), 1)
    assert math.isclose(sum(one.time.ms for one in found.parts), found.sum_ms)
    if found.clock == "processor":
        assert 0.7 < found.sum_to_whole < 1.5
        assert [abs(one.apart) < 0.3 for one in found.prefixes] == [True] * 3


def test_onnxruntime_says_what_runs_its_nodes_and_what_watching_costs(results: dict[str, ProfileResult]) -> None:
    assert results["onnx"].method == "profiler"
    assert coverage(results["onnx"]).endswith("none on XNNPACK")
    found = results["onnx"].profile
    assert {one.place for one in found.parts} == {"CPU"}
    assert found.profiled is not None
    assert 0.3 < (found.profiled.overhead or 0) < 3
    rounds = [len(values) for values in found.whole.values_ms]
    assert [len(values) for values in found.parts[0].values_ms] == rounds  # warm-up is not among them


@pytest.mark.parametrize("backend", ["tflite", "onnx"])
@pytest.mark.parametrize("by", ["operator", "kind"])
def test_table_fits_100_columns(
    backend: str, by: str, results: dict[str, ProfileResult], capsys: pytest.CaptureFixture[str]
) -> None:
    print_profile(results[backend], by)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    titles = next(line for line in lines if "share" in line)
    assert ("#" in titles, "kind of operator" in titles) == (by == "operator", by == "kind")


def test_table_of_long_names_and_slow_operators_fits_and_says_what_is_below_its_error(
    results: dict[str, ProfileResult], capsys: pytest.CaptureFixture[str]
) -> None:
    long = PartTime(
        kind="A_CUSTOM_OPERATOR_WITH_A_VERY_LONG_NAME",
        name="model/block_17/" * 9,
        shape=(1, 1024, 1024, 128),
        place="XNNPACK",
        operators=1,
        time=Estimate(ms=1234.567, error_ms=2345.678),
        share=0.9,
        values_ms=[],
    )
    result = results["tflite"]
    print_profile(replace(result, profile=replace(result.profile, parts=(long,) * 120)), "operator")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    row = next(line for line in lines if "120" in line and "1234" in line)
    assert [text in row for text in (BELOW, "1x1024x1024x128", "A_CUSTOM_OPERATOR")] == [True] * 3


def test_command_writes_a_file_that_shows_whether_it_was_edited(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    result = profile("--backend", "onnx", "--seconds", 0.5, "--json", "-o", path)
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert read_json(path, FORMAT, VERSION) == shown
    assert shown["threads"] == 1
    assert shown["settings"] == {"seconds": 0.5, "processes": 5}


def test_more_threads_than_cores_are_warned_of() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = run_profile(ProfileJob(backend="onnx", threads=cores + 1, seconds=0.2))
    assert any(f"threads: {cores + 1}, and this process may use {cores} core" in text for text in found.warnings)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, "2", 3601])
def test_seconds_that_cannot_be_used_are_refused(seconds: Any) -> None:
    with pytest.raises(OptionError, match="seconds: got"):
        ProfileJob(seconds=seconds)


def test_refusals_are_one_line(tmp_path: Path) -> None:
    bare = tmp_path / "cut.tflite"
    bare.write_bytes(BUNDLED["tflite"].read_bytes()[:100_000])
    assert "cut off" in refused(profile("--model", bare))
    assert "nothing there" in refused(profile("--model", tmp_path / "missing.onnx"))
    assert "is a file for backend 'tflite'" in refused(profile("--model", BUNDLED["tflite"], "--backend", "onnx"))
    assert messages.THREADS in refused(profile("--threads", 0))
    assert "expected a number above 0" in refused(profile("--seconds", 0))
    assert "cannot be written" in refused(profile("-o", tmp_path / "no" / "profile.json"))
    assert profile("--by", "colour").exit_code == 2


def test_a_model_without_a_contract_is_refused(tmp_path: Path) -> None:
    data = BUNDLED["tflite"].read_bytes()
    path = tmp_path / "bare.tflite"
    path.write_bytes(data[: data.index(b"PK\x03\x04")])
    assert "holds no contract" in refused(profile("--model", path))


@pytest.mark.parametrize(("backend", "module"), [("tflite", "ai_edge_litert"), ("onnx", "onnxruntime")])
def test_a_missing_library_is_named_with_its_command(
    backend: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in {module, "tflite_runtime" if backend == "tflite" else module}:
        (tmp_path / f"{name}.py").write_text("raise ImportError('blocked')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    assert install_command(backend) in refused(profile("--backend", backend))


def test_process_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(task: str, *_: object) -> dict[str, Any]:
        raise WorkerError("the measuring process ended with code -9")

    monkeypatch.setattr(profile_run, "run_worker", dies)
    assert "code -9" in refused(profile("--seconds", 1))


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is a signal there")
@pytest.mark.parametrize("backend", ["tflite", "onnx"])
def test_ctrl_c_keeps_what_was_measured_and_leaves_nothing_behind(
    backend: str, tmp_path: Path, six_rounds: Callable[[subprocess.Popen[str]], None]
) -> None:
    folder, path = tmp_path / "temporary", tmp_path / "profile.json"
    folder.mkdir()
    command = subprocess.Popen(
        [sys.executable, "-m", "segbench", "profile", "--backend", backend, "--seconds", "600", "-o", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    six_rounds(command)
    command.send_signal(signal.SIGINT)
    stdout, stderr = command.communicate(timeout=300)
    assert command.returncode == 130, stderr
    assert f"{messages.UNTIL_THEN}\n" in stderr
    assert "runs on" in stdout
    found = read_json(path, FORMAT, VERSION)
    assert found["interrupted"]
    assert found["parts"][0]["error_ms"] is None
    assert list(folder.iterdir()) == []


def test_ctrl_c_before_anything_was_measured_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_task: str, _job: Job, _interrupt: Interrupt) -> dict[str, Any]:
        signal.raise_signal(signal.SIGINT)
        raise WorkerError("ended by a signal")

    monkeypatch.setattr(profile_run, "run_worker", interrupted)
    result = profile("-o", tmp_path / "profile.json")
    assert result.exit_code == 130
    assert result.stderr == f"{messages.NOT_EVEN_ONE}\n"
    assert (result.stdout, list(tmp_path.iterdir())) == ("", [])
