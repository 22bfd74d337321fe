"""Which of a graph's outputs the mask is made of, as `networks.user.first_output` chooses: `out` of a dict, else the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segexport.checkpoint.inert import shown
from segexport.networks.exported_values import GraphError
from segruntime.strict_json import parse_json

DICTS = ("builtins.dict", "collections.OrderedDict")
SEQUENCES = ("builtins.tuple", "builtins.list")


def place_of_first(module: Mapping[str, Any]) -> tuple[int, str]:
    """Index among the flattened outputs, and a note where there was a choice."""
    calls = module["module_call_graph"]
    root = next((call["signature"] for call in calls if call["fqn"] == ""), None)
    if root is None:
        return 0, ""
    try:
        spec = parse_json(root["out_spec"])[1]
    except ValueError as error:
        raise GraphError(f"the form of its output cannot be read ({shown(str(error))})") from error
    return _place(spec)


def _place(spec: Any) -> tuple[int, str]:
    kind, children = spec["type"], spec["children_spec"]
    if kind is None:
        return 0, ""
    if kind in SEQUENCES:
        _refuse_nested(children[:1])
        return 0, f"the graph returns a {kind.rpartition('.')[2]}: its first entry is used"
    if kind in DICTS:
        keys = _keys(spec["context"])
        if "out" not in keys:
            raise GraphError(f"it returns a dict with {shown(', '.join(map(str, keys)))}, expected an entry 'out'")
        index = keys.index("out")
        _refuse_nested(children[index : index + 1])
        return sum(_leaves(child) for child in children[:index]), "the graph returns a dict: its entry 'out' is used"
    raise GraphError(f"it returns a {shown(str(kind))}, expected a tensor, a tuple, or a dict with 'out'")


def _keys(context: Any) -> list[Any]:
    keys = parse_json(context) if isinstance(context, str) else context
    if not isinstance(keys, list):
        raise GraphError("the keys of its output cannot be read")
    return keys


def _refuse_nested(children: list[Any]) -> None:
    if len(children) != 1 or children[0]["type"] is not None:
        raise GraphError("its first output is no tensor, expected logits (1, C, H, W)")


def _leaves(spec: Any) -> int:
    """Tensors below; the depth was limited when the text was parsed."""
    return 1 if spec["type"] is None else sum(_leaves(child) for child in spec["children_spec"])
