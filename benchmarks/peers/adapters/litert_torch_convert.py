"""A network saved by torch.export → float32 .tflite by litert-torch; not served: one conversion, then the process ends.

python litert_torch_convert.py NETWORK.pt2 SIZE TARGET.tflite

Its last line on standard output is JSON: the seconds from the network, loaded in PyTorch, to the file, and the versions.
Importing litert-torch counts, as importing TensorFlow does with the other ways. The image is channels last at both ends, as in
our files.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import metadata

import torch

PACKAGES = ("litert-torch", "litert-converter", "torch")


def main() -> None:
    """Convert once."""
    source, size, target = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    network = torch.export.load(source).module()
    start = time.perf_counter()
    import litert_torch

    last = litert_torch.to_channel_last_io(network, args=[0], outputs=[0])
    litert_torch.convert(last, (torch.zeros(1, size, size, 3),)).export(target)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "packages": {name: metadata.version(name) for name in PACKAGES}}))


if __name__ == "__main__":
    main()
