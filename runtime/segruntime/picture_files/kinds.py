"""What a file is: a picture, an animation or a video, by its ending and its first bytes, before anything is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from segruntime.picture_files.animated import frames_in

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".hif"}
    | {".gif", ".webp", ".png", ".apng", ".avif"}
)
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".ts", ".mts", ".m2ts", ".m2t", ".mpg", ".mpeg"}
    | {".mpe", ".m1v", ".m2v", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".ogm", ".mxf", ".dv", ".vob"}
    | {".rm", ".rmvb", ".nut", ".ivf", ".y4m", ".mjpeg", ".mjpg", ".h264", ".264", ".h265", ".265", ".hevc"}
)
FOREIGN = {
    **dict.fromkeys(
        (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".raw"), "a raw photograph"
    ),
    **dict.fromkeys((".psd", ".xcf", ".svg", ".eps", ".pdf", ".ai"), "a drawing program's file"),
    **dict.fromkeys((".jp2", ".j2k", ".jpx"), "JPEG 2000"),
    **dict.fromkeys((".ico", ".cur", ".icns"), "an icon"),
    **dict.fromkeys((".exr", ".hdr"), "a picture of linear light"),
    ".jxl": "JPEG XL",
    ".tga": "a Targa picture",
}
"""Pictures that people have and that are not read, by their endings, with what they are called."""
Kind = Literal["picture", "animation", "video"]
_TS_SYNC = b"\x47"  # a TypeScript file has the same ending


def kind_of(path: Path) -> Kind | None:
    """Picture, animation of more than one frame, or video; None for any other file, and for one that is not there.

    Reads headers only, nothing is decoded: a picture or video that says so in its name may still be broken. Whether a picture
    moves is in its bytes, whatever it is called.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in SUFFIXES:
            return None if not path.is_file() else "animation" if frames_in(path, most=2) > 1 else "picture"
        if suffix not in VIDEO_SUFFIXES or not path.is_file():
            return None
        return "video" if suffix != ".ts" or _begins_with(path, _TS_SYNC) else None
    except OSError:
        return None


def _begins_with(path: Path, start: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(start)) == start
