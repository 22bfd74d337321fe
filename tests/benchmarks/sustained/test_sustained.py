"""`segbench sustained`: minutes by a made-up clock, made-up sensors, Ctrl-C, and what is refused before minutes are spent."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count, repeat
from pathlib import Path
from typing import Any

import cv2
import pytest
from tests import messages
from tests.benchmarks.made_results import as_sustained
from tests.refusals import refused, run_segbench

import segbench.sustained.run
from segbench.frames.drawn import drawn_frame
from segbench.machine.cpu_contention import others_seconds
from segbench.machine.sensors import Sensors
from segbench.plots import write_plot
from segbench.plots.sustained import sustained_plot
from segbench.results.sustained import Minute, read_sustained
from segbench.sustained.minutes import Gauges, measure_minutes
from segbench.sustained.run import SustainedJob, last_to_first, run_sustained
from segbench.sustained.table import minute_line
from segruntime.backends import BACKENDS

NOTHING = Sensors(temperature_c=None, frequency_mhz=None, throttled=None, throttle_flags=None, throttle_count=None)


class Clock:
    """Stands still but for the passes, which take what they are told to, in seconds."""

    def __init__(self, pass_seconds: Callable[[float], float]) -> None:
        self.now = 100.0
        self.begin = self.now
        self.pass_seconds = pass_seconds

    def __call__(self) -> float:
        return self.now

    def one_pass(self, _: None) -> None:
        self.now += self.pass_seconds(self.now - self.begin)


@pytest.fixture(autouse=True)
def clock_that_each_reading_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whole measurements: a hundredth of a second each, and three readings a pass."""
    clock = map(float, count(0, 0.01)).__next__
    monkeypatch.setattr(segbench.sustained.run, "measure_minutes", partial(measure_minutes, clock=clock))


def sensors(**changes: Any) -> Sensors:
    names = ("temperature_c", "frequency_mhz", "throttled", "throttle_flags", "throttle_count")
    return Sensors(**{name: changes.get(name) for name in names})


def gauges(read: Callable[[], Sensors] = lambda: NOTHING, others: Callable[[], float | None] = lambda: None) -> Gauges:
    return Gauges(sensors=read, others=others)


def measure(clock: Clock, minutes: float, read: Callable[[], Sensors] = lambda: NOTHING) -> tuple[list[Minute], bool]:
    return measure_minutes(clock.one_pass, repeat(None), gauges(read), minutes, lambda _: None, clock)


sustained = partial(run_segbench, "sustained")


def written(*arguments: Any, **options: Any) -> dict[str, Any]:
    """What a file of `run_sustained` holds."""
    found = run_sustained(*arguments, **options)
    return dict(json.loads(json.dumps(found.to_json(), allow_nan=False)))


def test_every_value_is_in_the_minute_in_which_it_began() -> None:
    """Half a second each in the first minute, a whole one in the second, and half a minute of the third."""
    clock = Clock(lambda elapsed: 0.5 if elapsed < 60 else 1.0)
    minutes, interrupted = measure(clock, 2.5)
    assert not interrupted
    assert [(one.minute, one.n, one.seconds) for one in minutes] == [(1, 120, 60), (2, 60, 60), (3, 30, 30)]
    assert [one.p50_ms for one in minutes] == [500, 1000, 1000]
    assert minutes[0].values_ms == [500.0] * 120


def test_percentiles_are_those_of_the_minute() -> None:
    durations = iter([0.5] * 54 + [33.0] + [60.0])
    minutes, _ = measure(Clock(lambda _: next(durations)), 2)
    assert [(one.n, one.p50_ms) for one in minutes] == [(55, 500), (1, 60_000)]
    assert minutes[0].p90_ms == 500


def test_time_that_an_item_takes_to_come_is_none_of_its_pass() -> None:
    clock = Clock(lambda _: 0.25)

    def slow_items() -> Iterator[None]:
        while True:
            clock.now += 0.75
            yield None

    minutes, _ = measure_minutes(clock.one_pass, slow_items(), gauges(), 1, lambda _: None, clock)
    assert (minutes[0].n, set(minutes[0].values_ms), minutes[0].seconds) == (60, {250.0}, 60)


