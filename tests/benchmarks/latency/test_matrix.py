"""Which configurations a matrix has, what they are called, and in which order they are measured."""

from __future__ import annotations

from collections import Counter

import pytest

from segbench.errors import OptionError
from segbench.latency.matrix import Matrix, names
from segbench.process.job import Effort, Job
from segruntime.backends import BACKENDS
from segruntime.segmenter import BUNDLED


def test_every_value_of_every_axis_meets_every_other_once() -> None:
    matrix = Matrix(
        backends=("tflite", "onnx"), threads=(1, 2, 4), sizes=((640, 480), (1280, 720)), presets=(None, "fast", "best")
    )
    jobs = matrix.jobs()
    assert len(jobs) == len(set(jobs)) == 2 * 3 * 2 * 3
    assert Counter(job.threads for job in jobs) == {1: 12, 2: 12, 4: 12}
    assert {job.size for job in jobs} == {(640, 480), (1280, 720)}


def test_axis_without_values_has_that_of_the_base() -> None:
    base = Job(backend="onnx", threads=3, width=64, height=48, preset="fast", effort=Effort(runs=7))
    assert Matrix(base=base).jobs() == (base,)


def test_value_given_twice_is_measured_once() -> None:
    assert [job.threads for job in Matrix(threads=(2, 1, 2)).jobs()] == [2, 1]


def test_each_model_goes_to_its_own_backend() -> None:
    models = tuple(str(path) for path in BUNDLED.values())
    assert [job.backend for job in Matrix(models=models, backends=tuple(BACKENDS)).jobs()] == list(BUNDLED)
    assert [job.backend for job in Matrix(models=models).jobs()] == [None, None]


def test_model_of_another_backend_is_left_for_the_runtime_to_refuse() -> None:
    assert [job.backend for job in Matrix(models=(str(BUNDLED["tflite"]),), backends=("onnx",)).jobs()] == ["onnx"]
    assert [job.backend for job in Matrix(models=("gone.onnx",), backends=("onnx",)).jobs()] == ["onnx"]


def test_every_round_of_the_order_has_each_configuration_once() -> None:
    order = Matrix(base=Job(effort=Effort(processes=20)), seed=3).order(5)
    rounds = [order[start : start + 5] for start in range(0, len(order), 5)]
    assert len(rounds) == 20
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in rounds)
    assert len({tuple(one) for one in rounds}) > 10


def test_order_is_that_of_the_seed() -> None:
    assert Matrix(seed=3).order(8) == Matrix(seed=3).order(8)
    assert Matrix(seed=3).order(8) != Matrix(seed=4).order(8)
    assert Matrix().seed != Matrix().seed


def test_unusable_seed_is_refused() -> None:
    with pytest.raises(OptionError, match="seed: got -1, expected a whole number from 0"):
        Matrix(seed=-1)


def test_name_holds_what_differs_and_nothing_else() -> None:
    assert names([Job(model="a/net.tflite", threads=2)]) == ["net.tflite"]
    assert names([Job(model="a/net.tflite", threads=t, preset="fast") for t in (1, 2)]) == [
        "net.tflite, 1 thread",
        "net.tflite, 2 threads",
    ]


def test_models_of_one_name_are_called_by_their_paths() -> None:
    assert names([Job(model="a/net.tflite"), Job(model="b/net.tflite")]) == ["a/net.tflite", "b/net.tflite"]


def test_names_are_different_for_different_jobs() -> None:
    matrix = Matrix(backends=("tflite", "onnx"), threads=(1, 2), sizes=((64, 48), (96, 64)), presets=(None, "best"))
    found = names(matrix.jobs())
    assert len(set(found)) == 16
    assert "bundled onnx, 2 threads, 96x64, best" in found
    assert "bundled tflite, 1 thread, 64x48, no preset" in found
