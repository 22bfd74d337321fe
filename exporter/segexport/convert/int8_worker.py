"""Child process: float32 TFLite → full int8 through ai-edge-quantizer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from segexport.convert.worker import Say, serve

_BIAS_FAILURE = re.compile(r"Failed to quantize bias tensor for op ([\w.]+) with op\s+id (\d+)")
_MOST_FLOAT_LAYERS = 64


def _quantize(job: dict[str, Any], say: Say) -> dict[str, Any]:
    say("loading ai-edge-quantizer")
    import numpy as np
    from ai_edge_quantizer import quantizer, recipe

    pictures = np.load(job["pictures"], mmap_mode="r", allow_pickle=False)
    signature, input_name, output_names = _signature(job["float32"])
    floats: list[str] = []
    calibration = None
    while True:
        engine = quantizer.Quantizer(job["float32"], recipe.static_wi8_ai8())
        for layer in floats:
            _leave_in_float(engine, layer)
        if calibration is None:
            calibration = engine.calibrate({signature: _samples(pictures, input_name, say)})
            _fix_image_range(calibration, job["float32"])
        say("quantizing" if not floats else f"quantizing, {len(floats)} in float")
        try:
            result = engine.quantize(calibration)
        except ValueError as error:
            failing = _layer_of(str(error), output_names)
            if failing is None or failing in floats or len(floats) >= _MOST_FLOAT_LAYERS:
                raise
            floats.append(failing)
            continue
        Path(job["int8"]).write_bytes(bytes(result.quantized_model))
        return {"float_layers": floats}


def _samples(pictures: Any, input_name: str, say: Say) -> Any:
    for index in range(len(pictures)):
        say(f"calibrating {index + 1}/{len(pictures)}")
        yield {input_name: pictures[index : index + 1].copy()}


def _signature(path: str) -> tuple[str, str, list[str]]:
    """The signature, its input, and the name of each operator's first output in order."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = Interpreter(path, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    signatures = plain.get_signature_list()
    key = next(iter(signatures))
    names = {detail["index"]: detail["name"] for detail in plain.get_tensor_details()}
    outputs = [names[int(op["outputs"][0])] for op in plain._get_ops_details()]
    return key, signatures[key]["inputs"][0], outputs


def _fix_image_range(calibration: dict[str, Any], path: str) -> None:
    """The image is 0..1 whatever the calibration pictures reached: scale 1/255, zero point -128."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    name = Interpreter(path).get_input_details()[0]["name"]
    entry = calibration[name]
    entry["min"], entry["max"] = np.zeros_like(entry["min"]), np.ones_like(entry["max"])


def _layer_of(message: str, output_names: list[str]) -> str | None:
    found = _BIAS_FAILURE.search(message)
    index = int(found.group(2)) if found else -1
    return output_names[index] if 0 <= index < len(output_names) else None


def _leave_in_float(engine: Any, layer: str) -> None:
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.recipe import AlgorithmName

    engine.update_quantization_recipe(
        f"^{re.escape(layer)};?$", qtyping.TFLOperationName.ALL_SUPPORTED, None, AlgorithmName.NO_QUANTIZE
    )


if __name__ == "__main__":
    serve(_quantize)
