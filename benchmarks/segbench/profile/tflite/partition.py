"""Which operators a LiteRT interpreter has given to XNNPACK.

LiteRT keeps the operators that a delegate takes and adds a node `DELEGATE` for each group, with the tensors that go in and come
out. Whatever leads from the ones to the others is in the group.
"""

from __future__ import annotations

from typing import Any

from segbench.errors import ProfileError

_NODE = "DELEGATE"


def delegated(interpreter: Any) -> frozenset[int]:
    """The numbers of the delegated operators, as they stand in the file; `interpreter` has its tensors allocated.

    Raises:
        ProfileError: this library does not tell.
    """
    try:
        nodes = interpreter._get_ops_details()
    except AttributeError as error:
        raise ProfileError(
            "this LiteRT does not list its operators, so what runs on XNNPACK cannot be told; "
            "expected ai-edge-litert 2.1 or newer"
        ) from error
    makers = {int(tensor): node for node in nodes if node["op_name"] != _NODE for tensor in node["outputs"]}
    found: set[int] = set()
    for group in (node for node in nodes if node["op_name"] == _NODE):
        found |= _between(makers, set(map(int, group["inputs"])), [int(tensor) for tensor in group["outputs"]])
    return frozenset(found)


def _between(makers: dict[int, Any], first: set[int], wanted: list[int]) -> set[int]:
    """Numbers of the nodes on the way from the tensors `first` to the tensors `wanted`."""
    found: set[int] = set()
    seen = set(first)
    while wanted:
        tensor = wanted.pop()
        if tensor in seen or tensor not in makers:
            continue
        seen.add(tensor)
        node = makers[tensor]
        found.add(int(node["index"]))
        wanted += [int(one) for one in node["inputs"] if one >= 0]
    return found
