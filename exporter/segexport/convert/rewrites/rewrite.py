"""An ONNX graph → the same network in forms that converters get right; the one place where all rewrites are listed."""

from __future__ import annotations

import logging
from collections.abc import Callable

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass, ShapeInferencePass

from segexport.convert.rewrites import (
    batch_norm,
    channel_concat,
    channel_shuffle,
    constant_operand,
    gelu,
    padded_max_pool,
    pixel_shuffle,
)
from segexport.convert.rewrites.editor import OnnxEditor
from segexport.convert.torch_rewrites.lower import Rewritten

REWRITES: dict[str, Callable[[OnnxEditor], None]] = {
    gelu.NAME: gelu.rewrite_gelu,
    batch_norm.NAME: batch_norm.rewrite_batch_norm,
    padded_max_pool.NAME: padded_max_pool.rewrite_padded_max_pool,
    channel_shuffle.NAME: channel_shuffle.rewrite_channel_shuffle,
    channel_concat.NAME: channel_concat.rewrite_channel_concat,
    pixel_shuffle.NAME: pixel_shuffle.rewrite_pixel_shuffle,
    constant_operand.NAME: constant_operand.rewrite_constant_operand,
}


def rewrite_onnx(model: ir.Model) -> tuple[Rewritten, ...]:
    """Rewrite `model`, whose input has a fixed size, in place; the same numbers to rounding. Says what was done, and where."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # of shapes that cannot be inferred, and of an opset that cannot be raised
    try:
        ShapeInferencePass()(model)
        editor = OnnxEditor(model)
        for rewrite in REWRITES.values():
            rewrite(editor)
        RemoveUnusedNodesPass()(model)
    finally:
        logging.disable(level)
    return editor.rewritten()
