"""The JSON of an exported program → a checked list of steps, where every operator is a known one and every name is defined."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from segexport.errors import shown
from segexport.networks.exported.operators import ATEN, EVALUATION, FACTORIES, IGNORED, SYMBOLIC, known, schema_of
from segexport.networks.exported.output import output_names
from segexport.networks.exported.values import GraphError, Here, Ref, argument, items, name_of, single, whole

MAX_STEPS = 10_000  # EfficientNet-B7 takes about 1,000
FLOAT32 = 7
SIZE_OF = "aten.sym_size.int"
ASSERTION = "aten._assert_scalar.default"
_SYMBOL = re.compile(r"Symbol\('(\w+)'[^()]*\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One extent of the input: the example's, and between what it may lie; `symbol` where it may vary."""

    example: int
    symbol: str | None = None
    low: int = 1
    high: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphStep:
    """One operator. `target` is `aten.relu.default` without `aten.`, or a key of SYMBOLIC, or SIZE_OF or ASSERTION."""

    target: str
    label: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[str, ...]
    many: bool
    """Whether the operator gives several values, one for each of `outputs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A graph of one image input; `weights` and `constants` map the graph's names to those of the tensors."""

    image: str
    batch: Side
    height: Side
    width: Side
    weights: Mapping[str, str]
    constants: Mapping[str, str]
    trained: frozenset[str]
    """Of the weights, those that are parameters; the others are buffers."""
    steps: tuple[GraphStep, ...]
    outputs: Mapping[str, str]
    """What forward returned, by its name there → the graph's name; "" where it is one tensor."""


def parse_program(saved: Mapping[str, Any]) -> Program:
    """Read the graph.

    Raises:
        GraphError: it makes no sense, or asks for what is not supported; a phrase that names the node.
    """
    try:
        return _parse(saved)
    except GraphError:
        raise
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise GraphError(f"its JSON is not that of an exported program ({type(error).__name__})") from error


def _parse(saved: Mapping[str, Any]) -> Program:
    module = saved["graph_module"]
    graph, signature = module["graph"], module["signature"]
    weights, constants, images = _inputs(items(signature["input_specs"], MAX_STEPS))
    if len(images) != 1:
        raise GraphError(f"it takes {len(images)} inputs, expected one image; wrap the network and export it again")
    sides = _image(graph["tensor_values"][images[0]], saved.get("range_constraints") or {})
    nodes = graph["nodes"]
    if not isinstance(nodes, list) or len(nodes) > MAX_STEPS:
        raise GraphError(f"it has more than {MAX_STEPS:,} operators, or no list of them")
    steps = tuple(_steps(nodes, {images[0], *weights, *constants}))
    outputs = _outputs_of(module)
    lost = set(outputs.values()) - {images[0], *weights, *(name for step in steps for name in step.outputs)}
    if lost:
        raise GraphError(f"its output {shown(min(lost))} is never computed")
    return Program(
        image=images[0],
        batch=sides[0],
        height=sides[1],
        width=sides[2],
        weights=weights,
        constants=constants,
        trained=frozenset(
            name_of(spec["parameter"]["arg"]) for spec in signature["input_specs"] if "parameter" in spec
        ),
        steps=steps,
        outputs=outputs,
    )


def _inputs(specs: list[Any]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Graph name → tensor name of parameters and buffers, the same of constants, and the names of the user's inputs."""
    weights: dict[str, str] = {}
    constants: dict[str, str] = {}
    images: list[str] = []
    for spec in specs:
        kind, value = single(spec)
        if kind == "parameter":
            weights[name_of(value["arg"])] = name_of(value, "parameter_name")
        elif kind == "buffer":
            kept = weights if value["persistent"] else constants
            kept[name_of(value["arg"])] = name_of(value, "buffer_name")
        elif kind == "tensor_constant":
            constants[name_of(value["arg"])] = name_of(value, "tensor_constant_name")
        elif kind == "user_input":
            images.append(_image_name(value["arg"]))
        elif kind != "constant_input":
            raise GraphError(f"it takes an input of the kind {shown(kind)}, expected one image")
    return weights, constants, images


def _image_name(value: Any) -> str:
    kind, inner = single(value)
    if kind != "as_tensor":
        raise GraphError(f"it takes an input of the form {shown(kind)}, expected one image")
    return name_of(inner)


def _image(meta: Any, ranges: Mapping[str, Any]) -> tuple[Side, Side, Side]:
    """Batch, height and width of the one input."""
    sizes = items(meta["sizes"])
    shape = [_side(size, ranges) for size in sizes]
    shown_shape = tuple(side.example for side in shape)
    if len(shape) != 4 or shape[1].example != 3 or shape[1].symbol:
        raise GraphError(f"its input has shape {shown_shape}, expected (1, 3, H, W)")
    if meta["dtype"] != FLOAT32:
        raise GraphError("its input is not float32; export the network in float32")
    if shape[0].symbol is None and shape[0].example != 1:
        raise GraphError(
            f"it was exported for a batch of {shape[0].example}; export it with a batch of 1, or one that may vary"
        )
    return shape[0], shape[2], shape[3]


def _side(size: Any, ranges: Mapping[str, Any]) -> Side:
    kind, value = single(size)
    if kind == "as_int":
        return Side(example=_extent(value))
    hint = value.get("hint") or {}
    if kind != "as_expr" or "as_int" not in hint:
        raise GraphError(
            "a size of its input may vary, and the file does not keep the example's; export it with a fixed one"
        )
    example, symbol = _extent(hint["as_int"]), _SYMBOL.match(value["expr_str"])
    if symbol is None:  # such as twice another one: only the example is sure to be right
        return Side(example=example)
    limits = ranges.get(symbol[1]) or {}
    low, high = limits.get("min_val"), limits.get("max_val")
    return Side(
        example=example,
        symbol=symbol[1],
        low=1 if low is None else whole(low),
        high=None if high is None else whole(high),
    )


def _extent(value: Any) -> int:
    if not 1 <= whole(value) <= 65_536:
        raise GraphError(f"a size of its input is {value}")
    return whole(value)


def _steps(nodes: list[Any], defined: set[str]) -> Iterator[GraphStep]:
    for index, node in enumerate(nodes):
        target = node["target"]
        label = f"node {index + 1} ({shown(str(target))})"
        try:
            step = _step(target, node, label)
            undefined = [ref.name for ref in refs_of(step) if ref.name not in defined] if step else []
            if undefined:
                raise GraphError(f"uses {shown(undefined[0])} before it is computed")
            if step and any(name in defined for name in step.outputs):
                raise GraphError("computes a value that there is already")
        except GraphError as error:
            raise GraphError(f"{label}: {error}") from error
        if step:
            defined |= set(step.outputs)
            yield step


def refs_of(step: GraphStep) -> Iterator[Ref]:
    """Every value that a step uses."""
    for value in (*step.args, *step.kwargs.values()):
        yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, Ref))


