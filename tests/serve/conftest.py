"""One real service for the tests that change nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import segruntime


@pytest.fixture(scope="module")
def segmenter() -> segruntime.Segmenter:
    return segruntime.load(threads=1)


@pytest.fixture(scope="module")
def real() -> Iterator[Any]:
    """Two workers with the bundled network, and a background called wall."""
    from tests.serve.running import make_service, picture, running

    from segruntime.serve.worker import Worker

    workers = [Worker(segruntime.load(threads=1)) for _ in range(2)]
    with running(make_service(workers, {"wall": picture(30, 40, seed=9)}), ("https://friend.example",)) as service:
        yield service
