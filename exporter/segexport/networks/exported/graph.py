"""A network rebuilt from the graph that a `.pt2` carries as data. None of the file's code is run, and none of torch's readers
of such files is used: one evaluates expressions from text, the other unpickles.

The graph is a list of operators out of a literal list of pure ones. It is tried on tensors without values first, which gives
every shape: what would take too much memory or time is refused before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from segexport.checkpoint.formats.pt2_container import SavedGraph
from segexport.errors import ArchitectureError, shown
from segexport.networks.exported.cost import Work
from segexport.networks.exported.inplace import last_uses, without_writing
from segexport.networks.exported.operators import SYMBOLIC, function_of
from segexport.networks.exported.program import ASSERTION, SIZE_OF, GraphStep, Program, Side, parse_program
from segexport.networks.exported.values import GraphError, Here, Ref
from segexport.networks.network import NOTHING_ASKED, PERSON_CHANNELS, Asked, Network, Size
from segexport.networks.outputs import Settled, settle_output

NAME = "exported_graph"
LARGEST_NUMBER = 2**40
PROBABILITIES = ("sigmoid.default", "softmax.int", "_softmax.default", "hardsigmoid.default")


class ExportedGraph(nn.Module):
    """`(1, 3, H, W)` float32 → what the graph says; parameters and buffers have their original names."""

    def __init__(self, program: Program, weights: Mapping[str, Tensor], constants: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._program = program
        self._kept_until = _last_steps(program)
        self._places: dict[str, tuple[nn.Module, str]] = {}
        once: dict[int, nn.Parameter] = {}  # a shared tensor stays one parameter
        for name, key in program.weights.items():
            tensor = _tensor(key, weights)
            trained = name in program.trained and tensor.is_floating_point()
            value = once.setdefault(id(tensor), nn.Parameter(tensor, requires_grad=False)) if trained else tensor
            self._places[name] = _register(self, key, value, persistent=True)
        for name, key in program.constants.items():
            self._places[name] = _register(self, key, _tensor(key, constants), persistent=False)

    def forward(self, x: Tensor) -> Any:
        return self.walk(x, {name: getattr(owner, key) for name, (owner, key) in self._places.items()}, None)

    def walk(self, x: Tensor, values: dict[str, Any], work: Work | None) -> Any:
        """Run every step on `x` and on `values` (by the graph's names); each is dropped after its last use."""
        values[self._program.image] = x
        for index, step in enumerate(self._program.steps):
            results = _run(step, values, x.device)
            if work is not None:
                work.take(step, results, values)
            values.update(results)
            for name in self._kept_until.get(index, ()):
                dropped = values.pop(name, None)
                if work is not None:
                    work.drop(dropped)
        outputs = self._program.outputs
        return values[outputs[""]] if "" in outputs else {path: values[name] for path, name in outputs.items()}

    def tried(self, height: int, width: int) -> Any:
        """What the graph gives for that size, without values: only shapes are computed.

        Raises:
            GraphError: a step fails, or asks for too much.
        """
        values: dict[str, Any] = {
            name: torch.empty_like(getattr(owner, key), device="meta") for name, (owner, key) in self._places.items()
        }
        with torch.no_grad():
            return self.walk(torch.empty(1, 3, height, width, device="meta"), values, Work())


def rebuild_graph(saved: SavedGraph, asked: Asked = NOTHING_ASKED) -> Network:
    """The network that the graph in a file describes, with the one output that `asked` says, or that there is.

    Raises:
        ArchitectureError: it is not supported, naming the operator and the node; or several outputs may be meant.
    """
    try:
        program = without_writing(parse_program(saved.program))
        module = ExportedGraph(program, saved.tensors, saved.constants).eval().requires_grad_(False)
        size = (program.height.example, program.width.example)
        settled = _settle(module, asked, size)
    except GraphError as error:
        raise _refusal(error) from error
    return Network(
        name=NAME,
        module=settled.module,
        out_channels=settled.channels,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        variant=f"{len(program.steps)} operators",
        default_size=size,
        size_rule=_rule(program),
        person_channel=PERSON_CHANNELS.get(settled.channels),
        reasons=("no known network has these keys", "rebuilt from the graph in the file, which is data and not code"),
        notes=(
            f"Rebuilt from the file's own graph of {len(program.steps)} operators.",
            *settled.notes,
            *_notes(program),
        ),
        size_check=_size_check(module, program, asked),
    )


def _refusal(error: GraphError) -> ArchitectureError:
    return ArchitectureError(
        f"no known network has these keys, and the file's graph cannot be rebuilt: {error}; "
        "or give your own class: --arch package.module:factory"
    )


def _settle(module: ExportedGraph, asked: Asked, size: Size) -> Settled:
    """Without values first, which shows what would take too much; an index out of range only values show."""
    module.tried(*size)
    try:
        return settle_output("the file's graph", module, asked, size)
    except ArchitectureError as error:
        if isinstance(error.__cause__, GraphError):
            raise error.__cause__ from error
        raise ArchitectureError(f"{error}; or give your own class: --arch package.module:factory") from error


def _size_check(module: ExportedGraph, program: Program, asked: Asked) -> Any:
    def check(height: int, width: int) -> None:
        for what, side, given in (("high", program.height, height), ("wide", program.width, width)):
            _check_side(what, side, given)
        symbols = {program.height.symbol, program.width.symbol}
        if len(symbols) == 1 and None not in symbols and height != width:
            raise ArchitectureError(
                f"the file's graph takes squares only, got {height}x{width}; give --size {height}x{height}"
            )
        try:
            if (height, width) != (program.height.example, program.width.example):
                _settle(module, asked, (height, width))
        except GraphError as error:
            raise _refusal(error) from error

    return check


def _check_side(what: str, side: Side, given: int) -> None:
    if side.symbol is None and given != side.example:
        raise ArchitectureError(
            f"the file's graph takes pictures {side.example} {what} only, got {given}; leave --size out, or export it anew"
        )
    if side.symbol is not None and not side.low <= given <= (side.high or given):
        limit = f"{side.low} to {side.high}" if side.high else f"at least {side.low}"
        raise ArchitectureError(f"the file's graph takes pictures {limit} {what}, got {given}; give another --size")


def _rule(program: Program) -> str:
    sides = (program.height, program.width)
    if all(side.symbol is None for side in sides):
        return f"{sides[0].example}x{sides[1].example} only"
    return "what the graph's ranges allow"


def _notes(program: Program) -> list[str]:
    notes = []
    if program.batch.symbol is not None:
        notes.append("The graph's batch may vary; a batch of 1 is used.")
    if program.height.symbol or program.width.symbol:
        size = f"{program.height.example}x{program.width.example}"
        notes.append(f"The graph's height or width may vary; without --size the example's {size} is used.")
    outputs = set(program.outputs.values())
    last = next((step for step in reversed(program.steps) if outputs & set(step.outputs)), None)
    if last is not None and last.target in PROBABILITIES:
        end = last.target.partition(".")[0].strip("_")
        notes.append(f"The graph ends in a {end}; if that is the person's probability already, give --head none.")
    return notes


def _last_steps(program: Program) -> dict[int, list[str]]:
    """Step → the names that no later step uses."""
    last = last_uses(program)
    ends: dict[int, list[str]] = {}
    for index, step in enumerate(program.steps):
        for name in step.outputs:
            ends.setdefault(max(last.get(name, index), index), []).append(name)
    return ends


def _run(step: GraphStep, values: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """The step's results by name."""

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(item) for item in value]
        if isinstance(value, Here):
            return device
        return values[value.name] if isinstance(value, Ref) else value

    try:
        result = _call(step, [filled(value) for value in step.args], {k: filled(v) for k, v in step.kwargs.items()})
    except GraphError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, ArithmeticError, NotImplementedError) as error:
        raise GraphError(f"{step.label} fails: {shown(' '.join(str(error).split()))}") from error
    if not step.many:
        return {step.outputs[0]: result} if step.outputs else {}
    results = list(result) if isinstance(result, (tuple, list)) else [result]
    if len(results) != len(step.outputs):
        raise GraphError(f"{step.label} gives {len(results)} results, the graph names {len(step.outputs)}")
    return dict(zip(step.outputs, results, strict=True))


