"""The usual numpy loop around LiteRT."""

from __future__ import annotations

from ai_edge_litert.interpreter import Interpreter

from peers.numpy_loop import NumpyLoop
from peers.serve import Job, Served, serve


def load(job: Job) -> Served:
    """`peers.numpy_loop` with its interpreter."""
    interpreter = Interpreter(model_path=job.model, num_threads=job.threads)
    interpreter.allocate_tensors()
    loop = NumpyLoop(interpreter)
    return Served(
        threads=job.threads,
        packages=("numpy", "ai-edge-litert"),
        tasks={"mask": loop.mask, "composite": lambda frame: loop(frame, job.background)},
        mask=loop.mask,
        seen=loop.seen,
    )


if __name__ == "__main__":
    serve(load)
