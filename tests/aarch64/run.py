"""The Pi without a Pi: the runtime, the verifier and the benchmark in a Debian arm64 root under qemu, masks against x86's.

make test-aarch64 [SUITE=bookworm|trixie]

Two roots of the same Debian are made, arm64 and amd64, with the same versions of everything that pip brings. Both get the
wheel of this checkout. The arm64 root runs as a Pi 5's and as a Pi 4's processor, whose kernels differ.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click
from debian_root import DebianRoot, make_root
from difference import Difference, compare_files
from emulator import emulation
from inside import RESULTS, Machine, enter_namespace, mount_binfmt, mount_into, unmount_from
from lock import only_one
from needs import check_needs
from processors import NATIVE, PI_4, PI_5
from refusal import CannotRunError
from steps import Step, make_masks, quick_benchmark, run_tests, verify_models
from summary import LEGEND, everything_passed, mask_table, step_table, write_summary
from wheels import NEEDED, install_segedge, install_wheels

from segbench.errors import OutputError

CHECKOUT = Path(__file__).parents[2]
INPUT = "x86-masks.npz"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--wheel", type=click.Path(path_type=Path, exists=True), required=True, help="Of this checkout.")
@click.option(
    "--suite", default="bookworm", show_default=True, help="The Debian: bookworm has Python 3.11, trixie 3.13."
)
@click.option(
    "--work", type=click.Path(path_type=Path), default=CHECKOUT / ".aarch64", help="Where the roots are kept."
)
@click.option(
    "--output", type=click.Path(path_type=Path), default=CHECKOUT / "out" / "aarch64", help="For the results."
)
@click.option(
    "--portraits", type=click.IntRange(0), default=4, show_default=True, help="Photographs whose masks are compared."
)
@click.option(
    "--tests/--no-tests", "with_tests", default=True, help="The runtime's tests, which take most of the time."
)
def main(wheel: Path, suite: str, work: Path, output: Path, portraits: int, with_tests: bool) -> None:
    """Run the runtime's tests, segexport verify, segbench --quick and the comparison of masks on an emulated Pi."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        check_needs()
        enter_namespace()
        with only_one(work.resolve()):
            passed = check(wheel.resolve(), suite, work.resolve(), output.resolve(), portraits, with_tests)
    except (CannotRunError, OutputError) as error:
        _end(str(error), 1)
    except KeyboardInterrupt:
        _end("interrupted; a root that was being made is made again next time", 130)
    if not passed:
        _end(f"failed, see the table; the logs are in {output}", 1)


def check(wheel: Path, suite: str, work: Path, output: Path, portraits: int, with_tests: bool) -> bool:
    """All of it; → did everything pass?"""
    started = time.monotonic()
    arm, x86 = (make_root(work, arch, suite, say) for arch in ("arm64", "amd64"))
    versions = install_both(arm, x86, wheel)
    reference = Machine(root=x86, processor=NATIVE, results=output / "x86-64")
    pis = [Machine(root=arm, processor=one, results=output / str(one.emulated)) for one in (PI_5, PI_4)]
    mount_binfmt()
    with emulation():
        steps = steps_on(reference, None, portraits, whole=True, with_tests=with_tests)
        for machine in pis:
            steps += steps_on(machine, reference, portraits, whole=machine is pis[0], with_tests=with_tests)
    compared = {one.processor.name: compare(reference, one) for one in pis}
    seconds = round(time.monotonic() - started, 1)
    facts = {
        "debian": suite,
        "python": arm.python_version,
        "packages": versions,
        "wheel": wheel.name,
        "seconds": seconds,
    }
    write_summary(output / "summary.json", facts, steps, compared)
    direct = ", ".join(f"{name} {versions[name]}" for name in NEEDED)
    click.echo("\n".join([*step_table(steps), "", *mask_table(compared), "", LEGEND]))
    click.echo(f"Debian {suite}, Python {arm.python_version}, {direct}.")
    click.echo(f"{seconds:.0f} s in all. Times under the emulator say nothing about a Raspberry Pi.")
    return everything_passed(steps, compared)


def install_both(arm: DebianRoot, x86: DebianRoot, wheel: Path) -> dict[str, str]:
    """The newest versions that an aarch64 wheel exists of, and the very same for x86; → name → version."""
    versions = install_wheels(arm, NEEDED, say)
    theirs = install_wheels(x86, [f"{name}=={version}" for name, version in versions.items()], say)
    if theirs != versions:
        odd = sorted(set(theirs.items()) ^ set(versions.items()))[0]
        raise CannotRunError(f"the two roots have different versions ({odd[0]} {odd[1]}); make clean, then again")
    for root in (arm, x86):
        install_segedge(root, wheel)
    return versions


def steps_on(
    machine: Machine, reference: Machine | None, portraits: int, *, whole: bool, with_tests: bool
) -> list[Step]:
    """Masks and verify on one machine, benchmark and tests where it is the `whole`; in a results folder that is new.

    `reference`: whose masks are there already.
    """
    shutil.rmtree(machine.results, ignore_errors=True)
    machine.results.mkdir(parents=True)
    mount_into(machine, CHECKOUT, CHECKOUT.parent / "shared")
    try:
        say(f"{machine.processor.name}: masks, segexport verify")
        found = [make_masks(machine, portraits, _given(machine, reference)), *verify_models(machine)]
        if whole:
            say(f"{machine.processor.name}: segbench --quick")
            found.append(quick_benchmark(machine))
        if whole and with_tests:
            say(f"{machine.processor.name}: tests")
            found.append(run_tests(machine))
    finally:
        unmount_from(machine)
    return found


def compare(reference: Machine, machine: Machine) -> list[Difference]:
    """Nothing where masks are missing: the step that should have made them has failed."""
    files = [one.results / "masks.npz" for one in (reference, machine)]
    return compare_files(*files) if all(path.is_file() for path in files) else []


def _given(machine: Machine, reference: Machine | None) -> str | None:
    """The reference's masks, put where the machine sees them; → their name there."""
    if reference is None or not (reference.results / "masks.npz").is_file():
        return None
    shutil.copy(reference.results / "masks.npz", machine.results / INPUT)
    return f"{RESULTS}/{INPUT}"


def say(what: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')} {what}", err=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(message: str, code: int) -> None:
    click.echo(f"test-aarch64: {' '.join(message.split())}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
