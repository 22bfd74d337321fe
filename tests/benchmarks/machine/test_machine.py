"""What the machine says about itself, on made-up machines: with every sensor, with none, and with broken ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from segbench.machine.describe import Machine, describe_machine, with_sensors_after
from segbench.machine.processor import frequency_max_mhz, governor, int8_flags
from segbench.machine.sensors import Sensors, pi_flags, read_sensors
from segruntime.strict_json import Fields

NOTHING = Sensors(temperature_c=None, frequency_mhz=None, throttled=None, throttle_flags=None, throttle_count=None)


def put(root: Path, folder: str, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def pi(tmp_path: Path) -> Path:
    """A Raspberry Pi 5 that is hot."""
    put(
        tmp_path,
        "sys/class/thermal",
        {
            "thermal_zone0/type": "cpu-thermal\n",
            "thermal_zone0/temp": "82400\n",
            "thermal_zone1/type": "nvme\n",
            "thermal_zone1/temp": "99000\n",
            "cooling_device0/type": "pwm-fan\n",
            "cooling_device0/cur_state": "4\n",
            "cooling_device1/type": "cpufreq-cpu0\n",
            "cooling_device1/cur_state": "0\n",
        },
    )
    for core, khz in enumerate((2_400_000, 1_500_000)):
        put(
            tmp_path,
            f"sys/devices/system/cpu/cpu{core}/cpufreq",
            {"scaling_cur_freq": f"{khz}\n", "scaling_governor": "ondemand\n", "cpuinfo_max_freq": "2400000\n"},
        )
    put(tmp_path, "sys/devices/platform/soc/soc:firmware", {"get_throttled": "0x50008\n"})
    put(
        tmp_path,
        "proc",
        {
            "cpuinfo": "processor\t: 0\nFeatures\t: fp asimd evtstrm aes asimdhp asimddp\n",
            "device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
        },
    )
    put(tmp_path, "etc", {"os-release": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'})
    return tmp_path


def test_a_pi_says_how_hot_it_is_how_fast_and_that_it_throttles(pi: Path) -> None:
    assert read_sensors(pi) == Sensors(
        temperature_c=82.4,
        frequency_mhz=1950.0,
        throttled=True,
        throttle_flags=("soft temperature limit", "under-voltage has occurred", "throttled has occurred"),
        throttle_count=None,
    )


def test_a_pi_is_described(pi: Path) -> None:
    machine = json.loads(json.dumps(describe_machine(pi).to_json()))
    assert machine["cpu"] == "Raspberry Pi 5 Model B Rev 1.0"
    assert machine["distribution"] == "Debian GNU/Linux 12 (bookworm)"
    assert (machine["int8_flags"], machine["governor"], machine["frequency_max_mhz"]) == (
        ["asimd", "asimddp"],
        "ondemand",
        2400.0,
    )
    assert machine["sensors"]["before"]["temperature_c"] == 82.4
    assert machine["sensors"]["after"] is None


def test_sensors_afterwards_stand_beside_those_before(pi: Path) -> None:
    before = describe_machine(pi)
    put(pi, "sys/class/thermal", {"thermal_zone0/temp": "85000"})
    after = with_sensors_after(before, pi)
    assert [one and one.temperature_c for one in (after.sensors_before, after.sensors_after)] == [82.4, 85.0]
    assert before.sensors_after is None
    assert Machine.from_json(Fields(json.loads(json.dumps(after.to_json())))) == after


def test_what_has_been_is_not_what_is(pi: Path) -> None:
    put(pi, "sys/devices/platform/soc/soc:firmware", {"get_throttled": "0x50000\n"})
    assert read_sensors(pi).throttled is False
    put(pi, "sys/class/thermal", {"cooling_device1/cur_state": "2"})
    assert read_sensors(pi).throttled is True


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0, ()),
        (0b1, ("under-voltage",)),
        (0x20002, ("frequency capped", "frequency capped has occurred")),
        (0b100, ("throttled",)),
        (1 << 19, ("soft temperature limit has occurred",)),
    ],
)
def test_bits_of_the_firmware_in_words(bits: int, words: tuple[str, ...]) -> None:
    assert pi_flags(bits) == words


def test_machine_without_sensors_has_none(tmp_path: Path) -> None:
    assert read_sensors(tmp_path) == NOTHING
    assert (int8_flags(tmp_path), governor(tmp_path), frequency_max_mhz(tmp_path)) == (None, None, None)
    machine = describe_machine(tmp_path)
    assert machine.cpu
    assert machine.distribution is None


@pytest.mark.parametrize("text", ["", "hot\n", "0\n", "-273000\n", "255000\n", "\0\0", "9" * 5000])
def test_broken_thermometer_is_none(tmp_path: Path, text: str) -> None:
    put(tmp_path, "sys/class/thermal", {"thermal_zone0/type": "cpu-thermal", "thermal_zone0/temp": text})
    assert read_sensors(tmp_path).temperature_c is None


@pytest.mark.parametrize("firmware", ["", "error=1", "0xZZ"])
def test_broken_firmware_says_nothing(tmp_path: Path, firmware: str) -> None:
    put(tmp_path, "sys/devices/platform/soc/soc:firmware", {"get_throttled": firmware})
    assert read_sensors(tmp_path).throttle_flags is None
    assert read_sensors(tmp_path).throttled is None


def test_sensor_that_is_a_folder_or_leads_nowhere_is_none(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    (zone / "temp").mkdir(parents=True)
    core = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq"
    core.mkdir(parents=True)
    (core / "scaling_cur_freq").symlink_to(tmp_path / "gone")
    (core / "scaling_governor").symlink_to(tmp_path / "gone")
    assert read_sensors(tmp_path) == NOTHING
    assert governor(tmp_path) is None


def test_sensor_that_vanishes_between_listing_and_reading_is_none(pi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_file = Path.open

    def gone(path: Path, *how: Any) -> Any:
        if path.name in ("temp", "scaling_cur_freq", "cur_state", "get_throttled"):
            raise OSError(19, "No such device")
        return open_file(path, *how)

    monkeypatch.setattr(Path, "open", gone)
    monkeypatch.setenv("PATH", str(pi))
    assert read_sensors(pi) == NOTHING


def test_processors_chip_is_asked_where_no_zone_is_the_processors(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/thermal", {"thermal_zone0/type": "acpitz", "thermal_zone0/temp": "27800"})
    assert read_sensors(tmp_path).temperature_c == 27.8
    put(
        tmp_path,
        "sys/class/hwmon",
        {
            "hwmon0/name": "nvme",
            "hwmon0/temp1_input": "70000",
            "hwmon1/name": "k10temp\n",
            "hwmon1/temp1_input": "55125",
            "hwmon1/temp3_input": "51000",
        },
    )
    assert read_sensors(tmp_path).temperature_c == 55.125


def test_intel_counts_how_often_it_throttled(tmp_path: Path) -> None:
    for core, count in enumerate(("3\n", "4\n", "many\n")):
        put(tmp_path, f"sys/devices/system/cpu/cpu{core}/thermal_throttle", {"core_throttle_count": count})
    assert read_sensors(tmp_path).throttle_count == 7


def test_clock_and_flags_of_an_x86_without_cpufreq(tmp_path: Path) -> None:
    text = "flags\t\t: fpu avx avx2 avx512_vnni avx512bw\ncpu MHz\t\t: {}\n\n"
    put(tmp_path, "proc", {"cpuinfo": text.format("2000.5") + text.format("3000.5") + "cpu MHz\t: ?\n"})
    assert read_sensors(tmp_path).frequency_mhz == 2500.5
    assert int8_flags(tmp_path) == ("avx2", "avx512bw", "avx512_vnni")


def test_big_and_little_cores_have_two_governors(tmp_path: Path) -> None:
    for core, name in enumerate(("schedutil", "schedutil", "performance")):
        put(tmp_path, f"sys/devices/system/cpu/cpu{core}/cpufreq", {"scaling_governor": name})
    assert governor(tmp_path) == "schedutil, performance"


@pytest.mark.skipif(os.name != "posix", reason="a made-up vcgencmd is a shell script")
@pytest.mark.parametrize(
    ("script", "flags"),
    [
        ("echo throttled=0x4", ("throttled",)),
        ("echo error; exit 1", None),
        ("echo nonsense", None),
    ],
)
def test_old_pi_is_asked_with_vcgencmd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, flags: tuple[str, ...] | None
) -> None:
    program = tmp_path / "bin" / "vcgencmd"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n[ "$1" = get_throttled ] || exit 2\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert read_sensors(tmp_path).throttle_flags is None  # not on a machine that is no Pi
    put(tmp_path, "proc", {"device-tree/model": "Raspberry Pi 3 Model B\0"})
    assert read_sensors(tmp_path).throttle_flags == flags
