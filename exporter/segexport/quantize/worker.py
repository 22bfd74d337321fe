"""Child process around litert-quantizer: measure ranges, quantize, compare tensors. It knows nothing of masks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from segexport.process.worker import Say, serve
from segexport.quantize.corrections import correct_quantizer
from segexport.quantize.watch import measure, noise
from segexport.tflite.flatbuffer import parse_graph, read_graph
from segexport.tflite.graph import Operator, read_operators

_BIAS_FAILURE = re.compile(r"Failed to quantize bias tensor for op ([\w.]+) with op\s+id (\d+)")
_MOST_FORCED = 64
_BYTES = {"num_bits": 8, "symmetric": False, "granularity": "TENSORWISE", "dtype": "UINT"}
_WEIGHTS = {"num_bits": 8, "symmetric": True, "granularity": "CHANNELWISE", "dtype": "INT"}
_BYTE_ENDS = {"activation_tensor_config": _BYTES, "weight_tensor_config": _WEIGHTS, "compute_precision": "INTEGER"}
_HALVES = {"weight_tensor_config": {"num_bits": 16, "dtype": "FLOAT"}, "explicit_dequantize": True}


def _work(job: dict[str, Any], say: Say) -> dict[str, Any]:
    return {"measure": measure, "quantize": _quantize, "noise": noise}[job["do"]](job, say)


def _quantize(job: dict[str, Any], say: Say) -> dict[str, Any]:
    """The float32 file by the job's recipe into `target`; gives the layers that had to stay in float besides."""
    from litert_quantizer import quantizer

    ranges = _load_ranges(job["ranges"]) if job.get("ranges") else None
    operators = read_operators(Path(job["float32"]))
    forced = list(_beyond_half(job["float32"])) if job["precision"] == "float16" else []
    while True:
        engine = quantizer.Quantizer(
            job["float32"], _recipe(job["precision"], operators, {*job["float_layers"], *forced})
        )
        say("quantizing")
        try:
            result = engine.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
        except ValueError as error:
            failing = _layer_of(str(error), operators)
            if failing is None or failing in forced or len(forced) >= _MOST_FORCED:
                raise
            forced.append(failing)
            continue
        Path(job["target"]).write_bytes(_in_one_piece(result.quantized_model))
        return {"forced": forced}


def _in_one_piece(model: bytearray) -> bytes:
    """litert-quantizer puts the weights behind the flatbuffer, counted from its start; nothing fits before it then."""
    return parse_graph(model).packed()


def _beyond_half(path: str) -> Iterator[str]:
    """Operators whose weights float16 does not reach: they would be infinite."""
    import numpy as np

    graph, largest = read_graph(Path(path)), np.finfo(np.float16).max
    for operator in graph.operators:
        constants = [graph.constant(index) for index in graph.inputs(operator) if graph.type(index) == "FLOAT32"]
        if any(values is not None and max(values.max(), -values.min()) > largest for values in constants):
            yield graph.name(operator.outputs[0])


def _recipe(precision: str, operators: Sequence[Operator], float_layers: Iterable[str]) -> list[dict[str, Any]]:
    """litert-quantizer's rules; of those that fit an operator the last one counts."""
    from litert_quantizer import recipe

    kinds = {
        "float16": lambda: [_rule(".*", "*", "float_casting", _HALVES | {"compute_precision": "FLOAT"})],
        "dynamic": recipe.dynamic_wi8_afp32,
        "int8": recipe.static_wi8_ai8,
        "int16x8": recipe.static_wi8_ai16,
    }
    left = set(float_layers)
    scopes = [re.escape(";".join(o.outputs)) for o in operators if o.name in left]
    stay = [_rule(f"^{scope};$", "*", "no_quantize", None) for scope in scopes]
    ends = [_rule("^", end, "min_max_uniform_quantize", _BYTE_ENDS) for end in ("INPUT", "OUTPUT")]
    return [*kinds[precision](), *stay, *(ends if precision == "int8" else [])]


def _rule(scope: str, operation: str, algorithm: str, config: dict[str, Any] | None) -> dict[str, Any]:
    found = {"regex": scope, "operation": operation, "algorithm_key": algorithm}
    return found if config is None else {**found, "op_config": config}


def _load_ranges(path: str) -> dict[str, Any]:
    import numpy as np

    with np.load(path, allow_pickle=False) as stored:
        names, low, high = stored["names"], stored["low"], stored["high"]
    # without axes: next to one, litert-quantizer cannot tell the rank of a constant that takes this range, as PADV2's
    return {
        str(name): {"min": np.asarray(a, np.float32), "max": np.asarray(b, np.float32)}
        for name, a, b in zip(names, low, high, strict=True)
    }


def _layer_of(message: str, operators: Sequence[Operator]) -> str | None:
    found = _BIAS_FAILURE.search(message)
    index = int(found.group(2)) if found else -1
    return operators[index].name if 0 <= index < len(operators) else None


if __name__ == "__main__":
    serve(_work, correct_quantizer)
