"""How fast a model file is on this machine, how exact its masks are, and how steady: each result is one JSON object.

segbench.run_latency(segbench.Matrix(backends=("tflite", "onnx")))              # stage by stage, in fresh processes
segbench.run_accuracy(segbench.AccuracyJob(images=images, masks=masks))         # against hand-made masks
segbench.run_video(segbench.VideoJob(clip=clip, models=(int8,), reference=float32))   # flicker, and agreement over time
"""

from segbench.accuracy.run import AccuracyJob, run_accuracy
from segbench.errors import SegBenchError
from segbench.latency.matrix import Matrix
from segbench.latency.run import run_latency
from segbench.process.job import Job
from segbench.video.run import VideoJob, run_video

__all__ = ["AccuracyJob", "Job", "Matrix", "SegBenchError", "VideoJob", "run_accuracy", "run_latency", "run_video"]
