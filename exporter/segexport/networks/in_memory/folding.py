"""Weights that are computed from others, in a module's copy → plain weights of the same values."""

from __future__ import annotations

import warnings

import torch
from torch import nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from segexport.errors import plural


def fold(module: nn.Module) -> tuple[str, ...]:
    """Fold parametrizations and the older weight norm, spectral norm and pruning, in place; `module` is in evaluation mode.

    Exact: each weight becomes the tensor that forward would have computed.

    Returns:
        A note where something was folded.
    """
    parametrized = [one for one in module.modules() if parametrize.is_parametrized(one)]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older functions are deprecated, and that is not for this caller to hear
        # all are computed before one is put in place: several may share what they are computed from
        computed = [{name: getattr(one, name).clone() for name in _names(one)} for one in parametrized]
        for one, weights in zip(parametrized, computed, strict=True):
            _make_plain(one, weights)
        older = sum(_fold_older(one) for one in module.modules())
    module.requires_grad_(False)
    count = sum(map(len, computed)) + older
    return (f"Weight norm and the like are folded into {plural(count, 'weight')}.",) if count else ()


def _names(module: nn.Module) -> list[str]:
    parametrizations = module.parametrizations
    return list(parametrizations) if isinstance(parametrizations, nn.ModuleDict) else []


def _make_plain(module: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """What `remove_parametrizations` does, but for the class: the original's modules have the same one."""
    del module.parametrizations
    module.__class__ = type(module).__bases__[0]
    for name, weight in weights.items():
        module.register_parameter(name, nn.Parameter(weight, requires_grad=False))


def _fold_older(module: nn.Module) -> int:
    """The forms before parametrizations: a hook that computes the weight before each forward."""
    hooks = list(module._forward_pre_hooks.values())
    for hook in hooks:
        if isinstance(hook, WeightNorm):
            remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            remove_spectral_norm(module, hook.name)
        elif isinstance(hook, prune.BasePruningMethod):
            prune.remove(module, hook._tensor_name)  # type: ignore[no-untyped-call]
    return len(hooks) - len(module._forward_pre_hooks)