def _call(step: GraphStep, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if step.target == SIZE_OF:
        return args[0].shape[args[1]]
    if step.target == ASSERTION:
        if not args[0]:
            raise GraphError(
                f"{step.label}: an assertion of the graph does not hold for this size; give another --size"
            )
        return None
    if step.target in SYMBOLIC:
        return _plain_number(step, SYMBOLIC[step.target](*map(_number, args)))
    return function_of(step.target)(*args, **kwargs)


def _number(value: Any) -> Any:
    if not isinstance(value, (bool, int, float)):
        raise GraphError(f"arithmetic on a {type(value).__name__}, expected sizes")
    return value


def _plain_number(step: GraphStep, value: Any) -> Any:
    if not isinstance(value, (bool, int, float)) or not abs(value) < LARGEST_NUMBER:
        raise GraphError(f"{step.label} gives a size that is far too large")
    return value


def _tensor(key: str, tensors: Mapping[str, Tensor]) -> Tensor:
    if key not in tensors:
        raise GraphError(f"its weight {shown(key)} is not in the file")
    return tensors[key]


def _register(root: nn.Module, key: str, tensor: Tensor, *, persistent: bool) -> tuple[nn.Module, str]:
    """Put one tensor under its dotted name, making the modules between; its owner and the name there."""
    *path, name = key.split(".")
    owner = root
    try:
        for part in path:
            if part not in owner._modules:
                owner.add_module(part, nn.Module())
            owner = owner.get_submodule(part)
        if name in owner._parameters or name in owner._buffers:
            return owner, name  # one tensor may be several inputs of the graph
        if isinstance(tensor, nn.Parameter):
            owner.register_parameter(name, tensor)
        else:
            owner.register_buffer(name, tensor, persistent=persistent)
    except (KeyError, AttributeError, TypeError) as error:
        raise GraphError(f"a weight cannot be called {shown(key)}") from error
    return owner, name
