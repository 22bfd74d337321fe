"""What tests of several folders rely on: the signals of a program in the foreground, and one converter for all."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

LONGEST = ("test_full_size.py", "test_accuracy_budget.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, the slowest before them: shared out among processes, none is left over at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path.name not in LONGEST, item.path not in slow))


@pytest.fixture(scope="session", autouse=True)
def signals_of_the_foreground() -> Iterator[None]:
    """`make test &` and `nohup` start the suite with signals ignored; a child inherits that, and takes no Ctrl-C."""
    if sys.platform == "win32":
        yield
        return
    usual = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, usual)
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def write_float32(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path, Path], None]]:
    """`write_float32(onnx, tflite)` by the real converter: its libraries load for longer than a small network converts."""
    from segexport.convert.float32 import Float32Converter
    from segexport.convert.setup.place import is_ready

    if not is_ready("direct"):
        pytest.skip("converter direct is not installed here: segexport setup direct")
    with Float32Converter("direct", tmp_path_factory.mktemp("converter"), limit_s=600) as converter:

        def write(onnx_path: Path, target: Path) -> None:
            converter.begin(onnx_path, target)
            converter.finish(lambda _: None)

        yield write
