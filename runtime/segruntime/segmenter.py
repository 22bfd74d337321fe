"""A model file, loaded: frame in, soft alpha out."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from segruntime.arrays import Alpha
from segruntime.backends import BACKENDS, Backend, TensorInfo
from segruntime.errors import ContractError, OptionError
from segruntime.model_file.contract import Contract, InputSpec, OutputSpec, require_contract
from segruntime.model_file.entries import model_kind
from segruntime.model_file.self_test import SelfTest, run_self_test
from segruntime.postprocess import Postprocessor, on_region
from segruntime.preprocess import Frame, Preprocessor, Region, fit_region
from segruntime.processor import Processor, find_processor

MODELS = Path(__file__).parent / "models"
BUNDLED = {"tflite": MODELS / "mobile_unet_int8.tflite", "onnx": MODELS / "mobile_unet.onnx"}
WITHOUT_INT8 = MODELS / "mobile_unet_float16.tflite"
"""In place of the int8 file on x86 without VNNI, where int8 is slower than float32; on Arm it always pays."""
MAX_THREADS = 256
_X86 = {"x86_64", "amd64", "i386", "i686", "x86"}


class Segmenter:
    """A loaded model with its preprocessing and postprocessing.

    Calls of `alpha`, `coarse`, `network_mask` and `self_test` from several threads are safe: they wait for one another. Two
    segmenters share nothing. The stages `preprocess` and `invoke` share a tensor and take no lock: one thread at a time, and
    none of the other calls next to them.
    """

    def __init__(self, backend: Backend, contract: Contract, path: Path, threads: int) -> None:
        self.contract = contract
        self.path = path
        self.threads = threads
        self.backend = backend.name
        self.library = backend.library
        self._backend = backend
        self._preprocess = Preprocessor(contract.input)
        self._postprocess = Postprocessor(contract.output)
        self._lock = threading.Lock()

    def alpha(self, frame: Frame, out: Alpha | None = None) -> Alpha:
        """The person's soft mask.

        Args:
            frame: `(H, W, 3) uint8, BGR`; `(H, W)` gray and `(H, W, 4)` BGRA are taken too. Any size from 1 pixel.
            out: `(H, W) float32` to write to; a new array where not given.

        Returns:
            `(H, W) float32`, 0 (background) to 1 (person). Nothing is thresholded. Where the network gives NaN: 0.

        Raises:
            FrameError: another type, dtype or shape.
        """
        with self._lock:
            return self.postprocess(self.invoke(self.preprocess(frame)), frame.shape[:2], out)

    def preprocess(self, frame: Frame) -> npt.NDArray[Any]:
        """Frame → input tensor as the contract says, valid until the next call. A stage of `alpha`, for measuring."""
        return self._preprocess(frame)

    def invoke(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Input tensor → output tensor. A stage of `alpha`, for measuring."""
        return self._backend.run(tensor)

    def postprocess(self, output: npt.NDArray[Any], size: tuple[int, ...], out: Alpha | None = None) -> Alpha:
        """Output tensor → alpha for a frame of `size = (H, W)`. A stage of `alpha`, for measuring."""
        height, width = size
        return self._postprocess(output, self._region(size), (height, width), out)

    def probability(self, output: npt.NDArray[Any]) -> Alpha:
        """Output tensor → person probability at the network's own size, `(h, w) float32, 0–1`; NaN where it gives NaN."""
        return self._postprocess.probability(output)

    def network_mask(self, frame: Frame) -> Alpha:
        """Frame as for `alpha` → person probability at the network's own size, `(h, w) float32, 0–1`, for comparisons.

        Where the network gives NaN, so does this: a file that does is not the same as one that gives 0.
        """
        with self._lock:
            return self.probability(self.invoke(self.preprocess(frame)))

    def coarse_size(self, height: int, width: int) -> tuple[int, int]:
        """`(h, w)` at which the network sees a frame of `(height, width)`: its input without a letterbox's border."""
        _, _, w, h = fit_region(self.contract.input, height, width)
        return h, w

    def coarse(self, frame: Frame) -> Alpha:
        """Frame as for `alpha` → the same mask before it is scaled up: `(h, w) float32, 0–1`, without a letterbox's border.

        A frame of `coarse_size` is not scaled, so anyone who has the small picture already need not make the large one.
        Where the network gives NaN: 0.
        """
        return self.without_border(self.network_mask(frame), frame.shape[:2])

    def without_border(self, mask: Alpha, size: tuple[int, ...]) -> Alpha:
        """`network_mask` of a frame of `size = (H, W)` → its `coarse`. A stage of `coarse`, for measuring."""
        return on_region(mask, self._region(size))

    def _region(self, size: tuple[int, ...]) -> Region:
        height, width = size
        return _on_output(fit_region(self.contract.input, height, width), self.contract)

    def self_test(self) -> SelfTest:
        """Does this file give the same mask here as where it was made? Runs the golden pictures that it carries.

        Raises:
            GoldenError: it carries none.
            ModelFileError: they are damaged, or belong to another network.
        """
        return run_self_test(self.path, self.contract, self.network_mask)


