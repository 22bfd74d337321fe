"""The operators that a graph out of a file may use: a literal list of pure ones. Anything else is refused by name.

Operators whose kernels trust their arguments (`_unsafe_index`, the `native_` norms) are replaced by the checked ones that
compute the same.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

ATEN = "torch.ops.aten."
_ALLOWED = """
    conv2d.default conv2d.padding conv_transpose2d.input convolution.default linear.default matmul.default mm.default
    bmm.default addmm.default batch_norm.default instance_norm.default layer_norm.default group_norm.default
    scaled_dot_product_attention.default
    relu.default relu6.default hardtanh.default hardswish.default hardsigmoid.default silu.default gelu.default
    leaky_relu.default elu.default prelu.default mish.default softplus.default sigmoid.default tanh.default
    softmax.int log_softmax.int logsumexp.default
    add.Tensor add.Scalar sub.Tensor sub.Scalar rsub.Scalar mul.Tensor mul.Scalar div.Tensor div.Scalar
    div.Tensor_mode floor_divide.default neg.default abs.default exp.default log.default sqrt.default rsqrt.default
    pow.Tensor_Scalar square.default reciprocal.default floor.default ceil.default round.default
    clamp.default clamp.Tensor clamp_min.default clamp_max.default maximum.default minimum.default
    eq.Tensor eq.Scalar ne.Tensor ne.Scalar ge.Tensor ge.Scalar gt.Tensor gt.Scalar le.Tensor le.Scalar lt.Tensor
    lt.Scalar logical_and.default logical_or.default logical_not.default any.dim where.self where.ScalarOther masked_fill.Scalar
    sum.default sum.dim_IntList mean.default mean.dim amax.default amin.default max.dim min.dim
    var.correction var.dim std.correction linalg_vector_norm.default
    max_pool2d.default max_pool2d_with_indices.default max_unpool2d.default avg_pool2d.default
    adaptive_avg_pool2d.default _adaptive_avg_pool2d.default adaptive_max_pool2d.default
    upsample_nearest2d.default upsample_nearest2d.vec _upsample_nearest_exact2d.default _upsample_nearest_exact2d.vec
    upsample_bilinear2d.default upsample_bilinear2d.vec upsample_bicubic2d.default upsample_bicubic2d.vec
    pixel_shuffle.default pixel_unshuffle.default channel_shuffle.default
    pad.default constant_pad_nd.default reflection_pad2d.default replication_pad2d.default
    cat.default stack.default chunk.default split.Tensor split.sizes split_with_sizes.default unbind.int
    view.default reshape.default _unsafe_view.default flatten.using_ints unflatten.int permute.default
    transpose.int t.default expand.default expand_as.default repeat.default slice.Tensor select.int narrow.default
    squeeze.default squeeze.dim squeeze.dims unsqueeze.default movedim.int roll.default flip.default
    index.Tensor index_select.default gather.default
    dropout.default feature_dropout.default clone.default contiguous.default detach.default alias.default
    lift_fresh_copy.default to.dtype to.dtype_layout to.device to.other _to_copy.default type_as.default
    zeros.default ones.default full.default zeros_like.default ones_like.default full_like.default new_zeros.default
    new_ones.default new_full.default arange.default arange.start arange.start_step linspace.default
    scalar_tensor.default
"""
ALLOWED = frozenset(_ALLOWED.split())
_INPLACE = """
    relu_.default relu6_.default hardtanh_.default hardswish_.default hardsigmoid_.default silu_.default
    leaky_relu_.default elu_.default mish_.default sigmoid_.default tanh_.default exp_.default sqrt_.default
    add_.Tensor add_.Scalar sub_.Tensor sub_.Scalar mul_.Tensor mul_.Scalar div_.Tensor div_.Scalar
    clamp_.default clamp_min_.default clamp_max_.default dropout_.default feature_dropout_.default neg_.default
"""
INPLACE = {name: name.replace("_.", ".") for name in _INPLACE.split()}
"""In-place operator → the one that leaves its input alone."""
_VIEWS = """
    view.default reshape.default _unsafe_view.default flatten.using_ints unflatten.int permute.default transpose.int
    t.default expand.default expand_as.default slice.Tensor select.int narrow.default squeeze.default squeeze.dim
    squeeze.dims unsqueeze.default movedim.int chunk.default split.Tensor split.sizes split_with_sizes.default
    unbind.int dropout.default feature_dropout.default contiguous.default detach.default alias.default to.dtype
    to.dtype_layout to.device to.other type_as.default pixel_shuffle.default pixel_unshuffle.default channel_shuffle.default
