"""docs/serve.md: its Python program runs as it stands, and its tables say what the service has."""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
import pytest
from tests.places import ROOT
from tests.serve.running import picture

from segruntime.serve.limits import Limits

PAGE = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")


class Talk:
    """A video of three frames."""

    def __init__(self, _name: str) -> None:
        self.frames = [picture(seed=seed) for seed in range(3)]

    def read(self) -> tuple[bool, Any]:
        return (True, self.frames.pop()) if self.frames else (False, None)


def test_the_python_program_gets_a_mask_for_each_frame(real: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert "127.0.0.1:8000" in program
    monkeypatch.setattr(cv2, "VideoCapture", Talk)
    names: dict[str, Any] = {}
    exec(compile(program.replace(":8000", f":{real.port}"), "serve.md", "exec"), names)  # noqa: S102 the text is ours
    assert (names["number"], names["skipped"], names["width"], names["height"]) == (3, 0, 80, 60)
    assert names["mask"].shape == (60, 80)
    assert names["mask"].dtype == np.uint8


def test_the_table_of_limits_is_that_of_the_service() -> None:
    limits = Limits()
    table = PAGE[PAGE.index("## Limits") :]
    for words in (
        f"| {limits.body_bytes // 10**6} MB, by `Content-Length`",
        f"| {limits.pixels // 10**6} million, by its header",
        f"| {limits.frame_bytes // 10**6} MB, {limits.frame_pixels // 10**6} million |",
        f"| {limits.held_bytes // 10**6} MB | |",
        f"| {limits.queue} | `--queue`",
        f"| {limits.connections}, {limits.sockets} |",
        f"| {limits.header_s:g} s; 16 kB |",
        f"| a body | {limits.body_s:g} s |",
        f"| {limits.work_s:g} s each |",
        f"reply | {limits.reply_s:g} s |",
        f"a frame | {limits.idle_s:g} s |",
        f"body | {limits.linger_s:g} s |",
    ):
        assert words in table, words