def load(
    path: str | Path | None = None,
    *,
    backend: str | None = None,
    threads: int | None = None,
    contract: Contract | str | Path | Mapping[str, Any] | None = None,
) -> Segmenter:
    """Load a model file, or the bundled network where none is named: of its files the one that is fastest here.

    Args:
        path: a `.tflite` or `.onnx` file; what it is, its content says.
        backend: `"tflite"` or `"onnx"`; chosen by the file where not given.
        threads: 1 to 256; default: the cores of this machine, at most 4.
        contract: for a foreign model: a `Contract`, a dict, or the path of a JSON file. Wins over an embedded one.

    Raises:
        ModelFileError, ContractError, BackendError, OptionError, MissingExtraError: see `segruntime.errors`.
    """
    if backend is not None and backend not in BACKENDS:
        raise OptionError(f"backend: got {backend!r}, expected one of {', '.join(BACKENDS)}")
    count = _checked_threads(threads)
    path = default_model(backend) if path is None else Path(path)
    kind = model_kind(path)
    if backend is not None and backend != kind:
        raise OptionError(f"{path}: is a file for backend {kind!r}, got backend={backend!r}; leave backend out")
    loaded = BACKENDS[kind](path, count)
    found = require_contract(path, contract)
    _check_tensors(path, loaded, found)
    return Segmenter(loaded, found, path, count)


def default_model(backend: str | None = None) -> Path:
    """The file of the bundled network that `load` takes here."""
    return bundled_model(backend or _installed_backend(), platform.machine(), find_processor)


def bundled_model(backend: str, machine: str, processor: Callable[[], Processor]) -> Path:
    """The file that is fastest there; all give the same mask but for rounding.

    `machine`: as the `platform` module has it. `processor`: asked where it decides, on x86.
    """
    is_slow = backend == "tflite" and machine.lower() in _X86 and processor().int8 != "VNNI"
    return WITHOUT_INT8 if is_slow else BUNDLED[backend]


def default_threads() -> int:
    """The cores that this process may use, at most 4."""
    return min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _checked_threads(threads: int | None) -> int:
    if threads is None:
        return default_threads()
    if type(threads) is not int or not 1 <= threads <= MAX_THREADS:
        raise OptionError(f"threads: got {threads!r}, expected a whole number from 1 to {MAX_THREADS}")
    return threads


def _installed_backend() -> str:
    from importlib.util import find_spec

    has_tflite = find_spec("ai_edge_litert") or find_spec("tflite_runtime")
    return "onnx" if not has_tflite and find_spec("onnxruntime") else "tflite"


def _check_tensors(path: Path, backend: Backend, contract: Contract) -> None:
    if len(backend.inputs) != 1 or len(backend.outputs) != 1:
        raise ContractError(
            f"{path}: has {len(backend.inputs)} inputs and {len(backend.outputs)} outputs, expected one image in, one mask out"
        )
    _check_tensor(path, "input", backend.inputs[0], contract.input)
    _check_tensor(path, "output", backend.outputs[0], contract.output)


def _check_tensor(path: Path, which: str, tensor: TensorInfo, spec: InputSpec | OutputSpec) -> None:
    shape_fits = len(tensor.shape) == len(spec.shape) and all(
        have in (-1, want) for have, want in zip(tensor.shape, spec.shape, strict=True)
    )
    if not shape_fits or tensor.dtype != spec.dtype:
        raise ContractError(
            f"{path}: its {which} is {tensor.shape} {tensor.dtype}, the contract says {spec.shape} {spec.dtype}; "
            "the contract belongs to another model or needs correcting"
        )
    if tensor.scale is None or spec.scale is None or spec.zero_point is None:
        return
    if abs(tensor.scale - spec.scale) > 1e-5 * tensor.scale or tensor.zero_point != spec.zero_point:
        raise ContractError(
            f"{path}: its {which} has scale {tensor.scale:g} and zero point {tensor.zero_point}, "
            f"the contract says {spec.scale:g} and {spec.zero_point}; correct the contract"
        )


def _on_output(region: Region, contract: Contract) -> Region:
    source, target = contract.input, contract.output
    if (source.width, source.height) == (target.width, target.height):
        return region
    left, top, width, height = region
    x, y = target.width / source.width, target.height / source.height
    w, h = max(1, round(width * x)), max(1, round(height * y))
    return min(round(left * x), target.width - w), min(round(top * y), target.height - h), w, h
