"""A segmentation model file in, soft masks out: the same on every backend.

segmenter = segruntime.load("portrait_int8.tflite", threads=2)
alpha = segmenter.alpha(frame)                              # (H, W, 3) uint8 BGR → (H, W) float32 in 0..1
result = segruntime.composite(frame, alpha, background)     # (H, W, 3) uint8
refiner = segruntime.Refiner("balanced")                    # for video: along the frame's edges, steady from frame to frame
alpha = refiner(segmenter.coarse(frame), gray)              # (H, W) uint8
print(segmenter.self_test())                                # same mask as where it was made: IoU …
"""

from segruntime.compositing.blur import BlurBehind
from segruntime.compositing.composite import composite
from segruntime.errors import SegRuntimeError
from segruntime.model_file.contract import Contract, read_contract
from segruntime.model_file.self_test import SelfTest
from segruntime.refine import Refiner
from segruntime.segmenter import Segmenter, load

__all__ = [
    "BlurBehind",
    "Contract",
    "Refiner",
    "SegRuntimeError",
    "Segmenter",
    "SelfTest",
    "composite",
    "load",
    "read_contract",
]
__version__ = "0.1.0"
