"""What can be held of `make test-aarch64` without root and an emulator: its comparison, its bookkeeping, its refusals."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import debian_root
import emulator
import masks
import needs
from child import TIMED_OUT, run_to_end
from difference import BOUNDS, Difference, differences
from lock import only_one
from processors import PI_4, PI_5
from refusal import CannotRunError
from steps import Step
from summary import everything_passed, mask_table, step_table

import segruntime
from segbench.frames.drawn import drawn_frame

Array = npt.NDArray[Any]
NO_PROCESS = 2**22 + 1  # above the kernel's largest process number


def side() -> dict[str, Array]:
    """One picture through one file: a tensor, a mask, a picture."""
    mask = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    tensor = np.arange(48, dtype=np.int8).reshape(1, 4, 4, 3)
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    return {"m.tflite|a|tensor": tensor, "m.tflite|a|network": mask, "m.tflite|a|composite": picture}


def changed(stage: str, place: tuple[int, ...], value: float) -> dict[str, Array]:
    other = side()
    other[f"m.tflite|a|{stage}"][place] = value
    return other


def stage_of(found: list[Difference], stage: str) -> Difference:
    (one,) = [row for row in found if row.stage == stage]
    return one


# ── the comparison ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_equal_sides_are_0_apart_and_within() -> None:
    found = differences(side(), side())
    assert [one.stage for one in found] == ["tensor", "network", "composite"]
    assert all((one.largest, one.mean, one.differing, one.within) == (0, 0, 0, True) for one in found)
    assert stage_of(found, "network").mask_iou == 1
    assert stage_of(found, "tensor").mask_iou is None


def test_a_byte_is_one_step_and_a_probability_255() -> None:
    byte = stage_of(differences(side(), changed("composite", (0, 0, 0), 1)), "composite")
    assert (byte.largest, byte.mean, byte.differing) == (1, 1 / 48, 1 / 48)
    value = stage_of(differences(side(), changed("network", (0, 0), 0.1)), "network")
    assert value.largest == pytest.approx(25.5)
    assert value.mean == pytest.approx(25.5 / 64**2)


@pytest.mark.parametrize(
    ("stage", "place", "value"),
    [("tensor", (0, 0, 0, 0), 3), ("network", (0, 0), 0.3), ("network", (5, 5), np.nan), ("composite", (0, 0, 0), 2)],
)
def test_one_value_beyond_the_bound_is_found(stage: str, place: tuple[int, ...], value: float) -> None:
    found = differences(side(), changed(stage, place, value))
    assert [one.stage for one in found if not one.within] == [stage]


def test_a_mask_that_moved_by_a_pixel_is_found_by_its_iou() -> None:
    other = side()
    other["m.tflite|a|network"] = np.roll(other["m.tflite|a|network"], 1, axis=1)
    one = stage_of(differences(side(), other), "network")
    # 32 columns each, 31 in both; the column that left on the right came in on the left
    assert one.mask_iou == pytest.approx(31 / 33)
    assert not one.within


def test_another_shape_or_dtype_is_as_far_away_as_can_be() -> None:
    for array in (np.zeros((32, 64), np.float32), np.zeros((64, 64), np.uint8)):
        one = stage_of(differences(side(), {**side(), "m.tflite|a|network": array}), "network")
        assert one.largest == np.inf
        assert not one.within


def test_sides_that_made_different_things_are_refused() -> None:
    less = side()
    less.pop("m.tflite|a|tensor")
    with pytest.raises(ValueError, match=r"the two sides differ in what they made \(m\.tflite\|a\|tensor, of 1\)"):
        differences(side(), less)
    with pytest.raises(ValueError, match="nothing at all"):
        differences({}, {})


def test_the_stages_are_those_of_the_runtime_and_each_has_a_bound() -> None:
    segmenter, frame = segruntime.load(backend="tflite"), drawn_frame(320, 180)
    found = masks.stages(segmenter, frame, {})
    assert list(found) == list(BOUNDS)
    np.testing.assert_array_equal(found["alpha"], segmenter.alpha(frame))
    np.testing.assert_array_equal(found["network"], segmenter.coarse(frame))
    again = masks.stages(segmenter, frame, found)
    for stage, array in found.items():
        np.testing.assert_array_equal(again[stage], array)


def test_what_the_other_side_gave_is_what_a_stage_starts_from() -> None:
    segmenter, frame = segruntime.load(backend="tflite"), drawn_frame(320, 180)
    other = masks.stages(segmenter, frame[:, ::-1].copy(), {})
    found = masks.stages(segmenter, frame, {"tensor": other["tensor"], "alpha": np.zeros((180, 320), np.float32)})
    np.testing.assert_array_equal(found["kernels"], other["network"])
    np.testing.assert_array_equal(found["composite"], frame[::-1])
    assert not np.array_equal(found["network"], other["network"])


# ── the emulator ──────────────────────────────────────────────────────────────────────────────────────────────────────


def elf_head(kind: int, machine: int) -> bytes:
    """The first 20 bytes of a program, as the ELF specification has them."""
    return b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8) + struct.pack("<HH", kind, machine)


def registered(folder: Path) -> tuple[bytes, bytes, str]:
    """Magic, mask and the rest of what was written to `register`."""
    words = (folder / "register").read_text().split(":")
    magic, mask = (
        bytes(int(one, 16) for one in re.findall(r"\\x(..)", re.sub("ELF", r"\\x45\\x4c\\x46", word)))
        for word in words[4:6]
    )
    return magic, mask, words[6]


def test_aarch64_programs_are_registered_and_no_others_and_taken_away_again(tmp_path: Path) -> None:
    with emulator.emulation(tmp_path):
        magic, mask, qemu = registered(tmp_path)
        assert not (tmp_path / f"{emulator.PREFIX}{os.getpid()}").exists()
    assert (tmp_path / f"{emulator.PREFIX}{os.getpid()}").read_text() == "-1"
    assert qemu.endswith("qemu-aarch64-static")

    def taken(head: bytes) -> bool:
        return all(a & m == b & m for a, b, m in zip(head, magic, mask, strict=True))

    assert taken(elf_head(2, 183))
    assert taken(elf_head(3, 183))
    assert not taken(elf_head(2, 62))  # x86-64
    assert not taken(elf_head(1, 183))  # an object file


def test_only_what_a_dead_run_left_is_taken_away(tmp_path: Path) -> None:
    ours, dead, foreign = (
        tmp_path / name
        for name in (f"{emulator.PREFIX}{os.getpid()}", f"{emulator.PREFIX}{NO_PROCESS}", "qemu-aarch64")
    )
    for path in (ours, dead, foreign):
        path.write_text("enabled")
    assert emulator.remove_stale(tmp_path) == [dead.name]
    assert [path.read_text() for path in (ours, dead, foreign)] == ["enabled", "-1", "enabled"]


def test_a_kernel_that_refuses_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(CannotRunError, match=r"the kernel does not take .* as its emulator"),
        emulator.emulation(tmp_path / "none"),
    ):
        pass


@pytest.mark.parametrize(("processor", "part"), [(PI_5, "0xd0b"), (PI_4, "0xd08")])
def test_cpuinfo_has_a_block_for_each_core(processor: Any, part: str) -> None:
    text = processor.cpuinfo(3)
    assert re.findall(r"^processor\t: (\d)$", text, re.MULTILINE) == ["0", "1", "2"]
    assert re.findall(r"^CPU part\t: (\w+)$", text, re.MULTILINE) == [part] * 3
    # dot products came with ARMv8.2: the Pi 5 has them, the Pi 4 has not
    assert ("asimddp" in text) == (processor is PI_5)


# ── what is missing ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_user_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CannotRunError, match=r"runs as user 1000, expected root.*sudo make test-aarch64"):
        needs.check_needs()


def test_all_that_is_missing_is_named_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setattr(shutil, "which", lambda name: None if name in ("debootstrap", "qemu-aarch64-static") else name)
    monkeypatch.setattr(needs, "KEYRING", Path(__file__))
    with pytest.raises(
        CannotRunError,
        match=r"^debootstrap, qemu-aarch64-static not found; apt-get install debootstrap qemu-user-static$",
    ):
        needs.check_needs()


def test_another_processor_is_told_what_to_do_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(CannotRunError, match=r"this machine is aarch64, expected x86_64.*make light"):
        needs.check_needs()


# ── its children ──────────────────────────────────────────────────────────────────────────────────────────────────────


def gone(pid: int) -> bool:
    """Ended; a zombie that nobody has buried yet is as good as that."""
    status = Path("/proc", str(pid), "status")
    return not status.exists() or "State:\tZ" in status.read_text()


@pytest.mark.parametrize(("ending", "code"), [("sleep 60", TIMED_OUT), ("exit 3", 3)])
def test_a_child_ends_with_all_that_it_started(ending: str, code: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert run_to_end(["sh", "-c", f"sleep 60 & echo $!; {ending}"], log, limit_s=1) == code
    until = time.monotonic() + 10
    while not gone(int(log.read_text())) and time.monotonic() < until:
        time.sleep(0.05)
    assert gone(int(log.read_text()))


# ── the roots ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def no_debootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In its place, one that leaves half a root and fails."""
    program = tmp_path / "bin" / "debootstrap"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\nfor last; do case $last in *unfinished) mkdir -p "$last/etc";; esac; done\necho E: no space left\nexit 1\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_a_complete_root_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_debootstrap(monkeypatch, tmp_path)
    (tmp_path / "bookworm-arm64").mkdir()
    (tmp_path / "bookworm-arm64" / debian_root.STAMP).write_text(debian_root.RECIPE)
    assert debian_root.make_root(tmp_path, "arm64", "bookworm", print).path == tmp_path / "bookworm-arm64"


