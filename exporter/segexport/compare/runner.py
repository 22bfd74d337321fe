"""New model files on pictures, in a child process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segexport.compare.comparison import FileMasks
from segexport.errors import ConversionError
from segexport.process.child import Child
from segruntime import Contract

_WORKER = Path(__file__).with_name("worker.py")
_PACKAGES = ("segruntime", "numpy", "cv2", "ai_edge_litert", "onnxruntime")
_ADVICE = "it can be run nowhere as it is: try another --converter or precision, and report this network"


class Runner:
    """Runs files that a converter has just written, in one child process that stays for all of them; a context.

    The child starts with the first file, or with `start`, in a room in `folder`, and has `limit_s` seconds for each file.
    A picture is written for it once, however many files see it.
    """

    def __init__(self, folder: Path, *, limit_s: float, worker: Path = _WORKER) -> None:
        self._child = Child(worker, folder, limit_s=limit_s, packages=_PACKAGES, advice=_ADVICE)

    def start(self) -> None:
        """Let the child load its libraries while there is other work."""
        self._child.start()

    def run(
        self,
        path: Path,
        frames: Sequence[npt.NDArray[np.uint8]] | npt.NDArray[np.uint8],
        say: Callable[[str], None],
        *,
        limit_s: float | None = None,
        places: Sequence[int] | None = None,
    ) -> FileMasks:
        """As `run_file`: the file on `frames` `(H, W, 3) uint8, BGR`, or on those at `places`, in that order.

        Raises:
            MissingExtraError: an interpreter is not installed.
            ConversionError: the file has other tensors than one image in and one mask out, or crashes or exhausts its
                interpreter, or XNNPACK refuses it.
        """
        folder = self._child.start()
        chosen = range(len(frames)) if places is None else places
        found = self._child.ask(
            {
                "step": path.name,
                "path": str(path.absolute()),
                "frames": [_stored(folder, frames[place]) for place in chosen],
                "limit_s": limit_s,
                "masks": "masks.npy",
            },
            say,
        )
        if "refused" in found:
            raise ConversionError(str(found["refused"]))
        masks = np.load(folder / "masks.npy", allow_pickle=False)
        return FileMasks(
            name=path.name,
            contract=Contract.from_json(found["contract"]),
            masks=np.asarray(masks, np.float32),
            places=tuple(chosen[: len(masks)]),
            invoke_ms=tuple(map(float, found["invoke_ms"])),
        )

    def close(self) -> None:
        """End the child; the next file starts another."""
        self._child.close()

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _stored(folder: Path, frame: npt.NDArray[np.uint8]) -> str:
    """The name of the file that holds this picture; written where the child has not had it yet."""
    whole = np.ascontiguousarray(frame)
    digest = blake2b(whole.data, digest_size=16, key=repr(whole.shape).encode()).hexdigest()
    path = folder / f"{digest}.npy"
    if not path.exists():
        np.save(path, whole)
    return path.name
