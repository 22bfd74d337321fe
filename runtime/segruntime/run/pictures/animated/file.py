"""Finished frames → an animated GIF, WebP or PNG, each shown as long as in the input."""

from __future__ import annotations

import struct
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from segruntime.arrays import Bytes
from segruntime.atomic_file import Draft
from segruntime.errors import OutputError
from segruntime.picture_files.writers import WRITERS

GIF_ALPHA = "a GIF's transparency is all or nothing: soft edges became hard; .webp and .apng keep them"


class AnimationFile:
    """One file, not under its name before it is whole.

    A frame is held until the next one says when it ends. Where frames come faster than this kind can show them, the later
    one of two is left out and counted.
    """

    def __init__(self, target: Path, plays: int = 0) -> None:
        """
        Raises:
            OutputError: nothing can be written there. MissingExtraError: Pillow, for a GIF.
        """
        self._left_out = 0
        self._target, self._draft = target, Draft(target)
        self._held: tuple[Bytes, Fraction] | None = None
        try:
            self._file = self._draft.path.open("wb")
            self._writer = WRITERS[target.suffix.lower()](self._file, plays)
        except BaseException:
            self._draft.drop()
            raise

    def add(self, image: Bytes, start_s: Fraction) -> None:
        """A frame, `(H, W) uint8` gray, `(H, W, 3)` BGR or `(H, W, 4)` BGRA, which is shown from `start_s` on.

        Raises:
            OutputError: the disk is full, or the frame is too large for this kind.
        """
        if self._held is not None and start_s - self._held[1] < self._writer.finest_s:
            self._left_out += 1
            return
        self._write_held(start_s)
        self._held = image, start_s

    def finish(self, end_s: Fraction) -> None:
        """Put it in its place; the last frame is shown until `end_s`.

        Raises:
            OutputError: the disk is full.
        """
        if self._held is not None:
            self._write_held(max(end_s, self._held[1] + self._writer.finest_s))
        try:
            self._writer.finish()
            self._file.close()
        except OSError as error:
            raise self._failed(error) from error
        self._draft.keep()

    @property
    def notes(self) -> list[str]:
        """What was not kept."""
        most = 1 / self._writer.finest_s
        left_out = f"{self._target.name}: shows at most {most} pictures a second, {self._left_out} frames were left out"
        return [left_out] if self._left_out else []

    def abandon(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):  # what was not written yet finds no room either
            self._file.close()
        self._draft.drop()

    def _write_held(self, end_s: Fraction) -> None:
        if self._held is None:
            return
        image, start_s = self._held
        self._held = None
        try:
            self._writer.add(image, (start_s, end_s))
        except (OSError, ValueError, struct.error) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> OutputError:
        self.abandon()
        why = getattr(error, "strerror", None) or " ".join(str(error).split())[:120]
        return OutputError(f"{self._target}: writing failed ({why}); free some space, or choose another kind or place")
