"""The environment of a child process: made, not inherited. What is not named here reaches no tool (docs/conversion.md).

`PYTHONHASHSEED` is why it is this and not `python -I`, which would do the rest: a set then has one order in every run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

THREADS = 2  # more are hardly faster, and a number that follows the machine could be seen in a file
UMASK = 0o077  # what a child writes is its own; files for the user are written by the parent, with the user's umask

_NOWHERE = "http://127.0.0.1:9"  # the discard port of this very machine
_FIXED = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",  # Turkish has two letters i, German a comma in its numbers
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",  # the order of sets of names, and with it of operators
    "PYTHONNOUSERSITE": "1",
    "PYTHONSAFEPATH": "1",  # modules come neither from the working folder nor from next to the script
    "PYTHONUTF8": "1",
    "OMP_NUM_THREADS": str(THREADS),
    "OMP_WAIT_POLICY": "passive",  # threads that wait leave the core to PyTorch, which works at the same time
    "OPENBLAS_NUM_THREADS": str(THREADS),
    "MKL_NUM_THREADS": str(THREADS),
    "TF_NUM_INTRAOP_THREADS": str(THREADS),
    "TF_NUM_INTEROP_THREADS": str(THREADS),
    "TF_ENABLE_ONEDNN_OPTS": "0",  # it computes constants in another order on each kind of processor
    "TF_USE_LEGACY_KERAS": "1",  # what onnx2tf sets when tensorflow is loaded already
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TQDM_DISABLE": "1",  # the last words of a child that fails shall be its own, and not a progress bar's
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime's Linux files carry a client from 1.32 on
    "http_proxy": _NOWHERE,  # a tool that downloads fails at once, and no request leaves the machine
    "https_proxy": _NOWHERE,
    "all_proxy": _NOWHERE,
}
_FOLDERS = {
    "HOME": "home",  # ~/.keras/keras.json would choose the layout of every tensor
    "USERPROFILE": "home",
    "TMPDIR": "tmp",
    "TEMP": "tmp",
    "TMP": "tmp",
    "PATH": "programs",  # empty: onnx2tf starts onnxsim and flatc where it finds them
}
_PASSED = (
    "SYSTEMROOT",  # Windows starts no Python without it
    "LD_LIBRARY_PATH",  # nor does a cluster whose Python lies in a module
    "DYLD_LIBRARY_PATH",
    "OPENBLAS_CORETYPE",  # which processor this is, where an old OpenBLAS mistakes it and crashes or computes wrong
    "OPENBLAS_L2_SIZE",
)


def made_environment(folder: Path, outside: Mapping[str, str] = os.environ) -> dict[str, str]:
    """All variables of a child whose own folders are made in `folder`; of `outside` only what it cannot start without."""
    for name in sorted(set(_FOLDERS.values())):
        (folder / name).mkdir()
    passed = {name: outside[name] for name in _PASSED if name in outside}
    return {**passed, **_FIXED, **{name: str(folder / own) for name, own in _FOLDERS.items()}}