def test_minute_that_a_long_pass_leaves_out_is_not_made_up() -> None:
    minutes, _ = measure(Clock(lambda _: 130.0), 5)
    assert [(one.minute, one.n) for one in minutes] == [(1, 1), (3, 1), (5, 1)]


def test_sensors_of_a_minute_are_highest_mean_and_any() -> None:
    clock = Clock(lambda _: 1.0)
    hot = {20.0: sensors(temperature_c=80.0, frequency_mhz=600.0, throttled=True, throttle_flags=("throttled",))}
    cool = sensors(temperature_c=50.0, frequency_mhz=1000.0, throttled=False, throttle_flags=())
    minutes, _ = measure(clock, 2, lambda: hot.get(clock.now - clock.begin, cool))
    first, second = minutes
    assert (first.temperature_c, first.throttled, first.throttle_flags) == (80.0, True, ("throttled",))
    assert 950 < first.frequency_mhz < 1000
    assert (second.temperature_c, second.throttled, second.throttle_flags) == (50.0, False, ())
    assert second.frequency_mhz == 1000


def test_count_of_throttlings_that_grows_is_throttling() -> None:
    clock = Clock(lambda _: 1.0)
    minutes, _ = measure(clock, 3, lambda: sensors(throttle_count=7 + (clock.now - clock.begin > 90)))
    assert [one.throttled for one in minutes] == [False, True, False]


def test_sensor_that_vanishes_is_none_from_then_on() -> None:
    clock = Clock(lambda _: 1.0)
    minutes, _ = measure(clock, 3, lambda: sensors(temperature_c=50.0) if clock.now - clock.begin < 30 else NOTHING)
    assert [one.temperature_c for one in minutes] == [50.0, None, None]
    assert all(getattr(one, key) is None for one in minutes for key in ("frequency_mhz", "throttled", "throttle_flags"))


def test_ctrl_c_keeps_what_was_measured() -> None:
    def until_70(elapsed: float) -> float:
        if elapsed >= 70:
            raise KeyboardInterrupt
        return 1.0

    minutes, interrupted = measure(Clock(until_70), 10)
    assert interrupted
    assert [(one.minute, one.n, one.seconds) for one in minutes] == [(1, 60, 60), (2, 10, 10)]


def test_ctrl_c_while_a_minute_is_told_does_not_count_it_twice() -> None:
    def tell(_: Minute) -> None:
        raise KeyboardInterrupt

    clock = Clock(lambda _: 1.0)
    minutes, interrupted = measure_minutes(clock.one_pass, repeat(None), gauges(), 3, tell, clock)
    assert interrupted
    assert [one.minute for one in minutes] == [1]


def test_what_other_programs_take_is_told_in_cores() -> None:
    """Half a core until the end of the first minute, one and a half in the second."""
    clock = Clock(lambda _: 1.0)

    def others() -> float:
        elapsed = clock.now - clock.begin
        return 7.0 + 0.5 * elapsed + max(0.0, elapsed - 60)

    minutes, _ = measure_minutes(clock.one_pass, repeat(None), gauges(others=others), 2, lambda _: None, clock)
    assert [one.others_cores for one in minutes] == [0.5, 1.5]
    less = gauges(others=lambda: -clock.now)
    back, _ = measure_minutes(clock.one_pass, repeat(None), less, 1, lambda _: None, clock)
    assert back[0].others_cores == 0


