"""How fast a model file is on this machine, stage by stage, measured in a fresh process.

result = segbench.run_latency(segbench.Job(backend="tflite"))    # a JSON object: statistics, raw values, model, machine
"""

from segbench.errors import SegBenchError
from segbench.job import Job
from segbench.latency import run_latency

__all__ = ["Job", "SegBenchError", "run_latency"]
