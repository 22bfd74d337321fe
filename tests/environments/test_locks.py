"""The locks hold what pyproject.toml asks for, on every interpreter, and nothing that only this machine could give."""

from __future__ import annotations

import re
import sys
from importlib.metadata import distribution

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from tests.each_case import each_case
from tests.places import ROOT

sys.path.insert(0, str(ROOT / "environments"))

from environment import CONSTRAINTS, LOCKED, Environment, read_lock

from segexport.convert.setup.known import ENVIRONMENTS as CONVERTERS
from segexport.convert.setup.known import ConverterEnvironment

TO_12 = ("3.10", "3.11", "3.12")
ALL = (*TO_12, "3.13", "3.14")
SUPPORTED = {
    "main": ALL,
    "light": ALL,
    "mediapipe": TO_12,
    "ray": ALL,
    "build": TO_12,
    "direct": ALL,
    "tf": TO_12,
    "litert-torch": ALL,
}
MACHINES = {"tf": ("x86_64",), "litert-torch": ("x86_64",)}
CASES = [
    (name, python, machine)
    for name in SUPPORTED
    for python in SUPPORTED[name]
    for machine in MACHINES.get(name, ("x86_64", "aarch64"))
]


def held(environment: Environment, python: str, machine: str) -> list[tuple[str, str]]:
    """(name, version) of each line of the lock that holds for that interpreter and processor."""
    where = {"python_version": python, "python_full_version": f"{python}.13", "platform_machine": machine}
    lock = read_lock(environment.lock.read_text())
    return [(name, version) for name, version, marker in lock if not marker or Marker(marker).evaluate(where)]


def asked(environment: Environment, python: str) -> list[Requirement]:
    """What pyproject.toml and NAME.in ask for."""
    lines = environment.asked.read_text().splitlines()
    lines += [environment.alone] if environment.alone else []
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    if environment.extras:
        requirements += [Requirement(line) for line in distribution("segedge").requires or []]
    where = [{"python_version": python, "extra": extra} for extra in environment.extras or ("",)]
    return [one for one in requirements if not one.marker or any(map(one.marker.evaluate, where))]


@each_case(("name", "python", "machine"), CASES)
def test_a_lock_holds_one_version_of_each_distribution(name: str, python: str, machine: str) -> None:
    names = [one for one, _ in held(LOCKED[name], python, machine)]
    assert sorted(names) == sorted(set(names))


@each_case(("name", "python", "machine"), CASES)
def test_a_lock_holds_what_is_asked_for_in_a_version_that_is_allowed(name: str, python: str, machine: str) -> None:
    environment = LOCKED[name]
    locked = dict(held(environment, python, machine))
    wrong = [
        str(one)
        for one in asked(environment, python)
        if one.name != environment.apart and not one.specifier.contains(locked.get(re.sub("[._]", "-", one.name), "0"))
    ]
    assert wrong == [], "make locks"


@pytest.mark.parametrize("environment", LOCKED.values(), ids=lambda one: one.name)
def test_every_line_of_a_lock_has_a_hash_and_no_host(environment: Environment) -> None:
    text = environment.lock.read_text()
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(read_lock(text)) > 0
    assert [one.splitlines()[0] for one in entries if "--hash=sha256:" not in one] == []
    assert "://" not in text


def test_torch_and_cuda_are_in_no_lock() -> None:
    names = {name for one in LOCKED.values() for name, _, _ in read_lock(one.lock.read_text())}
    assert [name for name in names if re.match(r"torch$|nvidia|cuda|triton", name)] == []


def test_what_stands_apart_has_its_one_version_in_the_constraints() -> None:
    assert re.fullmatch(r"torch==\d+\.\d+\.\d+", LOCKED["main"].pinned_apart or "")


@each_case("name", ["main", "direct", "litert-torch"])
@each_case("python", ALL)
def test_the_constraints_and_a_lock_that_keeps_to_them_name_the_same_versions(name: str, python: str) -> None:
    locked = dict(held(LOCKED[name], python, "x86_64"))
    lines = [line for line in CONSTRAINTS.read_text().splitlines() if line and not line.startswith(("#", "torch=="))]
    pins = [Requirement(line) for line in lines]
    pins = [one for one in pins if one.marker is None or one.marker.evaluate({"python_version": python})]
    assert name != "main" or {one.name for one in pins} <= set(locked)
    assert [str(one) for one in pins if one.name in locked and not one.specifier.contains(locked[one.name])] == []


@pytest.mark.parametrize("converter", CONVERTERS.values(), ids=lambda one: one.name)
def test_a_converter_s_lock_holds_what_is_shown_of_it_where_it_says_that_it_can_be(
    converter: ConverterEnvironment,
) -> None:
    machines = [machine for system, machine in converter.machines if system == "linux"] or ["x86_64", "aarch64"]
    for python in ALL:
        numbers = tuple(map(int, f"{python}.13".split(".")))
        for machine in machines:
            locked = dict(held(LOCKED[converter.name], python, machine))
            assert (set(converter.shown) <= set(locked)) == converter.fits(numbers), (python, machine)


def test_no_converter_is_locked_together_with_what_it_borrows() -> None:
    names = {name for name, _, _ in read_lock(CONVERTERS["litert-torch"].lock.read_text())}
    assert CONVERTERS["litert-torch"].borrows == "torch"
    assert not names & {"torch", "transformers", "kagglehub", "triton"}
