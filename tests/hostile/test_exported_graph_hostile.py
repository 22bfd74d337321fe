"""Graphs of .pt2 files that were made to do harm: refused in one line, before memory is taken, and nothing of them is run."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.refusals import refusal
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.checkpoint import read_checkpoint
from segexport.checkpoint.formats.pt2_container import SavedGraph
from segexport.errors import ArchitectureError
from segexport.networks.exported.graph import ExportedGraph, rebuild_graph
from segexport.networks.exported.program import parse_program
from segexport.networks.exported.values import GraphError
from segexport.networks.inspection import find_network

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.relu, self.head = nn.ReLU(inplace=True), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.head(self.relu(self.bn1(self.conv1(x)))), scale_factor=2, mode="bilinear")


def graph_of(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(next(name for name in archive.namelist() if name.endswith("/model.json"))))


@pytest.fixture(scope="module")
def simple(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simple") / "net.pt2"
    torch.export.save(torch.export.export(Network().eval(), (torch.zeros(1, 3, 32, 32),)), path)
    return path


def with_graph(path: Path, program: Any, target: Path) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, json.dumps(program) if name.endswith("/model.json") else old.read(name))
    target.write_bytes(buffer.getvalue())
    return target


def refused(simple: Path, program: Any, target: Path) -> str:
    return refusal(ArchitectureError, lambda: find_network(read_checkpoint(with_graph(simple, program, target))))


TARGETS = (
    "torch.ops.aten.__class__.default",
    "torch.ops.aten.relu.__init__",
    "torch.ops.aten.from_file.default",
    "torch.ops.aten.as_strided.default",
    "torch.ops.aten.set_.source_Tensor",
    "torch.ops.aten._unsafe_masked_index.default",
    "torch.ops.aten.empty.memory_format",
    "torch.ops.prims.convert_element_type.default",
    "torch.ops.higher_order.cond",
    "torch.ops.load_library",
    "torch.load",
    "os.system",
    "_operator.attrgetter",
    "_operator.pow",
    "builtins.eval",
    "",
    "x" * 5000,
    "a\nb",
    None,
    7,
)


@pytest.mark.parametrize("target", TARGETS)
def test_an_operator_that_is_not_listed_is_refused_by_name(simple: Path, tmp_path: Path, target: Any) -> None:
    program = graph_of(simple)
    program["graph_module"]["graph"]["nodes"][2]["target"] = target
    assert "node 3" in refused(simple, program, tmp_path / "net.pt2")


def change_argument(program: Any, operator: str, name: str, value: Any) -> Any:
    node = next(node for node in program["graph_module"]["graph"]["nodes"] if node["target"].endswith(operator))
    entry = next((entry for entry in node["inputs"] if entry["name"] == name), None)
    if entry is None:
        node["inputs"].append({"name": name, "arg": value, "kind": 1})
    else:
        entry["arg"] = value
    return program


ARGUMENTS: dict[str, tuple[str, str, Any, str]] = {
    "a giant mask": ("upsample_bilinear2d.vec", "scale_factors", {"as_floats": [1e5, 1e5]}, "far too large"),
    "giant padding": ("conv2d.default", "padding", {"as_ints": [10**6, 10**6]}, "far too large"),
    "overflow": ("conv2d.default", "padding", {"as_ints": [2**62, 2**62]}, "node 1"),
    "too large": ("conv2d.default", "padding", {"as_ints": [2**80]}, "whole number"),
    "no stride": ("conv2d.default", "stride", {"as_ints": [0, 0]}, "node 1"),
    "no groups": ("conv2d.default", "groups", {"as_int": 0}, "node 1"),
    "no number": ("batch_norm.default", "eps", {"as_float": "1e-5"}, "is no number"),
    "unknown form": ("conv2d.default", "padding", {"as_graph": {}}, "form as_graph"),
    "two forms": ("conv2d.default", "padding", {"as_int": 1, "as_ints": [1]}, "one entry"),
    "unknown argument": ("relu_.default", "nonsense", {"as_int": 1}, "nonsense"),
    "from the future": (
        "conv2d.default",
        "input",
        {"as_tensor": {"name": "upsample_bilinear2d"}},
        "before it is computed",
    ),
    "itself": ("conv2d.default", "input", {"as_tensor": {"name": "conv2d"}}, "before it is computed"),
    "unknown weight": ("conv2d.default", "weight", {"as_tensor": {"name": "p_nothing"}}, "before it is computed"),
    "long list": ("conv2d.default", "padding", {"as_ints": [1] * 5000}, "a list of at most"),
    "training": ("batch_norm.default", "training", {"as_bool": True}, "training mode"),
    "other shape": ("conv2d.default", "weight", {"as_tensor": {"name": "p_bn1_bias"}}, "node 1"),
}


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_an_argument_that_does_harm_is_refused_before_memory_is_taken(simple: Path, tmp_path: Path, kind: str) -> None:
    operator, name, value, message = ARGUMENTS[kind]
    program = change_argument(graph_of(simple), operator, name, value)
    assert message in refused(simple, program, tmp_path / "net.pt2")


def test_a_giant_graph_is_refused(simple: Path, tmp_path: Path) -> None:
    program = graph_of(simple)
    nodes = program["graph_module"]["graph"]["nodes"]
    nodes += [nodes[-1]] * 20_000
    assert "more than 10,000 operators" in refused(simple, program, tmp_path / "net.pt2")


def test_doubling_at_each_step_is_refused(simple: Path, tmp_path: Path) -> None:
    program = graph_of(simple)
    nodes = program["graph_module"]["graph"]["nodes"]
    last = "x"
    for index in range(40):
        tensors = {"as_tensors": [{"name": last}, {"name": last}]}
        last = f"doubled_{index}"
        given = [{"name": "tensors", "arg": tensors, "kind": 1}, {"name": "dim", "arg": {"as_int": 2}, "kind": 1}]
        output = [{"as_tensor": {"name": last}}]
        nodes.append({"target": "torch.ops.aten.cat.default", "inputs": given, "outputs": output, "metadata": {}})
    program["graph_module"]["signature"]["output_specs"] = [{"user_output": {"arg": {"as_tensor": {"name": last}}}}]
    assert "far too large" in refused(simple, program, tmp_path / "net.pt2")


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*way, key))


def test_a_part_of_the_graph_that_is_something_else_ends_in_a_message(simple: Path) -> None:
    """Each place of the JSON holds something else in turn; the graph is read or refused, nothing else happens."""
    text = json.dumps(graph_of(simple))
    graph = read_checkpoint(simple).graph
    assert graph is not None
    ways = [way for way in places(json.loads(text)["graph_module"]) if "metadata" not in way and way]
    generator = torch.Generator().manual_seed(4)
    for index in torch.randperm(len(ways), generator=generator)[:50].tolist():
        for junk in (None, -1, [], "relu", {"as_int": 2**70}):
            program = json.loads(text)
            holder = program["graph_module"]
            for key in ways[index][:-1]:
                holder = holder[key]
            holder[ways[index][-1]] = junk
            try:
                rebuild_graph(SavedGraph(program=program, tensors=graph.tensors, constants=graph.constants))
            except ArchitectureError as error:
                assert "\n" not in str(error)  # noqa: PT017 - some places do not matter


def test_names_of_weights_cannot_reach_into_the_module(simple: Path, tmp_path: Path) -> None:
    program = parse_program(graph_of(simple))
    for name in ("forward", "_program.x", "__class__", "_places", "", ".", "a..b", "conv1", "training"):
        weights = {**dict.fromkeys(program.weights.values(), torch.zeros(1)), name: torch.zeros(1)}
        bent = {**program.weights, "p_conv1_weight": name, "p_bn1_weight": "conv1.weight"}
        with pytest.raises(GraphError, match="cannot be called"):
            ExportedGraph(type(program)(**{**fields(program), "weights": bent}), weights, {})


def fields(program: Any) -> dict[str, Any]:
    return {name: getattr(program, name) for name in program.__dataclass_fields__}
