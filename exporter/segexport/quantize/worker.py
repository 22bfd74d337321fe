"""Child process around litert-quantizer: measure ranges, quantize, compare tensors. It knows nothing of masks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from segexport.convert.environment import THREADS
from segexport.convert.worker import Say, serve
from segexport.quantize.corrections import correct_quantizer
from segexport.tflite_graph import read_operators

_BIAS_FAILURE = re.compile(r"Failed to quantize bias tensor for op ([\w.]+) with op\s+id (\d+)")
_MOST_FORCED = 64
_LEAST_NOISE = 1e-9  # of the mean square of an error: no division by zero


def _work(job: dict[str, Any], say: Say) -> dict[str, Any]:
    return {"measure": _measure, "quantize": _quantize, "noise": _noise}[job["do"]](job, say)


def _measure(job: dict[str, Any], say: Say) -> dict[str, Any]:
    """`pictures` through the float32 file; each tensor's smallest and largest value on each of them into `ranges`.

    What litert-quantizer's Calibrator finds for one picture, without its running average over pictures.
    """
    import numpy as np

    pictures = np.load(job["pictures"], mmap_mode="r", allow_pickle=False)
    engine = _readable_interpreter(job["float32"])
    filled = _filled_tensors(job["float32"], engine)
    low = np.empty((len(pictures), len(filled)), np.float32)
    high = np.empty_like(low)
    for index in range(len(pictures)):
        say(f"calibrating {index + 1}/{len(pictures)}")
        _run(engine, pictures[index : index + 1])
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
    from litert_quantizer import quantizer, recipe

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
    shape = (1, 1, 1, 1)  # as litert-quantizer's own calibration gives a range of a whole tensor
    return {
        str(name): {"min": np.full(shape, a, np.float32), "max": np.full(shape, b, np.float32)}
        for name, a, b in zip(names, low, high, strict=True)
    }


def _noise(job: dict[str, Any], say: Say) -> dict[str, Any]:
    """Signal-to-noise ratio of every tensor of the quantized file against the float32 file, a mean over `pictures`.

    Tensors are found by their name; where it stands for one of another size, as beside layers that were left in float, they
    are not compared.
    """
    import numpy as np

    pictures = np.load(job["pictures"], mmap_mode="r", allow_pickle=False)
    clean, noisy = _readable_interpreter(job["float32"]), _readable_interpreter(job["quantized"])
    there = {detail["name"]: detail for detail in noisy.get_tensor_details()}
    filled = _filled_tensors(job["float32"], clean)
    pairs = [(name, index, there[name]) for name, index in filled.items() if name in there]
    ratios: dict[str, list[float]] = {}
    for number in range(len(pictures)):
        say("signal-to-noise of every tensor")
        for engine in (clean, noisy):
            _run(engine, pictures[number : number + 1])
        for name, index, detail in pairs:
            signal, found = clean.tensor(index)(), _real(noisy.tensor(detail["index"])(), detail)
            if signal.size == found.size:
                ratios.setdefault(name, []).append(_signal_to_noise(signal.ravel(), found.ravel()))
            del signal, found  # an interpreter does not run while anybody holds its tensors
    return {"snr": {name: float(np.mean(values)) for name, values in ratios.items()}}


def _run(engine: Any, image: Any) -> None:
    """Run on `image` `(1, H, W, 3) float32, 0–1`, in the numbers that the file takes."""
    import numpy as np

    (source,) = engine.get_input_details()
    scale, zero_point = source["quantization"]
    if source["dtype"] is not np.float32:
        limits = np.iinfo(source["dtype"])
        image = np.clip(np.rint(image / scale) + zero_point, limits.min, limits.max)
    engine.set_tensor(source["index"], image.astype(source["dtype"]))
    engine.invoke()


def _real(values: Any, detail: Any) -> Any:
    """The numbers that a tensor's integers stand for; a float tensor as it is."""
    import numpy as np

    if not np.issubdtype(values.dtype, np.integer):
        return values
    scale, zero_point = detail["quantization"]
    return (values.astype(np.float32) - zero_point) * np.float32(scale)


def _signal_to_noise(signal: Any, found: Any) -> float:
    """Mean square of the signal over that of the error, as litert-quantizer's validation has it."""
    import numpy as np

    error = found - signal
    return float(np.dot(signal, signal) / signal.size / (np.dot(error, error) / signal.size + _LEAST_NOISE))


def _layer_of(message: str, output_names: list[str]) -> str | None:
    found = _BIAS_FAILURE.search(message)
    index = int(found.group(2)) if found else -1
    return output_names[index] if 0 <= index < len(output_names) else None


def _leave_in_float(engine: Any, layer: str) -> None:
    from litert_quantizer import qtyping
    from litert_quantizer.recipe import AlgorithmName

    engine.update_quantization_recipe(
        f"^{re.escape(layer)};?$", qtyping.TFLOperationName.ALL_SUPPORTED, None, AlgorithmName.NO_QUANTIZE
    )


if __name__ == "__main__":
    serve(_work, correct_quantizer)