@pytest.mark.parametrize("stamp", [None, "", "0: made otherwise"])
def test_a_root_that_is_not_complete_is_made_again_and_half_a_root_never_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stamp: str | None
) -> None:
    no_debootstrap(monkeypatch, tmp_path)
    old = tmp_path / "bookworm-arm64"
    old.mkdir()
    if stamp is not None:
        (old / debian_root.STAMP).write_text(stamp)
    with pytest.raises(CannotRunError, match=r"debootstrap failed with 1 \(E: no space left\); see .*debian\.log"):
        debian_root.make_root(tmp_path, "arm64", "bookworm", print)
    assert (tmp_path / "bookworm-arm64.unfinished" / "etc").is_dir()
    assert not (old / "etc").exists()


def test_a_root_with_something_mounted_in_it_is_not_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "rmtree", lambda path: pytest.fail(f"would delete {path}"))
    with pytest.raises(CannotRunError, match=r"/sys: cannot be made again, /sys/\S+ is mounted; umount it"):
        debian_root._remove(Path("/sys"))


def test_a_second_run_in_the_same_folder_is_refused_while_the_first_lasts(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    with only_one(folder):
        with pytest.raises(CannotRunError, match=r"work: another run is using it"), only_one(folder):
            pass
        with only_one(tmp_path / "other"):
            pass
    with only_one(folder):
        pass


# ── the summary ───────────────────────────────────────────────────────────────────────────────────────────────────────


def step(**changes: Any) -> Step:
    given = {"name": "tests", "processor": "P", "passed": True, "seconds": 2.0, "details": "3 passed", "data": {}}
    return Step(**{**given, **changes})


def test_one_failed_step_or_mask_fails_the_whole() -> None:
    good = {"P": differences(side(), side())}
    bad = {"P": differences(side(), changed("composite", (0, 0, 0), 9))}
    assert everything_passed([step()], good)
    assert not everything_passed([step(), step(passed=False)], good)
    assert not everything_passed([step()], bad)
    # masks that were never made are no masks that agree
    assert not everything_passed([step()], {"P": []})
    assert "| P | m.tflite | composite | 9 | 0.188 | 2.1 % |  | 0, 0 | **FAILED** |" in mask_table(bad)
    assert step_table([step(passed=False)])[-1] == "| P | tests | 3 passed | 2 | **FAILED** |"


def test_the_driver_says_in_one_line_why_it_cannot_run(tmp_path: Path) -> None:
    wheel = tmp_path / "segedge-0-py3-none-any.whl"
    wheel.touch()
    command = [sys.executable, str(Path(__file__).with_name("run.py")), "--wheel", str(wheel), "--work", str(tmp_path)]
    # nothing of what is needed is on this PATH; or the user is not root
    nowhere = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=nowhere)
    assert done.returncode == 1
    assert re.fullmatch(r"test-aarch64: [^\n]+; [^\n]*\n", done.stderr), done.stderr
    assert list(tmp_path.iterdir()) == [wheel]