"""
VIEWS = frozenset(_VIEWS.split())
"""What may give back the memory of its input."""
_FACTORIES = """
    zeros.default ones.default full.default empty.memory_format arange.default arange.start arange.start_step
    linspace.default scalar_tensor.default
"""
FACTORIES = frozenset(_FACTORIES.split())
EVALUATION: dict[str, dict[str, Any]] = {
    **{f"{name}.default": {"train": False} for name in ("dropout", "feature_dropout", "dropout_", "feature_dropout_")},
    "scaled_dot_product_attention.default": {"dropout_p": 0.0},
}
"""Arguments that are set whatever the file says: nothing is dropped at random."""
_IGNORED = """
    _assert_tensor_metadata.default sym_constrain_range.default sym_constrain_range_for_size.default
"""
IGNORED = frozenset(_IGNORED.split())


def _whole_truncated(value: float) -> int:
    return math.trunc(value)


SYMBOLIC: dict[str, Callable[..., Any]] = {
    **{
        f"_operator.{name}": getattr(operator, name)
        for name in ("add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "eq", "ne", "lt", "le", "gt", "ge")
    },
    "_operator.and_": lambda a, b: bool(a) and bool(b),
    "_operator.or_": lambda a, b: bool(a) or bool(b),
    "torch.sym_max": max,
    "torch.sym_min": min,
    "torch.sym_float": float,
    "torch.sym_int": int,
    "torch.sym_not": operator.not_,
    "math.trunc": _whole_truncated,
    "math.floor": math.floor,
    "math.ceil": math.ceil,
}
"""Arithmetic on sizes, in graphs whose input size may vary."""


def _batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> tuple[Tensor, None, None]:
    return F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps), None, None


def _batch_norm_of_batch(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, training: bool, momentum: float, eps: float
) -> tuple[Tensor, None, None]:
    if not training:
        raise ValueError("a batch norm without statistics")
    return F.batch_norm(input, None, None, weight, bias, True, momentum, eps), None, None


def _layer_norm(
    input: Tensor,
    normalized_shape: list[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> tuple[Tensor, None, None]:
    return F.layer_norm(input, normalized_shape, weight, bias, eps), None, None


def _group_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    N: int,  # noqa: N803
    C: int,  # noqa: N803
    HxW: int,  # noqa: N803
    group: int,
    eps: float,
) -> tuple[Tensor, None, None]:
    if (N, C, HxW) != (input.shape[0], input.shape[1], input[0, 0].numel()):
        raise ValueError(f"sizes {(N, C, HxW)} are not those of its input {tuple(input.shape)}")
    return F.group_norm(input, group, weight, bias, eps), None, None


def _refuse_half(half_to_float: bool) -> None:
    if half_to_float:
        raise ValueError("a softmax of float16; export the network in float32")


def _softmax(self: Tensor, dim: int, half_to_float: bool) -> Tensor:
    _refuse_half(half_to_float)
    return self.softmax(dim)


def _log_softmax(self: Tensor, dim: int, half_to_float: bool) -> Tensor:
    _refuse_half(half_to_float)
    return self.log_softmax(dim)


def _index(self: Tensor, indices: list[Tensor | None]) -> Tensor:
    checked: Tensor = torch.ops.aten.index.Tensor(self, indices)
    return checked


def _empty(size: list[int], *, device: torch.device, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    """segmentation_models_pytorch gives its decoders a map without channels so."""
    if 0 not in size:
        raise ValueError(f"a tensor {tuple(size)} of whatever the memory holds; export the network without torch.empty")
    return torch.zeros(size, dtype=dtype, device=device)


SUBSTITUTES: dict[str, Callable[..., Any]] = {
    "empty.memory_format": _empty,
    "_native_batch_norm_legit_no_training.default": _batch_norm,
    "_native_batch_norm_legit.no_stats": _batch_norm_of_batch,
    "native_layer_norm.default": _layer_norm,
    "native_group_norm.default": _group_norm,
    "_softmax.default": _softmax,
    "_log_softmax.default": _log_softmax,
    "_unsafe_index.Tensor": _index,
}


def known(name: str) -> bool:
    """Whether `conv2d.default` or the like may be run."""
    return name in ALLOWED or name in SUBSTITUTES or name in INPLACE


def schema_of(name: str) -> Any:
    """torch's own schema of a known operator: argument names, their order and their defaults."""
    return _overload(name)._schema


def function_of(name: str) -> Callable[..., Any]:
    """What is called for a known operator; in-place ones have been replaced before."""
    function: Callable[..., Any] = SUBSTITUTES[name] if name in SUBSTITUTES else _overload(name)
    return function


def _overload(name: str) -> Any:
    if not known(name):
        raise KeyError(name)
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), overload)
