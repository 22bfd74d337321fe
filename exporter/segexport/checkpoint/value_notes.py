"""What is odd about the values of a state dict, in plain sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from segexport.errors import shown

MAX_NAMED = 5


def value_notes(state_dict: Mapping[str, Tensor], dtypes: Mapping[str, int]) -> Iterator[str]:
    """Notes on precision, on values that are no numbers, and on tensors that are listed several times."""
    for name in ("float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"):
        if name in dtypes:
            yield f"{dtypes[name]} tensors are {name}; they were turned into float32."
    broken = [
        key for key, tensor in state_dict.items() if tensor.is_floating_point() and not torch.isfinite(tensor).all()
    ]
    if broken:
        yield f"{len(broken)} tensors hold NaN or Inf: {_some(broken)}."
    counts = Counter(id(tensor) for tensor in state_dict.values())
    several = [key for key, tensor in state_dict.items() if counts[id(tensor)] > 1]
    if several:
        distinct = sum(count > 1 for count in counts.values())
        yield f"{distinct} tensors are shared and listed under {len(several)} keys: {_some(several)}."


def _some(keys: list[str]) -> str:
    return ", ".join(shown(key) for key in keys[:MAX_NAMED]) + (", …" if len(keys) > MAX_NAMED else "")
