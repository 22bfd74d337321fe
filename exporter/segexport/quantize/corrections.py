"""What litert-quantizer 0.11 gets wrong, put right in the child process that uses it.

Each is a function of its module that ours takes the place of, tried again without with every new version (docs/precision.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

_PIECE_BYTES = 16 * 2**20
_MOST_BIAS = 2.0**31 - 1


def correct_quantizer() -> None:
    """Weights beyond 32 MiB, which it refuses, and biases beyond int32, which it lets saturate in silence."""
    from litert_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor as module

    module.uniform_quantize = _in_pieces(module.uniform_quantize, module.fix_quantization_params_rank)
    module.symmetric_quantize_bias_tensor = _checked(module.symmetric_quantize_bias_tensor)


def _in_pieces(original: Callable[..., Any], with_rank: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Quantize a large constant in pieces of its first axis.

    Beyond 32 MiB litert-quantizer makes a constant flat but not its scales: `input operand has more dimensions than allowed`.
    """
    import numpy as np

    def quantize(values: Any, params: Any, is_blockwise_quant: bool = False) -> Any:
        if is_blockwise_quant or values.ndim < 3 or values.nbytes <= _PIECE_BYTES:
            return original(values, params, is_blockwise_quant)
        params, count = with_rank(values, params), values.nbytes // _PIECE_BYTES + 1
        pieces = np.array_split(values, count)
        scales, zero_points = (
            np.array_split(each, count) if len(each) == len(values) else [each] * count
            for each in (params.scale, params.zero_point)
        )
        return np.concatenate(
            [
                original(piece, replace(params, scale=scale, zero_point=zero_point))
                for piece, scale, zero_point in zip(pieces, scales, zero_points, strict=True)
            ]
        )

    return quantize


def _checked(original: Callable[..., Any]) -> Callable[..., Any]:
    """Quantize a bias; ValueError where int32 does not reach, which the quantizer tells with the operator's number."""
    import numpy as np

    def quantize(bias: Any, image: Any, weights: Any, check_error: bool = False) -> Any:
        found = original(bias, image, weights, check_error)
        reached = np.abs(bias.ravel().astype(np.float64)) / np.ravel(found.scale)
        if not (reached <= _MOST_BIAS).all():
            raise ValueError(f"a bias of {reached.max():.3g} steps, int32 holds {_MOST_BIAS:.3g}")
        return found

    return quantize