@pytest.mark.parametrize("text", ["", "cpu 1 2 3", "cpu a b c d e f g h", "intr 1 2 3 4 5 6 7 8"])
def test_busy_time_that_is_not_there_is_none(tmp_path: Path, text: str) -> None:
    assert others_seconds(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text(text)
    assert others_seconds(tmp_path) is None


def test_busy_time_leaves_out_idle_time_and_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text("cpu  100 200 300 99999 99999 400 500 600 7 7\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    monkeypatch.setattr("segbench.machine.cpu_contention.os.sysconf", lambda _: 100)
    monkeypatch.setattr("segbench.machine.cpu_contention.time.process_time", lambda: 2.5)
    assert others_seconds(tmp_path) == 21 - 2.5


def minute(number: int, p50_ms: float, seconds: float = 60.0, **known: Any) -> Minute:
    empty = dict.fromkeys(("temperature_c", "frequency_mhz", "throttled", "throttle_flags", "others_cores"))
    values = {"n": 2, "p50_ms": p50_ms, "p90_ms": p50_ms + 1, "values_ms": [p50_ms, p50_ms]}
    return Minute(minute=number, seconds=seconds, **{**values, **empty, **known})


def test_last_minute_is_compared_with_the_first_where_it_is_long_enough() -> None:
    assert last_to_first([minute(1, 4), minute(2, 5), minute(3, 6)]) == 1.5
    assert last_to_first([minute(1, 4), minute(2, 5), minute(3, 6, seconds=29)]) == 1.25
    assert last_to_first([minute(1, 4), minute(2, 6, seconds=30)]) == 1.5
    assert last_to_first([minute(1, 4), minute(2, 6, seconds=5)]) is None
    assert last_to_first([minute(1, 4)]) is None


def test_line_of_a_minute_says_what_is_known() -> None:
    assert minute_line(minute(3, 4)) == "minute 3: p50 4.00 ms, p90 5.00 ms"
    told = minute_line(minute(3, 4, temperature_c=81.26, throttled=True))
    assert told == "minute 3: p50 4.00 ms, p90 5.00 ms, 81.3 °C, throttled"


@pytest.mark.parametrize("preset", [None, "fast"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_result_holds_the_raw_values_and_says_what_the_machine_does_not_tell(
    tmp_path: Path, backend: str, preset: str | None
) -> None:
    job = SustainedJob(minutes=0.002, backend=backend, size=(64, 48), threads=1, preset=preset)
    found = written(job, sys_root=tmp_path)
    (one,) = found["minutes"]
    assert one["values_ms"] == pytest.approx([10] * 4)
    assert (one["n"], one["p50_ms"], one["seconds"]) == (4, pytest.approx(10), pytest.approx(0.12))
    assert found["backend"] == backend
    assert (found["preset"], found["frame"]["width"], found["last_to_first"]) == (preset, 64, None)
    assert found["golden"]["same"] is True
    (warning,) = found["warnings"]
    assert "no thermometer and no clock and no sign of throttling" in warning


def test_sensors_that_are_there_are_in_the_table_and_in_the_machine(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal")
    (zone / "temp").write_text("61500")
    found = written(SustainedJob(minutes=0.001, size=(32, 32)), sys_root=tmp_path)
    assert found["minutes"][0]["temperature_c"] == 61.5
    assert [found["machine"]["sensors"][when]["temperature_c"] for when in ("before", "after")] == [61.5, 61.5]
    assert "thermometer" not in found["warnings"][0]


def test_busy_machine_is_said_to_be_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 1000.0])
    monkeypatch.setattr(segbench.sustained.run, "others_seconds", lambda _: next(seconds))
    found = written(SustainedJob(minutes=0.001, size=(32, 32)), sys_root=tmp_path)
    assert "other programs took up to" in found["warnings"][1]
    assert "what they slow down is not heat" in found["warnings"][1]


def test_command_shows_the_minutes_and_writes_file_and_plot(tmp_path: Path) -> None:
    output, plot = tmp_path / "s.json", tmp_path / "s.png"
    picture = tmp_path / "me.png"
    cv2.imwrite(str(picture), drawn_frame(80, 60))
    result = sustained("--minutes", 0.003, "--input", picture, "-o", output, "--plot", plot)
    assert result.exit_code == 0, result.output
    assert "80x60" in result.stdout
    assert "too short to compare its end with its beginning" in result.stdout
    assert "minute 1: p50" in result.stderr
    assert len(read_sustained(output).minutes) == 1
    drawn = cv2.imread(str(plot))
    assert drawn is not None
    assert drawn.std() > 5


def test_video_is_measured_frame_after_frame_beyond_its_end(tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 25, (96, 64))
    for seed in range(3):
        writer.write(drawn_frame(96, 64, seed))
    writer.release()
    found = written(SustainedJob(minutes=0.002, input=clip))
    assert found["frame"] == {"width": 96, "height": 64, "source": str(clip)}
    assert found["minutes"][0]["n"] == 4  # of three frames


def test_json_on_standard_output_is_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    result = sustained("--minutes", 0.001, "--size", "32x32", "--json", "-o", path)
    assert json.loads(result.stdout) == json.loads(path.read_text())


def test_ctrl_c_writes_what_was_measured_and_ends_with_130(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = segbench.sustained.run.load_subject
    calls = 0

    def three_passes(*arguments: Any) -> Any:
        subject = load(*arguments)

        def one_pass(frame: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > 3:
                raise KeyboardInterrupt
            return subject.one_pass(frame)

        return replace(subject, one_pass=one_pass)

    monkeypatch.setattr(segbench.sustained.run, "load_subject", three_passes)
    path = tmp_path / "s.json"
    result = sustained("--minutes", 10, "--size", "32x32", "-o", path)
    assert result.exit_code == 130
    assert "segbench: interrupted in minute 1; what was measured is kept" in result.stderr
    found = read_sustained(path)
    assert (found.interrupted, found.minutes[0].n) == (True, 3)
    monkeypatch.setattr(segbench.sustained.run, "measure_minutes", lambda *_: ([], True))
    assert sustained("--size", "32x32", "-o", tmp_path / "none.json").exit_code == 1
    assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot_with_sensors_has_a_second_panel(tmp_path: Path, small_sustained: dict[str, Any], suffix: str) -> None:
    hot = {"temperature_c": 80.0, "frequency_mhz": 1500.0, "throttled": True}
    rows = [minute(1, 4.0), minute(2, 5.0, **hot), minute(3, 6.0, **hot)]
    result = as_sustained(small_sustained)
    plain = [minute(1, 4.0), minute(2, 5.0), minute(3, 6.0)]
    for name, drawn in (("hot", rows), ("plain", plain)):
        write_plot(sustained_plot(replace(result, minutes=tuple(drawn))), tmp_path / f"{name}{suffix}")
    hot_file, plain_file = tmp_path / f"hot{suffix}", tmp_path / f"plain{suffix}"
    if suffix == ".png":
        tall, low = (cv2.imread(str(path)) for path in (hot_file, plain_file))
        assert tall is not None
        assert low is not None
        assert tall.shape[0] > low.shape[0]
        red = (tall[..., 2].astype(int) - tall[..., 0] > 20).mean()
        assert 0.1 < red < 0.9
    else:
        assert hot_file.read_text().count('<g id="axes_') > plain_file.read_text().count('<g id="axes_') == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--minutes", 0], "minutes: got 0.0, expected a number above 0"),
        (["--minutes", "nan"], "minutes: got nan"),
        (["--minutes", 121], "minutes: got 121, expected at most 120"),
        (["--size", "2x2"], "size: got 2x2"),
        (["--threads", 0], "threads: got 0"),
        (["--model", "gone.tflite"], "gone.tflite"),
        (["--input", "gone.png"], "gone.png: cannot be read"),
        (["--plot", "a.txt"], "plot: got a.txt"),
        (["--plot", "gone/a.png"], messages.GONE_IS_NO_FOLDER),
        (["-o", "gone/a.json"], "gone/a.json: cannot be written"),
        (["-o", "/dev/null"], messages.NO_ORDINARY_FILE),
    ],
)
def test_what_cannot_be_used_is_refused_before_minutes_are_spent(arguments: list[object], message: str) -> None:
    assert message in refused(sustained(*arguments))


@pytest.mark.parametrize("module", ["rich", "psutil", "matplotlib"])
def test_missing_library_names_the_bench_extra(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert f"needs {module}, which is not installed" in refused(sustained("--plot", "s.png"))
