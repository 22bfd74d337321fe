"""What a graph returns, by name, as `networks.outputs.named_tensors` names it: `out`, `1`, `aux.0`, "" for a tensor alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from segexport.errors import shown
from segexport.networks.exported.values import GraphError
from segruntime.strict_json import parse_json

DICTS = ("builtins.dict", "collections.OrderedDict")
SEQUENCES = ("builtins.tuple", "builtins.list")


def output_names(module: Mapping[str, Any]) -> list[str]:
    """A name for each of the flattened outputs; empty where the file does not say how they belong together."""
    calls = module["module_call_graph"]
    root = next((call["signature"] for call in calls if call["fqn"] == ""), None)
    if root is None:
        return []
    try:
        spec = parse_json(root["out_spec"])[1]
    except ValueError as error:
        raise GraphError(f"the form of its output cannot be read ({shown(str(error))})") from error
    return list(_names(spec, ""))


def _names(spec: Any, name: str) -> Iterator[str]:
    """The depth was limited when the text was parsed."""
    kind, children = spec["type"], spec["children_spec"]
    if kind is None:
        yield name
        return
    if kind in SEQUENCES:
        keys: list[Any] = list(range(len(children)))
    elif kind in DICTS:
        keys = _keys(spec["context"])
    else:
        raise GraphError(f"it returns a {shown(str(kind))}, expected a tensor, or a tuple, list or dict of them")
    for key, child in zip(keys, children, strict=False):
        yield from _names(child, f"{name}.{key}" if name else str(key))


def _keys(context: Any) -> list[Any]:
    keys = parse_json(context) if isinstance(context, str) else context
    if not isinstance(keys, list):
        raise GraphError("the keys of its output cannot be read")
    return keys
