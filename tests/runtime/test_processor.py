"""The processor's name and its int8 instructions, on made-up machines: named, unnamed, and with a file that says nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segruntime import processor
from segruntime.processor import Processor, cpu_name, find_processor, processor_flags

X86 = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD  EPYC 7B13\nflags\t\t: fpu sse4_2 avx2{more}\n\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32{more}\nCPU implementer\t: 0x41\nCPU part\t: {part}\n\n"
BINARY = bytes(range(256)) * 64


@pytest.fixture(autouse=True)
def nothing_else_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the platform's name of this machine nor macOS's answers."""
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "")
    monkeypatch.setattr(sys, "platform", "linux")


def machine(root: Path, cpuinfo: str | bytes, board: str = "") -> Path:
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/cpuinfo").write_bytes(cpuinfo if isinstance(cpuinfo, bytes) else cpuinfo.encode())
    if board:
        (root / "proc/device-tree/model").write_text(board)
    return root


@pytest.mark.parametrize(
    ("more", "has", "said"),
    [
        ("", "neither", "AMD EPYC 7B13 (neither VNNI nor dot product)"),
        (" avx512f avx512bw", "neither", "AMD EPYC 7B13 (neither VNNI nor dot product)"),
        (" avx512f avx512_vnni", "VNNI", "AMD EPYC 7B13 (VNNI)"),
        (" avx_vnni", "VNNI", "AMD EPYC 7B13 (VNNI)"),
    ],
)
def test_an_x86_has_vnni_or_neither(tmp_path: Path, more: str, has: str, said: str) -> None:
    found = find_processor(machine(tmp_path, X86.format(more=more) * 2))
    assert found.to_json() == {"name": "AMD EPYC 7B13", "int8": has}
    assert str(found) == said


@pytest.mark.parametrize(
    ("board", "part", "more", "has"),
    [
        ("Raspberry Pi 4 Model B Rev 1.4", "0xd08", "", "neither"),
        ("Raspberry Pi 5 Model B Rev 1.0", "0xd0b", " asimdhp asimddp", "dot product"),
        ("A board with i8mm", "0xd4f", " i8mm", "dot product"),
    ],
)
def test_a_board_is_called_by_its_own_name(tmp_path: Path, board: str, part: str, more: str, has: str) -> None:
    root = machine(tmp_path, ARM.format(more=more, part=part), board + "\0")
    assert find_processor(root).to_json() == {"name": board, "int8": has}


@pytest.mark.parametrize(
    ("part", "name"), [("0xd08", "Arm Cortex-A72"), ("0xd40", "Arm Neoverse V1"), ("0xfff", "unknown")]
)
def test_an_arm_server_is_called_by_its_core(tmp_path: Path, part: str, name: str) -> None:
    assert cpu_name(machine(tmp_path, ARM.format(more="", part=part))) == name


def test_part_numbers_of_another_maker_are_not_arms(tmp_path: Path) -> None:
    theirs = ARM.format(more="", part="0xd08").replace("0x41", "0x61")
    assert cpu_name(machine(tmp_path, theirs)) == "unknown"


@pytest.mark.parametrize("cpuinfo", [b"", b"\n\n:::\n", b"flags\t\t:\n", BINARY, b"\0" * 4096, b"model name\t: "])
def test_a_file_that_says_nothing_makes_an_unknown_processor(tmp_path: Path, cpuinfo: bytes) -> None:
    found = find_processor(machine(tmp_path, cpuinfo))
    assert found == Processor(name="unknown", int8="unknown")
    assert str(found) == "unknown (VNNI and dot product unknown)"


def test_a_missing_file_makes_an_unknown_processor(tmp_path: Path) -> None:
    assert find_processor(tmp_path) == Processor(name="unknown", int8="unknown")


def test_a_folder_in_its_place_makes_an_unknown_processor(tmp_path: Path) -> None:
    (tmp_path / "proc/cpuinfo").mkdir(parents=True)
    assert find_processor(tmp_path) == Processor(name="unknown", int8="unknown")


def test_a_file_that_cannot_be_read_makes_an_unknown_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = machine(tmp_path, X86.format(more=" avx_vnni"))

    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", closed)  # chmod does not stop root
    assert find_processor(root) == Processor(name="unknown", int8="unknown")


def test_of_a_file_of_gigabytes_only_the_beginning_is_read(tmp_path: Path) -> None:
    root = machine(tmp_path, X86.format(more=" avx_vnni"))
    os.truncate(root / "proc/cpuinfo", 1 << 40)
    assert find_processor(root) == Processor(name="AMD EPYC 7B13", int8="VNNI")


def test_a_name_is_one_line_of_bounded_length(tmp_path: Path) -> None:
    name = cpu_name(machine(tmp_path, "model name\t: \x1b[2Ja\x00b " + "W" * 5000 + "\n"))
    assert name.startswith("[2Ja b WWW")
    assert len(name) == 100


def test_the_first_core_speaks_for_all(tmp_path: Path) -> None:
    root = machine(tmp_path, "flags\t: a b\n\nflags\t: a b avx_vnni\n")
    assert processor_flags(root) == {"a", "b"}


APPLE = {
    "machdep.cpu.brand_string": "Apple M2\n",
    "hw.optional.arm.FEAT_DotProd": "1\n",
    "hw.optional.arm.FEAT_I8MM": "1\n",
}
INTEL_MAC = {
    "machdep.cpu.brand_string": "Intel(R) Core(TM) i5-1038NG7\n",
    "machdep.cpu.leaf7_features": "AVX2 AVX512VNNI\n",
}
OLD_MAC = {"machdep.cpu.brand_string": "Intel(R) Core(TM) i5-5250U\n", "machdep.cpu.leaf7_features": "AVX2 BMI2\n"}


@pytest.mark.parametrize(("answers", "has"), [(APPLE, "dot product"), (INTEL_MAC, "VNNI"), (OLD_MAC, "neither")])
def test_a_mac_is_asked_with_sysctl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: dict[str, str], has: str
) -> None:
    def run(asked: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if asked[-1] not in answers:
            raise subprocess.CalledProcessError(1, asked)
        return subprocess.CompletedProcess(asked, 0, answers[asked[-1]])

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(processor.subprocess, "run", run)
    assert find_processor(tmp_path).to_json() == {"name": answers["machdep.cpu.brand_string"].strip(), "int8": has}


def test_a_mac_that_answers_nothing_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(processor.subprocess, "run", missing)
    assert find_processor(tmp_path) == Processor(name="unknown", int8="unknown")
