"""What the result of a file is called where a folder's files keep their names and kinds."""

from __future__ import annotations

from pathlib import Path

from segruntime.picture_files import kind_of
from segruntime.run.stages import Mode
from segruntime.run.video.encoder import VIDEO_KINDS

_ANIMATIONS = (".gif", ".webp", ".apng", ".png")
_SAME = {".hif": ".heic", ".jfif": ".jpg", ".jpe": ".jpg"}
"""Written as another ending has it, under their own."""


def result_name(path: Path, mode: Mode) -> str:
    """The name of the result for an input file, which has to be there: the same, where its kind can be written.

    A picture's mask or cut-out is a .png. An animation that cannot be written becomes .webp, which has soft transparency; a
    video .mp4, or where it is transparent .webm, which browsers play and whose files are small: .mov and .mkv stay, for they
    have transparency too.
    """
    suffix = path.suffix.lower()
    kind = kind_of(path)
    if kind == "video":
        plain, clear = VIDEO_KINDS.get(suffix, (None, None))
        if mode == "transparent":
            return path.name if clear else path.with_suffix(".webm").name
        return path.name if plain else path.with_suffix(".mp4").name
    if kind == "animation":
        return path.name if suffix in _ANIMATIONS else path.with_suffix(".webp").name
    return path.name if mode == "replaced" else path.with_suffix(".png").name
