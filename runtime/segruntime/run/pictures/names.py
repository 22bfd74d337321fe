"""What the result of a file is called where a folder's files keep their names and kinds."""

from __future__ import annotations

from pathlib import Path, PurePath

from segruntime.picture_files import kind_of
from segruntime.picture_files.writers import WRITERS
from segruntime.run.stages import Mode
from segruntime.run.video.encoder import VIDEO_KINDS


def result_name(path: Path, mode: Mode) -> str:
    """The name of the result for an input file, which has to be there: the same, where its kind can be written.

    A picture's mask or cut-out is a .png. An animation that cannot be written becomes .webp, which has soft transparency; a
    video .mp4, or where it is transparent .webm, which browsers play and whose files are small: .mov and .mkv stay, for they
    have transparency too.
    """
    kind = kind_of(path)
    if kind != "video":
        return picture_result(path.name, mode, is_animation=kind == "animation")
    plain, clear = VIDEO_KINDS.get(path.suffix.lower(), (None, None))
    if mode == "transparent":
        return path.name if clear else path.with_suffix(".webm").name
    return path.name if plain else path.with_suffix(".mp4").name


def picture_result(name: str, mode: Mode, *, is_animation: bool) -> str:
    """The same for a picture by its name alone."""
    path = PurePath(name)
    if is_animation:
        return name if path.suffix.lower() in WRITERS else path.with_suffix(".webp").name
    return name if mode == "replaced" else path.with_suffix(".png").name
