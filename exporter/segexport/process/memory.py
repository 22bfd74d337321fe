"""Giving memory back between the steps of a conversion: the libraries leave gigabytes to the allocator, which keeps them."""

from __future__ import annotations

import ctypes
import gc
import sys


def release_memory() -> None:
    """Collect what nobody refers to, and let the allocator return its free pages, where it can (glibc)."""
    gc.collect()
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