def _step(target: Any, node: Any, label: str) -> GraphStep | None:
    """None for assertions about types, which hold here anyway."""
    if not isinstance(target, str):
        raise GraphError("it names no operator")
    given = [(entry["name"], argument(entry["arg"])) for entry in items(node["inputs"])]
    name = target.removeprefix(ATEN)
    if target.startswith(ATEN) and name in IGNORED:
        return None
    outputs, many = _outputs(items(node["outputs"]), label)
    if target in SYMBOLIC:
        return GraphStep(target=target, label=label, args=_values(given), kwargs={}, outputs=outputs, many=False)
    if f"aten.{name}" in (SIZE_OF, ASSERTION) and target.startswith(ATEN):
        return GraphStep(
            target=f"aten.{name}", label=label, args=_values(given), kwargs={}, outputs=outputs, many=False
        )
    if not target.startswith(ATEN) or not known(name):
        raise GraphError("this operator is not among those that a graph out of a file may use; export without it")
    args, kwargs = _placed(name, given)
    return GraphStep(target=name, label=label, args=args, kwargs=kwargs, outputs=outputs, many=many)


def _values(given: list[tuple[Any, Any]]) -> tuple[Any, ...]:
    return tuple(value for _, value in given)


def _outputs(outputs: list[Any], label: str) -> tuple[tuple[str, ...], bool]:
    """Names of the results; and whether the operator gives a tuple or a list of them."""
    names: list[str] = []
    many = len(outputs) > 1
    for output in outputs:
        kind, value = single(output)
        if kind == "as_tensors":
            many = True
            names += [name_of(item) for item in items(value)]
        elif kind == "as_tensor":
            names.append(name_of(value))
        elif kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
            names.append(name_of(value, "as_name"))
        elif kind != "as_none":
            raise GraphError(f"gives a result of the form {shown(kind)}, which is not supported")
        else:
            names.append(f"{label} result {len(names)}")
    return tuple(names), many


def _placed(name: str, given: list[tuple[Any, Any]]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments by the operator's schema; those that are left out get its defaults."""
    values = dict(given)
    declared = schema_of(name).arguments
    unknown = [str(key) for key in values if key not in {entry.name for entry in declared}]
    if unknown or len(values) != len(given):
        raise GraphError(f"has an argument {shown(unknown[0]) if unknown else 'twice'} that is not the operator's")
    missing = [entry.name for entry in declared if entry.name not in values and not entry.has_default_value()]
    if missing:
        raise GraphError(f"lacks the argument {missing[0]}")
    _refuse_training(name, values)
    values |= EVALUATION.get(name, {})
    args = tuple(values.get(entry.name, entry.default_value) for entry in declared if not entry.kwarg_only)
    kwargs = {entry.name: values[entry.name] for entry in declared if entry.kwarg_only and entry.name in values}
    if name in FACTORIES:
        kwargs["device"] = Here()
    return args, kwargs


def _refuse_training(name: str, values: dict[str, Any]) -> None:
    if name == "batch_norm.default" and values.get("training") is not False:
        raise GraphError("the network was exported in training mode; call its eval() and export it again")


def _outputs_of(module: Mapping[str, Any]) -> dict[str, str]:
    """The tensors that forward returned, by their names there."""
    names = []
    for spec in items(module["signature"]["output_specs"]):
        kind, value = single(spec)
        if kind != "user_output":
            raise GraphError(
                f"it changes its own weights or inputs while it runs ({shown(kind)}); call eval() and export it again"
            )
        names.append(_image_name(value["arg"]) if "as_tensor" in value["arg"] else "")
    paths = output_names(module) or [str(k) for k in range(len(names))]
    outputs = {path: name for path, name in zip(paths, names, strict=False) if name}
    if not outputs:
        raise GraphError("its output is no tensor, expected logits (1, C, H, W)")
    return outputs
