"""A network saved by torch.export → float32 .tflite by litert-torch; not served: one conversion, then the process ends.

python …/segexport/process/start.py litert_torch_convert.py FOLDER… < JOB.json

FOLDER: where PyTorch is, which the converter's environment has not. The job: `network`, a .pt2 file; `target`, the .tflite
file; `pictures`, a .npy file `(n, H, W, 3) uint8, RGB` of the network's size, or null. The last line on standard output is
JSON: `convert_s`, the seconds from the network, loaded in PyTorch, to the file; `difference`, the largest one between the
network's output and the file's on the pictures, or null. Importing litert-torch counts. The image is channels last at both
ends, as in our files.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import numpy as np
import torch


def main() -> None:
    """Convert once, compare once."""
    job = json.load(sys.stdin)
    program = torch.export.load(job["network"])
    network = program.module()
    start = time.perf_counter()
    convert(network, program.example_inputs[0][0].shape, job["target"])
    seconds = time.perf_counter() - start
    pictures = None if job["pictures"] is None else np.load(job["pictures"]).astype(np.float32) / np.float32(255)
    found = None if pictures is None else largest_difference(network, job["target"], pictures)
    print(json.dumps({"convert_s": seconds, "difference": found}))


def convert(network: Any, shape: tuple[int, ...], target: str) -> None:
    """`shape`: of the network's input, NCHW."""
    import litert_torch

    count, channels, height, width = shape
    last = litert_torch.to_channel_last_io(network, args=[0], outputs=[0])
    litert_torch.convert(last, (torch.zeros(count, height, width, channels),)).export(target)


def largest_difference(network: Any, tflite: str, pictures: Any) -> float:
    """On `(n, H, W, 3) float32, RGB, 0–1`."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=tflite, num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    given, got = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    largest = 0.0
    for picture in pictures:
        interpreter.set_tensor(given, picture[None])
        interpreter.invoke()
        with torch.inference_mode():
            wanted = network(torch.from_numpy(picture.transpose(2, 0, 1)[None])).numpy()
        largest = max(largest, float(np.abs(interpreter.get_tensor(got).transpose(0, 3, 1, 2) - wanted).max()))
    return largest


if __name__ == "__main__":
    main()
