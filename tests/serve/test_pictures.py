"""Pictures by POST: each reply is what the library makes of the same picture."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.serve.running import Pixels, Running, encoded, picture

import segruntime
from segruntime.arrays import alpha_bytes
from segruntime.measures.agreement import mask_iou
from segruntime.model_file.golden import read_golden
from segruntime.picture_files import decode_picture
from segruntime.segmenter import BUNDLED

PORTRAITS = Path(__file__).parents[3] / "shared" / "data" / "portraits" / "calibration"


def expected_mask(segmenter: segruntime.Segmenter, frame: Pixels) -> Pixels:
    return alpha_bytes(segmenter.alpha(frame))


def refined_mask(segmenter: segruntime.Segmenter, frame: Pixels, preset: str) -> Pixels:
    refiner = segruntime.Refiner(preset)
    return refiner(segmenter.coarse(frame), np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8))


@pytest.mark.parametrize(("ending", "kind"), [(".jpg", "image/jpeg"), (".png", "image/png"), (".webp", "image/webp")])
def test_the_mask_is_the_segmenters_to_the_byte(
    real: Running, segmenter: segruntime.Segmenter, ending: str, kind: str
) -> None:
    body = encoded(picture(), ending)
    frame = decode_picture(body)
    assert not isinstance(frame, str)
    answer = real.post("/v1/mask", body, content_type=kind)
    np.testing.assert_array_equal(answer.picture, expected_mask(segmenter, frame))
    assert answer.headers["content-type"] == "image/png"
    assert (answer.headers["x-width"], answer.headers["x-height"]) == ("80", "60")


def test_a_raw_mask_is_the_same_bytes_without_a_file_around(real: Running, segmenter: segruntime.Segmenter) -> None:
    frame = picture(seed=1)
    answer = real.post("/v1/mask?format=raw", encoded(frame))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.body == expected_mask(segmenter, frame).tobytes()


@pytest.mark.parametrize("preset", ["fast", "balanced", "best"])
def test_a_preset_refines_the_edges_as_the_refiner_does(
    real: Running, segmenter: segruntime.Segmenter, preset: str
) -> None:
    frame = picture(seed=2)
    mask = real.post(f"/v1/mask?preset={preset}", encoded(frame)).picture
    np.testing.assert_array_equal(mask, refined_mask(segmenter, frame, preset))


def test_the_cutout_keeps_the_persons_colours_and_nothing_of_what_was_removed(
    real: Running, segmenter: segruntime.Segmenter
) -> None:
    golden = read_golden(BUNDLED["tflite"])
    assert golden is not None
    frame = golden.pictures[0].frame  # a portrait, which the bundled file carries to test itself with
    made = real.post("/v1/cutout?preset=best", encoded(frame)).picture
    mask = refined_mask(segmenter, frame, "best")
    np.testing.assert_array_equal(made[..., 3], mask)
    np.testing.assert_array_equal(made[..., :3], np.where(mask[..., None] > 0, frame, 0))
    assert (mask == 0).any()
    assert (mask > 0).any()


@pytest.mark.parametrize(
    ("word", "behind"),
    [
        ("00b140", (64, 177, 0)),
        ("%2300b140", (64, 177, 0)),
        ("white", (255, 255, 255)),
        ("wall", picture(30, 40, seed=9)),
    ],
)
def test_a_composite_has_that_background(
    real: Running, segmenter: segruntime.Segmenter, word: str, behind: tuple[int, int, int] | Pixels
) -> None:
    frame = picture(seed=4)
    made = real.post(f"/v1/composite?background={word}&format=png", encoded(frame)).picture
    expected = segruntime.composite(frame, expected_mask(segmenter, frame), behind)
    np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize(("word", "strength"), [("", 0.5), ("?background=blur:0.8", 0.8)])
def test_a_composite_is_a_jpeg_with_a_blur_where_nothing_else_is_asked_for(
    real: Running, segmenter: segruntime.Segmenter, word: str, strength: float
) -> None:
    frame = picture(seed=5)
    answer = real.post(f"/v1/composite{word}", encoded(frame))
    assert answer.headers["content-type"] == "image/jpeg"
    alpha = expected_mask(segmenter, frame)
    made = segruntime.composite(frame, alpha, segruntime.BlurBehind(strength)(frame, alpha))
    assert answer.body == bytes(cv2.imencode(".jpg", made, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


def test_a_lower_quality_is_a_smaller_jpeg(real: Running) -> None:
    body = encoded(picture(seed=6))
    sizes = [len(real.post(f"/v1/composite?quality={quality}", body).body) for quality in (10, 90)]
    assert 2 * sizes[0] < sizes[1]


def test_requests_at_once_get_each_its_own_mask(real: Running, segmenter: segruntime.Segmenter) -> None:
    frames = [picture(40 + seed, 50, seed) for seed in range(8)] * 3
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda frame: real.post("/v1/mask", encoded(frame)), frames))
    for answer, frame in zip(answers, frames, strict=True):
        np.testing.assert_array_equal(answer.picture, expected_mask(segmenter, frame))


def test_the_person_of_a_portrait_comes_back(real: Running) -> None:
    if not PORTRAITS.is_dir():
        pytest.skip("the portraits of ../shared are not here")
    path = min((PORTRAITS / "images").glob("*.jpg"))
    person = cv2.imread(str(PORTRAITS / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
    made = real.post("/v1/cutout", path.read_bytes(), content_type="image/jpeg").picture
    assert mask_iou(made[..., 3] > 127, np.asarray(person) > 127) > 0.9
