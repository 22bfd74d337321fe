"""What is refused, with which status, and in which words; in bounded time and memory."""

from __future__ import annotations

import numpy as np
import pytest
from tests.serve.running import (
    LONG_S,
    Held,
    Running,
    encoded,
    make_service,
    picture,
    plain,
    png_of,
    read_reply,
    running,
)

from segruntime.serve.errors import RefusedError
from segruntime.serve.picture import declared_size, decode

GOOD = encoded(picture())


@pytest.mark.parametrize(
    ("body", "status", "line"),
    [
        (b"", 400, "body: got 0 bytes, expected a JPEG, PNG, WebP, HEIC or AVIF; with curl: --data-binary @me.jpg"),
        (
            b"no picture at all",
            415,
            "picture: starts with 6e 6f 20 70 69 63 74 75, expected a JPEG, PNG, WebP, HEIC or AVIF; convert it first",
        ),
        (b"GIF89a" + bytes(20), 415, "picture: starts with 47 49 46 38 39 61 00 00, expected a JPEG"),
        (
            GOOD[:40],
            400,
            "picture: PNG cut off (40 bytes), expected a whole JPEG, PNG, WebP, HEIC or AVIF; send it again",
        ),
        (GOOD[:12], 400, "picture: header is damaged (12 bytes)"),
        (encoded(picture(), ".jpg")[:-40], 400, "picture: JPEG cut off"),
        (encoded(picture(), ".webp")[:60], 400, "picture: cannot be decoded (60 bytes)"),
        (b"RIFF\x10\0\0\0WEBPVP9 " + bytes(20), 400, "picture: header is damaged"),
    ],
)
def test_a_broken_picture_is_one_line(real: Running, body: bytes, status: int, line: str) -> None:
    answer = real.post("/v1/cutout", body)
    assert (answer.status, answer.error[: len(line)]) == (status, line)


@pytest.mark.parametrize("kind", ["text/html", "multipart/form-data; boundary=x", "image/gif"])
def test_another_kind_of_body_is_415(real: Running, kind: str) -> None:
    answer = real.post("/v1/mask", GOOD, content_type=kind)
    assert answer.status == 415
    assert answer.error.startswith(
        f"content-type: got '{kind.split(';')[0]}', expected image/jpeg, image/png, image/webp"
    )


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/v1/mask?size=3", "query: got 'size', expected one of preset, format; leave it out"),
        ("/v1/mask?format=gif", "format: got 'gif', expected one of png, raw"),
        ("/v1/mask?format=png&format=raw", "format: given twice, expected once; leave one out"),
        ("/v1/cutout?preset=perfect", "preset: got 'perfect', expected one of none, fast, balanced, best"),
        ("/v1/composite?quality=0", "quality: got '0', expected a whole number from 1 to 100"),
        ("/v1/composite?quality=%D9%A3", "quality: got '٣', expected a whole number from 1 to 100"),
        (
            "/v1/composite?background=blur:2",
            "background: got 'blur:2', expected blur:STRENGTH over 0 to 1, like blur:0.7",
        ),
        ("/v1/composite?background=blur:nan", "background: got 'blur:nan', expected blur:STRENGTH"),
        ("/v1/composite?background=blur:1e-1", "background: got 'blur:1e-1', expected blur:STRENGTH"),
        ("/v1/composite?background=blur:%D9%A0.%D9%A5", "background: got 'blur:٠.٥', expected blur:STRENGTH"),
        ("/v1/composite?background=/etc/passwd", "background: got '/etc/passwd', expected one of blur, blur:STRENGTH"),
    ],
)
def test_an_option_that_cannot_be_used_is_422(real: Running, path: str, line: str) -> None:
    answer = real.post(path, GOOD)
    assert (answer.status, answer.error[: len(line)]) == (422, line)


def test_a_file_of_the_server_is_no_background(real: Running) -> None:
    assert real.post("/v1/composite?background=pyproject.toml", GOOD).status == 422


def test_another_path_or_method_says_where_to_look(real: Running) -> None:
    answer = real.post("/v2/mask", GOOD)
    assert (answer.status, answer.error) == (404, "POST /v2/mask: Not Found; / lists what is there")
    answer = real.get("/v1/mask")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_body_of_5_gigabytes_is_refused_by_its_length_alone(real: Running) -> None:
    with real.connect() as connection:
        connection.sendall(b"POST /v1/cutout HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000000\r\n\r\n")
        reply = read_reply(connection)  # of the body not a byte was sent
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b"body: got 5000000000 bytes or more, expected at most 16000000; send a smaller picture" in reply


def test_a_body_without_end_is_refused_at_the_limit_and_the_rest_is_cut_off() -> None:
    worker = Held()
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    with (
        running(make_service([worker], body_bytes=1_000_000, linger_s=LONG_S)) as service,
        service.connect() as connection,
    ):
        connection.sendall(b"POST /v1/mask HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + chunk * 16)
        assert read_reply(connection).startswith(b"HTTP/1.1 413 ")
        assert service.service.budget.held_bytes == 0
        connection.sendall(chunk * 200)  # thrown away for a while
        service.leap(LONG_S * 1.1)
        with pytest.raises(OSError, match=r"reset|pipe"):
            connection.sendall(chunk * 2000)
    assert worker.begun == 0


def test_a_body_as_long_as_the_limit_is_taken() -> None:
    worker = Held()
    worker.let.set()
    body = plain(7)
    with running(make_service([worker], body_bytes=len(body))) as service:
        assert service.post("/v1/mask", body).status == 200
        assert service.post("/v1/mask", body + b"\0").status == 413


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (2**31 - 1, 2**31 - 1), (24_000_001, 1)])
def test_a_few_bytes_that_declare_a_hundred_megapixels_are_refused_before_decoding(
    real: Running, width: int, height: int
) -> None:
    answer = real.post("/v1/mask", png_of(width, height))
    line = f"picture: declares {width}x{height} pixels, expected at most 24000000 in all; send a smaller one"
    assert (answer.status, answer.error) == (413, line)


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_a_hundred_real_megapixels_are_refused_before_decoding(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(np.zeros((10_000, 10_000, 3), np.uint8), ending)
    monkeypatch.setattr("segruntime.serve.picture.decode_picture", lambda _: pytest.fail("was decoded"))
    with pytest.raises(RefusedError, match="declares 10000x10000 pixels") as caught:
        decode(data, 24_000_000)
    assert caught.value.status == 413


@pytest.mark.parametrize("options", [[], [64, 101]])  # 101: lossless; cv2.IMWRITE_WEBP_QUALITY
@pytest.mark.parametrize("size", [(1, 1), (3, 700), (1025, 2)])
def test_the_size_of_a_webp_is_read_from_its_header(size: tuple[int, int], options: list[int]) -> None:
    import cv2

    data = bytes(cv2.imencode(".webp", np.zeros((*size, 3), np.uint8), options)[1])
    assert declared_size(data) == size[::-1]


def test_the_size_of_an_extended_webp_is_its_canvas() -> None:
    data = (
        b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + (9_999).to_bytes(3, "little") + (8_999).to_bytes(3, "little")
    )
    assert declared_size(data) == (10_000, 9_000)
