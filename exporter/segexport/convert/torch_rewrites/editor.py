"""Puts modules into an exported graph in the place of its operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.fx import GraphModule, Node

from segexport.convert.torch_rewrites.pools import POOL, POOL_WITH_INDICES, Pool
from segexport.convert.torch_rewrites.signs import NEVER_NEGATIVE, never_negative

PREFIX = "rewritten"


class GraphEditor:
    """The graph that is being rewritten, and what has been put into it.

    Pools that give indices are two nodes here: one for the values, one for the indices, which goes when nobody asks for them.
    """

    def __init__(self, module: GraphModule) -> None:
        self.module = module
        self._count = 0
        self._choices: dict[Node, Node] = {}
        self._values: dict[Node, Node] = {node: self._values_alone(node) for node in self.calls(POOL_WITH_INDICES)}

    def calls(self, *operators: Any) -> list[Node]:
        """All calls of these ATen operators, in the order in which they run."""
        return [node for node in self.module.graph.nodes if node.op == "call_function" and node.target in operators]

    def constant(self, node: Node) -> Tensor:
        """The tensor that `node`, a `get_attr`, stands for."""
        path, _, name = str(node.target).rpartition(".")
        found: Tensor = getattr(self.module.get_submodule(path), name)
        return found

    def replace(self, node: Node, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Everything that used `node` uses `module(*args)` instead."""
        call = self._call(node, module, args)
        call.meta = {**node.meta, NEVER_NEGATIVE: never_negative(node)}
        node.replace_all_uses_with(call)
        self.module.graph.erase_node(node)

    def choice_of(self, pool: Pool, make: Callable[[], nn.Module]) -> Node:
        """Which place won in each of the pool's windows: one module for a pool, next to it, however many unpools ask."""
        if pool.node not in self._choices:
            values = self._values[pool.node]
            self._choices[pool.node] = self._call(values, make(), (pool.source, values))
        return self._choices[pool.node]

    def finish(self) -> GraphModule:
        """The module that runs the graph as it is now."""
        self.module.graph.eliminate_dead_code()
        self.module.graph.lint()
        self.module.recompile()
        return self.module

    def _values_alone(self, pool: Node) -> Node:
        with self.module.graph.inserting_after(pool):
            values = self.module.graph.call_function(POOL, pool.args, pool.kwargs)
        values.meta = {**pool.meta, "val": pool.meta["val"][0]}
        for user in [user for user in pool.users if user.args[1] == 0]:
            user.replace_all_uses_with(values)
            self.module.graph.erase_node(user)
        return values

    def _call(self, beside: Node, module: nn.Module, args: tuple[Any, ...]) -> Node:
        name = f"{PREFIX}_{self._count}_{type(module).__name__}"
        self._count += 1
        self.module.add_submodule(name, module)
        with self.module.graph.inserting_after(beside):
            return self.module.graph.call_module(name, args)
