"""PyTorch's max-unpool in the order of its windows, however many threads there are.

Its CPU kernel cuts all windows of all channels into one run for each thread. Where windows overlap and a cut falls inside a
channel (three threads and 64 channels, say, or any two with channels last), two threads write one place and the last one to
come wins: a few values differ from run to run. With one thread it is always the last window in raster order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from segexport.convert.torch_rewrites.pools import UNPOOL


class UnpoolsInOrder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # its metaclass hook
    """`with UnpoolsInOrder():` every unpool inside runs with one thread; all else as before."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func != UNPOOL:
            return func(*args, **(kwargs or {}))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return func(*args, **(kwargs or {}))
        finally:
            torch.set_num_threads(threads)
