"""How many frames a picture file has, by its structure alone; nothing is decoded."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

PNG = b"\x89PNG\r\n\x1a\n"
_HEAD = 64 * 1024
_MOST = 1 << 31


def frames_in(path: Path, most: int = _MOST) -> int:
    """The frames of a GIF, WebP, PNG or AVIF, 1 for every other file, also for a damaged one; counts no further than `most`.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return frames_of(file, most)


def frames_of(file: BinaryIO, most: int = _MOST) -> int:
    """The same of an open file, or of bytes."""
    head = file.read(16)
    for is_kind, count in _COUNTS:
        if is_kind(head):
            file.seek(0)
            return max(1, min(most, count(file, most)))
    return 1


def has_its_end(path: Path) -> bool:
    """False for a GIF whose end is not there: Pillow takes one that is cut between two frames for a shorter one.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(3) != b"GIF":
            return True
        file.seek(0)
        return deque(_gif_blocks(file), maxlen=1) == deque([b";"])


def _apng_frames(file: BinaryIO, _most: int) -> int:
    """`num_frames` of the acTL chunk, which stands before the picture's data (PNG, third edition, 11.3.6.1)."""
    for kind, length in _png_chunks(file):
        if kind == b"acTL" and length >= 8:
            return int.from_bytes(file.read(4), "big")
        if kind == b"IDAT":
            break
    return 1


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk, the file at the chunk's data."""
    at = len(PNG)
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        length = int.from_bytes(head[:4], "big")
        yield head[4:], length
        at += 12 + length


def _webp_frames(file: BinaryIO, most: int) -> int:
    """The ANMF chunks of an extended file that says it is animated (RFC 9649, 2.7)."""
    head = file.read(30)
    if head[12:16] != b"VP8X" or len(head) < 30 or not head[20] & 2:
        return 1
    return sum(1 for _ in islice(_webp_parts(file, b"ANMF"), most))


def _webp_parts(file: BinaryIO, wanted: bytes) -> Iterator[int]:
    at = 12
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        length = struct.unpack_from("<I", head, 4)[0]
        if head[:4] == wanted:
            yield at
        at += 8 + length + (length & 1)


def _gif_frames(file: BinaryIO, most: int) -> int:
    return sum(1 for _ in islice((label for label in _gif_blocks(file) if label == b","), most))


def _gif_blocks(file: BinaryIO) -> Iterator[bytes]:
    """The first byte of each block (GIF89a, 15): `,` an image, `!` an extension, `;` the end, as far as there are any."""
    screen = file.read(13)
    if len(screen) < 13:
        return
    _skip_colours(file, screen[10])
    while label := file.read(1):
        yield label
        if label == b",":
            descriptor = file.read(9)
            if len(descriptor) < 9:
                return
            _skip_colours(file, descriptor[8])
        elif label != b"!":
            return
        file.seek(1, 1)  # the size of the first code, or the extension's label
        while (count := file.read(1)) and count != b"\0":
            file.seek(count[0], 1)


def _skip_colours(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.seek(3 << (1 + (flags & 7)), 1)


def _avif_frames(file: BinaryIO, _most: int) -> int:
    """The samples of the first track, where the file is a sequence (ISO/IEC 14496-12, 8.7.3)."""
    head = file.read(_HEAD)
    brands = head[8 : int.from_bytes(head[:4], "big")]
    at = head.find(b"stsz")
    if b"avis" not in brands:
        return 1
    return int.from_bytes(head[at + 12 : at + 16], "big") if at > 0 else 2


_COUNTS: tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO, int], int]], ...] = (
    (lambda head: head[:8] == PNG, _apng_frames),
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", _webp_frames),
    (lambda head: head[:6] in (b"GIF87a", b"GIF89a"), _gif_frames),
    (lambda head: head[4:8] == b"ftyp" and head[8:12] in (b"avis", b"avif"), _avif_frames),
)
