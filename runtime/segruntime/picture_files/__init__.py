"""Pictures in files: which kinds, how large, whole or cut off, and decoded as the camera held them."""

from segruntime.picture_files.decode import decode_picture, picture_bytes, picture_paths, read_picture
from segruntime.picture_files.kinds import SUFFIXES, kind_of
from segruntime.picture_files.sizes import declared_size
from segruntime.picture_files.structure import picture_kind

__all__ = [
    "SUFFIXES",
    "declared_size",
    "decode_picture",
    "kind_of",
    "picture_bytes",
    "picture_kind",
    "picture_paths",
    "read_picture",
]
