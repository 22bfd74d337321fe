"""Changed models, each opened and run in a process of its own: COUNT of them, and a SEED if wanted.

    PYTHONPATH=. python tests/native/changed_models.py 10000

Not a test that pytest collects: what passes the check may abort inside LiteRT, as it does in the Python runtime.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from tests.native.conftest import MODELS, NATIVE

from segruntime.model_file.entries import read_text, without_archive

from segedge import STATUSES, Native, NativeError, Opening  # isort: skip

PATH = MODELS / "mobile_unet_int8.tflite"
MODEL = PATH.read_bytes()
SIZE = len(without_archive(MODEL))


def changed(generator: np.random.Generator) -> bytes:
    """A quarter is cut off; in the others 1 to 8 bytes are another, most of them in its tables."""
    if generator.integers(4) == 0:
        return MODEL[: int(generator.integers(16, SIZE))]
    data = bytearray(MODEL)
    for _ in range(generator.choice([1, 2, 8])):
        places = [generator.integers(8, 2000), generator.integers(SIZE - 60000, SIZE), generator.integers(SIZE)]
        at = int(generator.choice(places))
        data[at] = int(generator.choice([0, 255, 1, 127, data[at] ^ 1 << int(generator.integers(8))]))
    return bytes(data)


def end_of(model: bytes, opening: Opening) -> str:
    """`ran`, the status of a refusal, or the signal that ended the process."""
    child = os.fork()
    if child == 0:
        try:
            Native(model, opening).mask(np.zeros((64, 64, 3), np.uint8))
        except NativeError as error:
            os._exit(STATUSES.index(error.status))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return STATUSES[os.WEXITSTATUS(status)].replace("ok", "ran")


def main() -> None:
    spec = find_spec("ai_edge_litert")
    if not spec or not spec.origin or len(sys.argv) < 2:
        sys.exit(__doc__)
    contract = read_text(PATH, "segedge.contract")
    library = Path(spec.origin).parent / "libLiteRt.so"
    opening = Opening(NATIVE / "build" / "native" / "libsegedge.so", library, 1, contract)
    generator = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    ends = Counter(end_of(changed(generator), opening) for _ in range(int(sys.argv[1])))
    sys.stdout.write(", ".join(f"{end} {count}" for end, count in ends.most_common()) + "\n")


if __name__ == "__main__":
    main()
