"""What phones send: HEIC and AVIF where the server reads them, an animation refused and not cut to its first frame."""

from __future__ import annotations

import io
import sys

import cv2
import numpy as np
import pytest
from tests.serve.running import Running, encoded, picture

import segruntime
from segruntime.arrays import alpha_bytes
from segruntime.picture_files import decode_picture

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")


def from_phone(kind: str) -> bytes:
    into = io.BytesIO()
    image = Image.fromarray(cv2.cvtColor(picture(), cv2.COLOR_BGR2RGB))
    if kind == "heic":
        heif.from_pillow(image).save(into, quality=95)
    else:
        image.save(into, kind, quality=95)
    return into.getvalue()


@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_a_picture_of_a_phone_gets_its_mask(kind: str, real: Running, segmenter: segruntime.Segmenter) -> None:
    body = from_phone(kind)
    frame = decode_picture(body)
    assert not isinstance(frame, str)
    answer = real.post("/v1/mask", body, content_type=f"image/{kind}")
    np.testing.assert_array_equal(answer.picture, alpha_bytes(segmenter.alpha(frame)))


@pytest.mark.parametrize(("kind", "module", "name"), [("heic", "pillow_heif", "HEIF"), ("avif", "PIL", "AVIF")])
def test_a_server_without_the_library_says_what_it_reads(
    kind: str, module: str, name: str, real: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = from_phone(kind)
    monkeypatch.setitem(sys.modules, module, None)
    answer = real.post("/v1/mask", body)
    line = f"picture: this server does not read {name}, expected a JPEG, PNG or WebP; convert it first"
    assert (answer.status, answer.error) == (415, line)


@pytest.mark.parametrize("kind", ["webp", "png"])
def test_an_animation_is_refused_and_not_cut_to_its_first_frame(kind: str, real: Running) -> None:
    into = io.BytesIO()
    frames = [Image.fromarray(np.full((60, 80, 3), 40 * k, np.uint8)) for k in range(3)]
    frames[0].save(into, kind, save_all=True, append_images=frames[1:], duration=100)
    answer = real.post("/v1/mask", into.getvalue())
    line = "picture: is an animation, expected one that stands still; send its frames one by one"
    assert (answer.status, answer.error) == (415, line)
    assert real.post("/v1/mask", encoded(picture(), f".{kind}")).status == 200
