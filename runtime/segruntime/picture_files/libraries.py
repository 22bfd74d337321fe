"""Pillow and pillow-heif, imported when a picture first needs them."""

from __future__ import annotations

from typing import Any

from segruntime.errors import MissingExtraError

EXTRA = "pictures"


def require_pillow(what: str) -> Any:
    """The module `PIL.Image`, for `what` (`"a GIF"`).

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError(what, "Pillow", EXTRA) from error
    return Image


def require_avif() -> Any:
    """The module `PIL.AvifImagePlugin`.

    Raises:
        MissingExtraError: Pillow is not installed, or was built without AVIF.
    """
    require_pillow("an AVIF picture")
    try:
        from PIL import AvifImagePlugin, features

        if features.check("avif"):
            return AvifImagePlugin
    except ImportError as error:
        raise MissingExtraError("an AVIF picture", "Pillow 11.3 or newer", EXTRA) from error
    raise MissingExtraError("an AVIF picture", "a Pillow with AVIF", EXTRA)


def require_heif() -> Any:
    """The module `pillow_heif`.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingExtraError("a HEIC picture", "pillow-heif", EXTRA) from error
    return pillow_heif
