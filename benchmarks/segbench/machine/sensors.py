"""Temperature, clock and throttling, as Linux and the Raspberry Pi's firmware tell them.

Many machines have none of it (virtual ones nearly always), and a sensor may vanish while it is read: what cannot be read, or
is beyond what a sensor of its kind can say, is None. Sources: the kernel's thermal, hwmon and cpufreq sysfs interfaces; the
bits of `vcgencmd get_throttled` in the Raspberry Pi documentation.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segbench.readers import whole
from segruntime.processor import ROOT, read_text
from segruntime.strict_json import Fields

_CPU_ZONES = ("cpu", "pkg", "soc", "package")
_CPU_CHIPS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
_CPU_COOLERS = ("cpufreq", "thermal-cpufreq", "processor")
_PI_BITS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
_HAS_OCCURRED = 16
_PI_FIRMWARE = "soc*/soc*:firmware/get_throttled"  # its folder has the chip's address in its name on some boards
_VCGENCMD_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensors:
    """One reading; each is None where this machine has no such sensor.

    `frequency_mhz` is the mean over the cores. `throttled`: the clock is held down at this moment, by heat or by a weak power
    supply. `throttle_flags`: the Pi's own words, "… has occurred" since it was switched on. `throttle_count`: how often an
    Intel processor throttled since then.
    """

    temperature_c: float | None
    frequency_mhz: float | None
    throttled: bool | None
    throttle_flags: tuple[str, ...] | None
    throttle_count: int | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, f: Fields) -> Sensors:
        return cls(
            temperature_c=f.optional("temperature_c", f.number),
            frequency_mhz=f.optional("frequency_mhz", f.number),
            throttled=f.optional("throttled", f.boolean),
            throttle_flags=f.optional("throttle_flags", f.strings),
            throttle_count=f.optional("throttle_count", whole(f)),
        )


def read_sensors(sys_root: Path = ROOT) -> Sensors:
    """What the sensors below `sys_root` (which holds `sys` and `proc`) say now; takes about a millisecond."""
    bits = _pi_bits(sys_root)
    cooling = _cooling(sys_root)
    held = None if bits is None else bool(bits & 0b1111)
    known = [one for one in (held, cooling) if one is not None]
    return Sensors(
        temperature_c=_temperature_c(sys_root),
        frequency_mhz=_frequency_mhz(sys_root),
        throttled=any(known) if known else None,
        throttle_flags=None if bits is None else pi_flags(bits),
        throttle_count=_throttle_count(sys_root),
    )


def pi_flags(bits: int) -> tuple[str, ...]:
    """The firmware's bits in words: 0x50000 → under-voltage has occurred, throttled has occurred."""
    now = [word for bit, word in _PI_BITS.items() if bits >> bit & 1]
    past = [f"{word} has occurred" for bit, word in _PI_BITS.items() if bits >> (bit + _HAS_OCCURRED) & 1]
    return (*now, *past)


def _temperature_c(sys_root: Path) -> float | None:
    """The hottest of the processor's zones; else of its chips; else of all zones."""
    zones = [(read_text(zone / "type") or "", _degrees(zone / "temp")) for zone in _thermal(sys_root, "thermal_zone*")]
    own = [degrees for kind, degrees in zones if any(word in kind.lower() for word in _CPU_ZONES)]
    every = [degrees for _, degrees in zones]
    for candidates in (own, _chip_degrees(sys_root), every):
        found = [degrees for degrees in candidates if degrees is not None]
        if found:
            return max(found)
    return None


def _chip_degrees(sys_root: Path) -> list[float | None]:
    chips = [chip for chip in _glob(sys_root / "sys/class/hwmon", "hwmon*") if read_text(chip / "name") in _CPU_CHIPS]
    return [_degrees(path) for chip in chips for path in _glob(chip, "temp*_input")]


def _degrees(path: Path) -> float | None:
    """Thousandths of a degree → degrees; a broken sensor says 0, −273 or 255."""
    value = _integer(read_text(path))
    return value / 1000 if value is not None and value != 0 and -40_000 <= value <= 150_000 else None


def _frequency_mhz(sys_root: Path) -> float | None:
    cores = _glob(sys_root / "sys/devices/system/cpu", "cpu[0-9]*")
    found = [_integer(read_text(core / "cpufreq/scaling_cur_freq")) for core in cores]
    mhz = [value / 1000 for value in found if value is not None and value > 0] or _cpuinfo_mhz(sys_root)
    return round(sum(mhz) / len(mhz), 1) if mhz else None


def _cpuinfo_mhz(sys_root: Path) -> list[float]:
    found = []
    for line in (read_text(sys_root / "proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "cpu MHz" and value.strip().replace(".", "", 1).isdecimal():
            found.append(float(value))
    return found


def _cooling(sys_root: Path) -> bool | None:
    """Does the kernel hold a core's clock down at this moment?"""
    devices = [
        device
        for device in _thermal(sys_root, "cooling_device*")
        if (read_text(device / "type") or "").lower().startswith(_CPU_COOLERS)
    ]
    states = [state for device in devices if (state := _integer(read_text(device / "cur_state"))) is not None]
    return any(state > 0 for state in states) if states else None


def _throttle_count(sys_root: Path) -> int | None:
    counts = [
        count
        for core in _glob(sys_root / "sys/devices/system/cpu", "cpu[0-9]*")
        if (count := _integer(read_text(core / "thermal_throttle/core_throttle_count"))) is not None
    ]
    return sum(counts) if counts else None


def _pi_bits(sys_root: Path) -> int | None:
    for path in _glob(sys_root / "sys/devices/platform", _PI_FIRMWARE):
        text = read_text(path)
        if text is not None:
            return _hexadecimal(text)
    if "Raspberry Pi" not in (read_text(sys_root / "proc/device-tree/model") or ""):
        return None
    return _hexadecimal(_ask_firmware().rpartition("=")[2])


def _ask_firmware() -> str:
    """What `vcgencmd get_throttled` says, like `throttled=0x50005`."""
    program = shutil.which("vcgencmd")
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, "get_throttled"], capture_output=True, text=True, timeout=_VCGENCMD_LIMIT_S, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _hexadecimal(text: str) -> int | None:
    try:
        return int(text.strip(), 16)
    except ValueError:
        return None


def _integer(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def _thermal(sys_root: Path, pattern: str) -> list[Path]:
    return _glob(sys_root / "sys/class/thermal", pattern)


def _glob(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []
