"""A picture's own colours → sRGB, or in a line why they stay as they are."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from segruntime.errors import MissingExtraError
from segruntime.picture_files.embedded import ColourFacts, orientation
from segruntime.picture_files.libraries import require_pillow
from segruntime.picture_files.pixels import StillPicture, turned
from segruntime.picture_files.profiles import HDR_TRANSFERS, from_code_points, from_icc
from segruntime.preprocess import Frame

Conversion = Callable[[Frame], Frame]
_WHAT = "its colour profile"


def in_srgb(picture: StillPicture, facts: ColourFacts) -> StillPicture:
    """The same picture with its colours as `facts` mean them, or with a note that they were left as they are."""
    convert, note = conversion(facts)
    notes = picture.notes if note is None else (*picture.notes, note)
    return replace(picture, pixels=convert(picture.pixels) if convert else picture.pixels, notes=notes)


def conversion(facts: ColourFacts) -> tuple[Conversion | None, str | None]:
    """What makes sRGB of `(H, W, 3) uint8, BGR`, None where nothing is to be done; and the note where it cannot be done."""
    if facts.profile:
        space = from_icc(facts.profile)
        return _by_tables(facts.profile) if space is None else (None if space.is_srgb else space.convert, None)
    if facts.codes is None:
        return None, None
    if facts.codes.transfer in HDR_TRANSFERS:
        return None, f"its HDR ({HDR_TRANSFERS[facts.codes.transfer]}) is not tone-mapped: the colours are pale"
    space = from_code_points(facts.codes)
    return (None if space is None or space.is_srgb else space.convert), None


def cmyk_in_srgb(data: bytes, profile: bytes) -> StillPicture | None:
    """A JPEG in CMYK by its own profile; None where it has none that Little CMS takes.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    if profile[16:20] != b"CMYK":
        return None
    require_pillow(_WHAT)
    from PIL import JpegImagePlugin

    try:
        with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as image:
            pixels = _transformed(image, profile) if image.mode == "CMYK" else None
    except (OSError, SyntaxError, ValueError):
        return None
    return None if pixels is None else turned(StillPicture(pixels=pixels), orientation(data, "jpeg"))


def _by_tables(profile: bytes) -> tuple[Conversion | None, str | None]:
    try:
        image_module = require_pillow(_WHAT)
    except MissingExtraError as error:
        return None, f"its colour profile was not applied: {error}"

    def convert(pixels: Frame) -> Frame:
        rgb = image_module.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
        done = _transformed(rgb, profile)
        return pixels if done is None else done

    if _transformed(image_module.new("RGB", (1, 1)), profile) is None:
        return None, "its colour profile is damaged, or not for RGB, and was not applied"
    return convert, None


def _transformed(image: Any, profile: bytes) -> Frame | None:
    """A Pillow image in the colours of `profile` → `(H, W, 3) uint8, BGR`, sRGB; None where Little CMS refuses."""
    from PIL import ImageCms

    try:
        own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        done = ImageCms.profileToProfile(image, own, ImageCms.ImageCmsProfile(srgb), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return np.asarray(cv2.cvtColor(np.asarray(done, np.uint8), cv2.COLOR_RGB2BGR), np.uint8)
