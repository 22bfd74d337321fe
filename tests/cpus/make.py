"""The child: what is made under this interpreter, these switches and this processor, written to FILE.npz.

python make.py {calls,outputs,network} FILE.npz
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np


def main(kind: str, file: str) -> None:
    # a name may hold what cannot stand in a file's name inside a .npz
    found = list(makers()[kind]())
    names, arrays = zip(*found, strict=True)
    numbered = {str(index): array for index, array in enumerate(arrays)}
    np.savez(file, names=np.array(names), features=np.array(cv2.getCPUFeaturesLine()), **numbered)


def makers() -> dict[str, Callable[[], Iterator[tuple[str, Any]]]]:
    from calls import calls
    from outputs import network_masks, outputs

    return {"calls": calls, "outputs": outputs, "network": network_masks}


if __name__ == "__main__":
    main(*sys.argv[1:])
