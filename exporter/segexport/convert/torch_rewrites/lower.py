"""Any network → the same network in operators that every converter takes.

The module is exported to a graph of ATen operators, without in-place operations, and rewrites are put in there: so it does not
matter whether a network was written with `nn.MaxUnpool2d` or `F.max_unpool2d`, in one of our files or in a user's.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node

from segexport.convert.torch_rewrites.adaptive_avg_pool import rewrite_adaptive_avg_pool
from segexport.convert.torch_rewrites.adaptive_max_pool import rewrite_adaptive_max_pool
from segexport.convert.torch_rewrites.ceil_avg_pool import AVG_POOL, has_ceil_mode, rewrite_ceil_avg_pool
from segexport.convert.torch_rewrites.constants import constants_known
from segexport.convert.torch_rewrites.editor import GraphEditor
from segexport.convert.torch_rewrites.masked_attention import ATTENTION, is_masked, rewrite_masked_attention
from segexport.convert.torch_rewrites.max_unpool import rewrite_max_unpool
from segexport.convert.torch_rewrites.overlapping_unpool import rewrite_overlapping_unpool
from segexport.convert.torch_rewrites.padded_max_pool import has_padding, rewrite_padded_max_pool
from segexport.convert.torch_rewrites.pools import POOL, POOL_WITH_INDICES, UNPOOL, source_of_indices, target_of
from segexport.convert.torch_rewrites.resizing import RESIZINGS, is_mistaken, rewrite_resizing
from segexport.errors import ConversionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """What looks for calls of ATen operators; `apply` rewrites a call and says True, or leaves it and says False.

    `may_apply`, of a call in the graph as exported: False where it would be left for sure.
    """

    operators: tuple[Any, ...]
    apply: Callable[[GraphEditor, Node], bool]
    may_apply: Callable[[Node], bool] = lambda _: True


aten = torch.ops.aten
REWRITES: dict[str, Rewrite] = {
    "max_unpool": Rewrite(operators=(UNPOOL,), apply=rewrite_max_unpool),
    "overlapping_unpool": Rewrite(operators=(UNPOOL,), apply=rewrite_overlapping_unpool),
    "padded_max_pool": Rewrite(operators=(POOL,), apply=rewrite_padded_max_pool, may_apply=has_padding),
    "adaptive_avg_pool": Rewrite(operators=(aten.adaptive_avg_pool2d.default,), apply=rewrite_adaptive_avg_pool),
    "adaptive_max_pool": Rewrite(operators=(aten.adaptive_max_pool2d.default,), apply=rewrite_adaptive_max_pool),
    "ceil_avg_pool": Rewrite(operators=(AVG_POOL,), apply=rewrite_ceil_avg_pool, may_apply=has_ceil_mode),
    "masked_attention": Rewrite(operators=(ATTENTION,), apply=rewrite_masked_attention, may_apply=is_masked),
    "resizing": Rewrite(operators=RESIZINGS, apply=rewrite_resizing, may_apply=is_mistaken),
}
_POOL_OF_VALUES = replace(REWRITES["padded_max_pool"], operators=(POOL_WITH_INDICES,))  # the editor makes one of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """How often one rewrite was used in one module: its name, the module's path in the network, the module's class."""

    rewrite: str
    module: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """A module that gives the same numbers (it shares the original's weights), its program, and what was rewritten in it."""

    module: nn.Module
    program: ExportedProgram
    rewrites: tuple[Rewritten, ...]
    seldom_converted: tuple[str, ...] = ()  # operators of its ONNX file that converters may lack, with lines of forward


def lower(module: nn.Module, example: Tensor) -> Lowered:
    """Rewrite what converters cannot take; `example` fixes the input's shape. Nothing to rewrite: `module` itself.

    Raises:
        ConversionError: an unpool that no rewrite fits; names its module and says what to do.
        Exception: whatever `torch.export` raises on a network that it cannot trace.
    """
    program = _export(module, example)
    if not _has_candidates(program):
        return Lowered(module=module, program=program, rewrites=())
    editor = GraphEditor(_graph_of(program))
    done: Counter[tuple[str, str, str]] = Counter()
    for name, rewrite in REWRITES.items():
        for node in editor.calls(*rewrite.operators):
            path, kind = where(node)
            if rewrite.apply(editor, node):
                done[name, path, kind] += 1
    for node in editor.calls(UNPOOL):
        _refuse(node)
    if not done:
        return Lowered(module=module, program=program, rewrites=())
    rewrites = (Rewritten(rewrite=name, module=path, kind=kind, count=n) for (name, path, kind), n in done.items())
    lowered = editor.finish()
    return Lowered(module=lowered, program=_export(lowered, example), rewrites=tuple(rewrites))


def where(node: Node) -> tuple[str, str]:
    """Path and class of the module whose forward calls `node`, as `nn.Module.named_modules` has them."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path, kind = stack[-1] if stack else ("", "")
    return str(path), (kind if isinstance(kind, str) else kind.__name__).rpartition(".")[2]


def _export(module: nn.Module, example: Tensor) -> ExportedProgram:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with constants_known(module):
            return torch.export.export(module, (example,))


def _has_candidates(program: ExportedProgram) -> bool:
    """Whether any call could be rewritten: the graph without in-place operations takes as long again as the export."""
    return any(
        node.target in rewrite.operators and rewrite.may_apply(node)
        for node in program.graph.nodes
        for rewrite in (*REWRITES.values(), _POOL_OF_VALUES)
    )


def _graph_of(program: ExportedProgram) -> GraphModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = program.run_decompositions({}).module(check_guards=False)
    if not isinstance(graph, GraphModule):
        raise ConversionError(
            f"torch.export gave a {type(graph).__name__}, expected a GraphModule; use torch 2.9 or newer"
        )
    return graph


def _refuse(unpool: Node) -> None:
    path, kind = where(unpool)
    pool, target = source_of_indices(unpool), target_of(unpool)
    if pool is None:
        found = "its indices do not come straight from a max-pool"
    elif pool.size != target:
        found = f"it goes to {target[0]}x{target[1]}, but {pool.size[0]}x{pool.size[1]} was pooled"
    else:
        found = f"its pool has {pool.describe()}"
    raise ConversionError(
        f"max_unpool2d in {path or 'the network'} ({kind}): {found}; expected the unchanged indices of a pool of 2x2 by 2, "
        "3x3 by 3, or 3x3 by 2 with padding 1, and the size that was pooled: give output_size, or a --size that divides"
    )
