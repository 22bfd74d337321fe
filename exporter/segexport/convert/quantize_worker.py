"""Child process around ai-edge-quantizer: measure ranges, quantize, compare tensors. It knows nothing of masks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from segexport.convert.environment import THREADS
from segexport.convert.worker import Say, serve
from segexport.tflite_graph import read_operators

_BIAS_FAILURE = re.compile(r"Failed to quantize bias tensor for op ([\w.]+) with op\s+id (\d+)")
_MOST_FORCED = 64


def _work(job: dict[str, Any], say: Say) -> dict[str, Any]:
    return {"measure": _measure, "quantize": _quantize, "noise": _noise}[job["do"]](job, say)


def _measure(job: dict[str, Any], say: Say) -> dict[str, Any]:
    """`pictures` through the float32 file; each tensor's smallest and largest value on each of them into `ranges`.

    What ai-edge-quantizer's Calibrator finds for one picture, without its running average over pictures.
    """
    import numpy as np

    pictures = np.load(job["pictures"], mmap_mode="r", allow_pickle=False)
    engine = _readable_interpreter(job["float32"])
    source = engine.get_input_details()[0]["index"]
    filled = _filled_tensors(job["float32"], engine)
    low = np.empty((len(pictures), len(filled)), np.float32)
    high = np.empty_like(low)
    for index in range(len(pictures)):
        say(f"calibrating {index + 1}/{len(pictures)}")
        engine.set_tensor(source, pictures[index : index + 1].copy())
        engine.invoke()
        for column, tensor in enumerate(filled.values()):
            low[index, column], high[index, column] = _extremes(engine, tensor)
    np.savez(job["ranges"], names=np.array(list(filled)), low=low, high=high)
    return {}


def _extremes(engine: Any, tensor: int) -> tuple[float, float]:
    values = engine.tensor(tensor)()  # no copy; the next run is refused while anybody holds it
    return float(values.min()), float(values.max())


def _readable_interpreter(path: str) -> Any:
    """An interpreter whose every tensor can be read after a run."""
    import warnings

    from ai_edge_litert.interpreter import Interpreter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this takes memory is known
        engine = Interpreter(path, num_threads=THREADS, experimental_preserve_all_tensors=True)
    engine.allocate_tensors()
    return engine


def _filled_tensors(path: str, engine: Any) -> dict[str, int]:
    """Name → index of the image and of every float tensor that an operator writes; constants are none of them."""
    import numpy as np

    written = {name for operator in read_operators(Path(path)) for name in operator.outputs}
    image = engine.get_input_details()[0]
    details = [d for d in engine.get_tensor_details() if d["dtype"] == np.float32 and d["name"] in written]
    return {str(image["name"]): int(image["index"]), **{str(d["name"]): int(d["index"]) for d in details}}


def _quantize(job: dict[str, Any], say: Say) -> dict[str, Any]:
    """The float32 file by the job's recipe into `target`; gives the layers that had to stay in float besides."""
    from ai_edge_quantizer import quantizer, recipe

    rules = {"int8": recipe.static_wi8_ai8, "int16x8": recipe.static_wi8_ai16, "dynamic": recipe.dynamic_wi8_afp32}
    ranges = _load_ranges(job["ranges"]) if job.get("ranges") else None
    output_names = [operator.name for operator in read_operators(Path(job["float32"]))]
    forced: list[str] = []
    while True:
        engine = quantizer.Quantizer(job["float32"], rules[job["precision"]]())
        for layer in [*job["float_layers"], *forced]:
            _leave_in_float(engine, layer)
        say("quantizing")
        try:
            result = engine.quantize(ranges)
        except ValueError as error:
            failing = _layer_of(str(error), output_names)
            if failing is None or failing in forced or len(forced) >= _MOST_FORCED:
                raise
            forced.append(failing)
            continue
        Path(job["target"]).write_bytes(bytes(result.quantized_model))
        return {"forced": forced}


def _load_ranges(path: str) -> dict[str, Any]:
    import numpy as np

    with np.load(path, allow_pickle=False) as stored:
        names, low, high = stored["names"], stored["low"], stored["high"]
    shape = (1, 1, 1, 1)  # as ai-edge-quantizer's own calibration gives a range of a whole tensor
    return {
        str(name): {"min": np.full(shape, a, np.float32), "max": np.full(shape, b, np.float32)}
        for name, a, b in zip(names, low, high, strict=True)
    }


def _noise(job: dict[str, Any], say: Say) -> dict[str, Any]:
    """Signal-to-noise ratio of every tensor of the quantized file against the float32 file, a mean over `pictures`."""
    import numpy as np
    from ai_edge_quantizer import model_validator

    pictures = np.load(job["pictures"], mmap_mode="r", allow_pickle=False)
    signature, input_name = _signature(job["float32"])
    say("signal-to-noise of every tensor")
    compared = model_validator.compare_model(
        Path(job["float32"]).read_bytes(),
        Path(job["quantized"]).read_bytes(),
        {signature: [{input_name: pictures[k : k + 1].copy()} for k in range(len(pictures))]},
        "snr",
        _signal_to_noise,
        num_threads=THREADS,  # ai-edge-quantizer asks for 16
    )
    found = {str(name): float(value) for name, value in compared.get_all_tensor_results().items()}
    return {"snr": {name: value for name, value in found.items() if value == value}}


def _signal_to_noise(noisy: Any, clean: Any) -> float:
    """ai-edge-quantizer's ratio; NaN where a name stands for another tensor, as beside layers that were left in float."""
    from ai_edge_quantizer.utils import validation_utils

    same_size = getattr(noisy, "size", 0) == getattr(clean, "size", 0)
    return float(validation_utils.signal_to_noise_ratio(noisy, clean)) if same_size else float("nan")


def _signature(path: str) -> tuple[str, str]:
    """The signature's key and the name of its one input."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = Interpreter(path, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    signatures = plain.get_signature_list()
    if not signatures:
        raise ValueError("the float32 file has no signature, which ai-edge-quantizer needs; report this network")
    key = next(iter(signatures))
    return key, signatures[key]["inputs"][0]


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
    serve(_work)
