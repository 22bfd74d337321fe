"""In the quantizer's child process: what values every tensor takes when a file runs. It knows nothing of masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segexport.process.environment import THREADS
from segexport.process.worker import Say
from segexport.tflite.graph import read_operators

_LEAST_NOISE = 1e-9  # of the mean square of an error: no division by zero


def measure(job: dict[str, Any], say: Say) -> dict[str, Any]:
    """`pictures` through the float32 file; each tensor's smallest and largest value on each of them into `ranges`.

    What litert-quantizer's Calibrator finds for one picture, without its running average over pictures.
    """
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


def noise(job: dict[str, Any], say: Say) -> dict[str, Any]:
    """Signal-to-noise ratio of every tensor of the quantized file against the float32 file, a mean over `pictures`.

    Tensors are found by their name; where it stands for one of another size, as next to layers that were left in float, they
    are not compared.
    """
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
            ratio = _ratio(clean.tensor(index)(), noisy.tensor(detail["index"])(), detail)
            if ratio is not None:
                ratios.setdefault(name, []).append(ratio)
    return {"snr": {name: float(np.mean(values)) for name, values in ratios.items()}}


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
    written = {name for operator in read_operators(Path(path)) for name in operator.outputs}
    image = engine.get_input_details()[0]
    details = [d for d in engine.get_tensor_details() if d["dtype"] == np.float32 and d["name"] in written]
    return {str(image["name"]): int(image["index"]), **{str(d["name"]): int(d["index"]) for d in details}}


def _run(engine: Any, image: npt.NDArray[np.float32]) -> None:
    """Run on `image` `(1, H, W, 3) float32, 0–1`, in the numbers that the file takes."""
    (source,) = engine.get_input_details()
    scale, zero_point = source["quantization"]
    given: npt.NDArray[Any] = image
    if source["dtype"] is not np.float32:
        limits = np.iinfo(source["dtype"])
        given = np.clip(np.rint(image / scale) + zero_point, limits.min, limits.max)
    engine.set_tensor(source["index"], given.astype(source["dtype"]))
    engine.invoke()


def _extremes(engine: Any, tensor: int) -> tuple[float, float]:
    values = engine.tensor(tensor)()  # no copy; the next run is refused while anybody holds it
    return float(values.min()), float(values.max())


def _ratio(signal: npt.NDArray[Any], found: npt.NDArray[Any], detail: dict[str, Any]) -> float | None:
    """Mean square of the signal over that of the error, as litert-quantizer's validation has it; None for another size."""
    if signal.size != found.size:
        return None
    if np.issubdtype(found.dtype, np.integer):
        scale, zero_point = detail["quantization"]
        found = (found.astype(np.float32) - zero_point) * np.float32(scale)
    flat, error = signal.ravel(), (found - signal.reshape(found.shape)).ravel()
    return float(np.dot(flat, flat) / flat.size / (np.dot(error, error) / flat.size + _LEAST_NOISE))
