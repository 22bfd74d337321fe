"""ONNX, or a program of torch.export → float32 TFLite, by one of the converters in a child process."""

from __future__ import annotations

import shutil
from pathlib import Path

from segexport.convert.converters import CONVERTERS
from segexport.convert.setup.place import interpreter_of
from segexport.process.child import Child, Progress
from segexport.tflite.settle import settle
from segexport.tflite.structure import check_structure

_TARGET = "network.tflite"


class Float32Converter:
    """The child process of one converter; a context that kills it at the end.

    It takes seconds to load, so it is started before what it converts is there. Its room is made in `playground`; from `begin`
    on it has `limit_s` seconds.

    Raises:
        MissingConverterError: its environment is not there, or is another than this version's.
        MissingExtraError: what it borrows is not installed.
    """

    def __init__(self, name: str, playground: Path, *, limit_s: float) -> None:
        self.name, self._converter = name, CONVERTERS[name]
        self._child = Child(
            self._converter.path,
            playground,
            limit_s=limit_s,
            packages=self._converter.borrowed,
            interpreter=str(interpreter_of(name)),
        )
        self._folder = self._child.start()

    def begin(self, source: Path, target: Path) -> None:
        """It gets a copy of `source`: converters write into what they read."""
        self._target = target
        shutil.copyfile(source, self._folder / self._converter.source)
        self._child.begin({"step": self.name, "source": self._converter.source, "target": _TARGET})

    def finish(self, progress: Progress) -> None:
        """Wait for its end, and put the file in its place, as all our files are.

        Raises:
            ConversionError: it failed, took longer than its limit, or made a file that cannot be one of ours.
        """
        self._child.result(progress)
        shutil.copyfile(self._folder / _TARGET, self._target)  # made by us, with the user's umask
        settle(self._target, self.name)
        check_structure(self._target, self.name)

    def close(self) -> None:
        """End the child."""
        self._child.close()

    def __enter__(self) -> Float32Converter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_float32(
    onnx_path: Path, target: Path, playground: Path, *, limit_s: float, progress: Progress, converter: str = "direct"
) -> None:
    """The whole conversion at once."""
    with Float32Converter(converter, playground, limit_s=limit_s) as running:
        running.begin(onnx_path, target)
        running.finish(progress)
