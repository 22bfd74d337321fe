"""The README's picture: one portrait as it is, then as `segrun` gives it with four backgrounds.

    python examples/before_after.py docs/images/segrun.png

Both pictures are NASA's, public domain, and come with scikit-image: Eileen Collins, and the Hubble deep field.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from skimage import data

from segruntime.run.command import RunOptions, run

Image = npt.NDArray[np.uint8]
HEIGHT, GAP, CAPTION, CHECKER = 360, 8, 30, 16


def made(background: str, portrait: Path, folder: Path) -> Image:
    """`segrun portrait -o … --background background --preset best`, read back."""
    target = folder / "out.png"
    run(RunOptions(source=str(portrait), output=str(target), background=background, preset="best", overwrite=True))
    return np.asarray(cv2.imread(str(target), cv2.IMREAD_UNCHANGED), np.uint8)


def on_checkers(image: Image) -> Image:
    """`(H, W, 4) uint8, BGRA` → `(H, W, 3)`, the usual way to show transparency."""
    rows, columns = np.indices(image.shape[:2]) // CHECKER
    board = np.where(((rows + columns) % 2 == 0)[..., None], 255, 205)
    alpha = image[..., 3:] / 255
    return np.asarray(np.rint(image[..., :3] * alpha + board * (1 - alpha)), np.uint8)


def tile(image: Image, caption: str) -> Image:
    """At the common height, with a line of text below."""
    picture = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    scaled = cv2.resize(picture[..., :3], (HEIGHT, HEIGHT), interpolation=cv2.INTER_AREA)
    framed = cv2.copyMakeBorder(scaled, 0, CAPTION, 0, GAP, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    cv2.putText(framed, caption, (2, HEIGHT + 21), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (60, 60, 60), 1, cv2.LINE_AA)
    return np.asarray(framed, np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    target = parser.parse_args().output
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        portrait, stars = folder / "portrait.png", folder / "stars.png"
        cv2.imwrite(str(portrait), data.astronaut()[..., ::-1])
        cv2.imwrite(str(stars), data.hubble_deep_field()[..., ::-1])
        tiles = [
            tile(np.ascontiguousarray(data.astronaut()[..., ::-1]), "before"),
            tile(made("blur", portrait, folder), "--background blur"),
            tile(made(str(stars), portrait, folder), "--background stars.png"),
            tile(on_checkers(made("transparent", portrait, folder)), "--background transparent"),
            tile(made("alpha", portrait, folder), "--background alpha"),
        ]
    cv2.imwrite(str(target), np.hstack(tiles)[:, :-GAP], (cv2.IMWRITE_PNG_COMPRESSION, 9))


if __name__ == "__main__":
    main()
