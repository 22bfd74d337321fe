"""MediaPipe's ImageSegmenter, in its mode for videos, with our model; and the usual numpy composite behind it."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

from peers.adapters.mediapipe_model import for_mediapipe
from peers.numpy_loop import numpy_composite
from peers.serve import Frame, Job, Mask, Served, serve

FRAME_MS = 40
# GetXnnpackDefaultNumThreads in mediapipe/calculators/tensor/inference_calculator_utils.cc: 1 on a desktop, and the Python
# package gives no way to ask for more
THREADS = 1
NOTES = (
    "MediaPipe takes no int8 input: a copy of the file got float ends (QUANTIZE, DEQUANTIZE), which are faster there than "
    "uint8 ends, and the metadata that it asks for",
    "its network runs on 1 thread, its default, which its Python package cannot change",
    "it gives masks only; its composite is the usual numpy one",
    "it warps the frame corner to corner, not pixel centre to pixel centre, so its network sees another picture",
)


class Segmenter:
    """ImageSegmenter for videos; frames are stamped as at 25 a second."""

    def __init__(self, model: bytes) -> None:
        options = vision.ImageSegmenterOptions(
            base_options=BaseOptions(model_asset_buffer=model), running_mode=vision.RunningMode.VIDEO
        )
        self._segmenter = vision.ImageSegmenter.create_from_options(options)
        self._stamps = count(0, FRAME_MS)

    def __call__(self, frame: Frame) -> tuple[Any, Mask]:
        """MediaPipe's image, and a view `(H, W) float32, 0–1` of its memory, which lives as long as the image."""
        rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)
        (mask,) = self._segmenter.segment_for_video(image, next(self._stamps)).confidence_masks
        return mask, mask.numpy_view().reshape(frame.shape[:2])


def load(job: Job) -> Served:
    """ImageSegmenter with a copy of the file."""
    model, size = for_mediapipe(Path(job.model).read_bytes())
    segmenter = Segmenter(model)

    def composite(frame: Frame) -> Frame:
        image, mask = segmenter(frame)
        picture = numpy_composite(frame, mask, job.background)
        del image
        return picture

    return Served(
        threads=THREADS,
        packages=("mediapipe", "opencv-contrib-python", "numpy"),
        tasks={"mask": segmenter, "composite": composite},
        mask=lambda frame: segmenter(frame)[1].copy(),
        seen=lambda frame: corner_warp(frame, size),
        notes=NOTES,
    )


def corner_warp(frame: Frame, size: tuple[int, int]) -> Frame:
    """Frame → `(h, w, 3)` for `size = (h, w)`, as ImageToTensor shrinks it: OpenCV's perspective warp of the corners.

    After mediapipe/calculators/tensor/image_to_tensor_converter_opencv.cc.
    """
    height, width = frame.shape[:2]
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    here, there = corners * np.array([width, height], np.float32), corners * np.array(size[::-1], np.float32)
    warp = cv2.getPerspectiveTransform(here, there)
    return np.asarray(cv2.warpPerspective(frame, warp, size[::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)


if __name__ == "__main__":
    serve(load)
