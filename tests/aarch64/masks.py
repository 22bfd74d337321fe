"""What each stage of the runtime gives for some pictures, with every bundled file: written to FILE.npz, to be compared.

Runs on both sides, on x86 first. The other side is given that file, and takes from it what a stage starts from: so each
stage is compared by itself as well as in the chain. An array is named `FILE|PICTURE|STAGE`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import numpy.typing as npt

import segruntime
from segbench.frames.drawn import drawn_frame
from segruntime.model_file.golden import read_golden
from segruntime.preprocess import Frame
from segruntime.segmenter import BUNDLED

PORTRAITS = Path(__file__).parents[3] / "shared" / "data" / "portraits" / "calibration" / "images"
Arrays = Mapping[str, npt.NDArray[Any]]


def pictures(model: Path, portraits: int) -> Iterator[tuple[str, Frame]]:
    """A drawn 1280x720 frame, the golden pictures of `model`, and `portraits` photographs, evenly spaced, where they are."""
    yield "drawn", drawn_frame(1280, 720)
    golden = read_golden(model)
    yield from ((f"golden {one.name}", one.frame) for one in (golden.pictures if golden else ()))
    files = sorted(PORTRAITS.glob("*.jpg"))
    step = max(1, len(files) // max(1, portraits))
    yield from ((path.name, np.asarray(cv2.imread(str(path)), np.uint8)) for path in files[::step][:portraits])


def stages(segmenter: segruntime.Segmenter, decoded: Frame, given: Arrays) -> dict[str, npt.NDArray[Any]]:
    """One picture through the runtime; `given` holds the other side's arrays of the same picture, by stage, or nothing.

    `decoded`: the picture, `(H, W, 3) uint8, BGR`. `tensor`: the network's input, as its contract says. `kernels`: the given
    tensor → mask `(h, w) float32, 0–1`. `network`: the frame → the same. `alpha`: `(H, W) float32, 0–1`. `refined`: `(H, W)
    uint8`, preset `balanced`. `composite`: the given alpha, `(H, W, 3) uint8`, before the frame upside down.
    """
    frame = given.get("decoded", decoded)
    tensor = np.array(segmenter.preprocess(frame))
    output = np.array(segmenter.invoke(tensor))
    same = np.array(segmenter.invoke(given["tensor"])) if "tensor" in given else output
    network, alpha = segmenter.probability(output), segmenter.postprocess(output, frame.shape[:2])
    gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
    return {
        "decoded": decoded,
        "tensor": tensor,
        "kernels": np.array(segmenter.probability(same)),
        "network": np.array(network),
        "alpha": np.array(alpha),
        # the bundled networks see the whole frame, so their mask is what Segmenter.coarse gives
        "refined": np.array(segruntime.Refiner("balanced")(np.array(network), gray)),
        "composite": segruntime.composite(frame, given.get("alpha", alpha), np.ascontiguousarray(frame[::-1])),
    }


def of_picture(arrays: Arrays, prefix: str) -> dict[str, npt.NDArray[Any]]:
    """Stage → array, of the entries `PREFIX|STAGE`."""
    return {name.rpartition("|")[2]: arrays[name] for name in arrays if name.rpartition("|")[0] == prefix}


@click.command()
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--given", type=click.Path(path_type=Path), help="What the other side wrote.")
@click.option("--portraits", type=click.IntRange(0), default=4, show_default=True)
def main(output: Path, given: Path | None, portraits: int) -> None:
    """Write the arrays to OUTPUT, a .npz file."""
    other: Arrays = {} if given is None else dict(np.load(given))
    found = {}
    for model in BUNDLED.values():
        segmenter = segruntime.load(model)
        for name, frame in pictures(model, portraits):
            prefix = f"{model.name}|{name}"
            click.echo(prefix)
            arrays = stages(segmenter, frame, of_picture(other, prefix))
            found.update({f"{prefix}|{stage}": array for stage, array in arrays.items()})
    np.savez(output, **found)


if __name__ == "__main__":
    main()
