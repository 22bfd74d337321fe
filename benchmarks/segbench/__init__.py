"""How fast a model file is on this machine, how exact its masks are, and how steady: each result is one JSON object.

segbench.run_latency(segbench.Matrix(backends=("tflite", "onnx")))              # stage by stage, in fresh processes
segbench.run_accuracy(segbench.AccuracyJob(images=images, masks=masks))         # against hand-made masks
segbench.run_video(segbench.VideoJob(clip=clip, models=(int8,), reference=float32))   # flicker, and agreement over time
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segbench.accuracy.run import AccuracyJob, run_accuracy
    from segbench.errors import SegBenchError
    from segbench.latency.matrix import Matrix
    from segbench.latency.run import run_latency
    from segbench.process.job import Job
    from segbench.video.run import VideoJob, run_video

__all__ = ["AccuracyJob", "Job", "Matrix", "SegBenchError", "VideoJob", "run_accuracy", "run_latency", "run_video"]
_PLACES = {
    **dict.fromkeys(("AccuracyJob", "run_accuracy"), "segbench.accuracy.run"),
    **dict.fromkeys(("VideoJob", "run_video"), "segbench.video.run"),
    "SegBenchError": "segbench.errors",
    "Matrix": "segbench.latency.matrix",
    "run_latency": "segbench.latency.run",
    "Job": "segbench.process.job",
}


def __getattr__(name: str) -> object:
    """Imported when it is asked for: a peer's environment has `segbench.process.answers` and no runtime."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
