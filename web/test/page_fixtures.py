"""What the page's tests need: composites by `segruntime` to compare the shaders with, and small drawn videos.

python web/test/page_fixtures.py web/.fixtures/page
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from segruntime.compositing.blend import blend
from segruntime.compositing.blur import BlurBehind
from segruntime.compositing.light_wrap import light_wrap
from segruntime.refine.bounds import Bounds, apply_bounds, bounds_table
from segruntime.refine.guided import Coefficients
from segruntime.refine.upsample import EdgeUpsampler

Bytes = npt.NDArray[np.uint8]
BOUNDS = Bounds(low=0.05, high=0.95)
COLOUR = (31, 138, 91)  # RGB
CASES = {"wide": (640, 360, 64, 48), "odd": (213, 161, 64, 64), "small": (50, 40, 64, 64)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    index = {name: write_case(folder, name, *size) for name, size in CASES.items()}
    (folder / "index.json").write_text(json.dumps({"colour": COLOUR, "cases": index}, indent=1), encoding="utf-8")
    write_video(folder / "clip.mp4", "libx264", sound="aac")
    write_video(folder / "clip.webm", "libvpx-vp9", sound="libopus")
    write_video(folder / "quick.mp4", "libx264", sound="aac", size=(640, 480), rate=60)
    write_y4m(folder / "camera.y4m")


def write_case(folder: Path, name: str, width: int, height: int, mask_width: int, mask_height: int) -> dict[str, Any]:
    """One frame with coefficients, and what `segruntime` makes of them; returns what the index says of it."""
    rng = np.random.default_rng(width)
    frame = drawn(width, height, 0.3)
    frame = np.clip(frame + rng.normal(0, 6, frame.shape), 0, 255).astype(np.uint8)
    slope = smooth(rng, mask_width, mask_height) * np.float32(0.8)
    offset = person(mask_width, mask_height) - slope * np.float32(120)
    gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
    alpha = np.asarray(EdgeUpsampler()(Coefficients(slope, offset), gray, np.empty_like(gray)), np.uint8)
    apply_bounds(alpha, bounds_table(BOUNDS), alpha)
    behind = BlurBehind(0.5)(frame, alpha)
    lit = light_wrap(frame, alpha, COLOUR, 0.6)
    arrays = {
        "frame": frame,
        "slope": slope,
        "offset": offset,
        "alpha": alpha,
        "colour": blend(frame, alpha, COLOUR, np.empty_like(frame)),
        "picture": blend(frame, alpha, np.ascontiguousarray(frame[::-1]), np.empty_like(frame)),
        "blur": blend(frame, alpha, behind, np.empty_like(frame)),
        "wrap": blend(lit, alpha, COLOUR, np.empty_like(frame)),
    }
    for part, array in arrays.items():
        (folder / f"{name}.{part}.bin").write_bytes(np.ascontiguousarray(array).tobytes())
    sizes = {"width": width, "height": height, "maskWidth": mask_width, "maskHeight": mask_height}
    return {**sizes, "bounds": {"low": BOUNDS.low, "high": BOUNDS.high}}


def smooth(rng: np.random.Generator, width: int, height: int) -> npt.NDArray[np.float32]:
    """`(height, width) float32`, about -1 to 1."""
    coarse = rng.uniform(-1, 1, (6, 8)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def person(width: int, height: int) -> npt.NDArray[np.float32]:
    """`(height, width) float32`, 0–255: a soft ellipse."""
    y, x = np.indices((height, width)) / np.array([height, width]).reshape(2, 1, 1) - 0.5
    return np.clip(2040 * (0.35 - np.hypot(1.6 * x, y)), 0, 255).astype(np.float32)


def drawn(width: int, height: int, phase: float) -> Bytes:
    """A figure that sways before a room, `(height, width, 3) uint8, RGB`; `phase` in turns."""
    y, x = np.indices((height, width))
    image = np.stack([120 + 60 * x / width, 140 + 40 * y / height, np.full(x.shape, 150.0)], -1).astype(np.uint8)
    cv2.rectangle(image, (width // 12, height // 8), (width // 3, height // 2), (235, 240, 250), -1)
    middle = int(width * (0.5 + 0.08 * np.sin(2 * np.pi * phase)))
    cv2.ellipse(image, (middle, height), (width // 4, int(height * 0.35)), 0, 0, 360, (40, 60, 110), -1)
    cv2.ellipse(image, (middle, int(height * 0.42)), (width // 10, int(height * 0.2)), 0, 0, 360, (224, 172, 140), -1)
    return image


def sequence(count: int, width: int = 320, height: int = 240) -> Iterator[Bytes]:
    for k in range(count):
        yield drawn(width, height, k / count)


def write_video(path: Path, codec: str, sound: str, size: tuple[int, int] = (320, 240), rate: int = 15) -> None:
    """Two seconds with a tone; `size` is (width, height)."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codec, rate=rate)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        audio: Any = container.add_stream(sound, rate=48000, layout="mono")
        for image in sequence(2 * rate, *size):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
        tone = (np.sin(np.arange(96000) * 2 * np.pi * 440 / 48000) * 0.1).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(audio.encode(frame))
        container.mux(audio.encode())


def write_y4m(path: Path) -> None:
    """What a browser's fake camera plays."""
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W320 H240 F15:1 Ip A1:1 C420jpeg\n")
        for image in sequence(30):
            file.write(b"FRAME\n" + cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).tobytes())


if __name__ == "__main__":
    main()
