"""rembg with our ONNX file, through its session for foreign U2-Nets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import rembg
from PIL import Image
from rembg.sessions.u2net_custom import U2netCustomSession

from peers.serve import Frame, Job, Served, serve

NOTES = (
    "rembg's session for foreign networks has 320x320 and ImageNet's mean and std built in; a subclass gives it the file's "
    "256x256 and leaves mean and std to the file",
    "it shrinks with Lanczos, divides by the largest byte, and stretches each mask to 0–1",
)


class OurSession(U2netCustomSession):  # type: ignore[misc] # rembg has no types
    """Its own, but for the size and the mean and std that it asks itself for."""

    def normalize(self, img: Image.Image, *_: Any) -> Any:
        side = self.inner_session.get_inputs()[0].shape[2]
        return super().normalize(img, (0, 0, 0), (1, 1, 1), (side, side))


def load(job: Job) -> Served:
    """Its mask at the frame's size, and what it is for: the person cut out, RGBA."""
    model = Path(job.model).resolve()
    os.environ["U2NET_HOME"] = str(model.parent)  # it takes files from its own folder only
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    session = OurSession("u2net_custom", options, model_path=str(model))

    def mask(frame: Frame) -> Any:
        return rembg.remove(_picture(frame), session=session, only_mask=True)

    def seen(frame: Frame) -> Frame:
        (tensor,) = session.normalize(_picture(frame)).values()
        rgb = np.rint(255 * tensor[0].transpose(1, 2, 0)).astype(np.uint8)
        return np.ascontiguousarray(rgb[..., ::-1])

    return Served(
        threads=job.threads,
        packages=("rembg", "onnxruntime", "numpy", "pillow"),
        tasks={"mask": mask, "cutout": lambda frame: rembg.remove(_picture(frame), session=session)},
        mask=lambda frame: np.asarray(mask(frame), np.float32) / np.float32(255),
        seen=seen,
        notes=NOTES,
    )


def _picture(frame: Frame) -> Image.Image:
    """Pillow reads BGR itself, faster than numpy turns it round."""
    height, width = frame.shape[:2]
    return Image.frombuffer("RGB", (width, height), frame, "raw", "BGR", 0, 1)


if __name__ == "__main__":
    serve(load)
