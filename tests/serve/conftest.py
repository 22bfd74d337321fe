"""One real service for the tests that change nothing of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.serve.running import Running, make_service, picture, running

import segruntime
from segruntime.serve.worker import Worker


@pytest.fixture(scope="session")
def segmenter() -> segruntime.Segmenter:
    return segruntime.load(threads=1)


@pytest.fixture(scope="session")
def real() -> Iterator[Running]:
    """Two workers with the bundled network, and a background called wall."""
    workers = [Worker(segruntime.load(threads=1)) for _ in range(2)]
    with running(make_service(workers, {"wall": picture(30, 40, seed=9)}), ("https://friend.example",)) as service:
        yield service
