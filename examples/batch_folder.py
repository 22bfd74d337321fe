"""Every picture of a folder → the person alone, as PNG with transparency; the folders below keep their structure.

    python examples/batch_folder.py photos cut-outs

A file that cannot be read is one line on standard error and the work goes on; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

import segruntime

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def jobs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Picture and PNG to write. `me.jpg` becomes `me.png`; where `me.webp` lies next to it, `me.jpg.png`."""
    below = (path for path in sorted(source.rglob("*")) if path.suffix.lower() in ENDINGS and path.is_file())
    names = [path.relative_to(source) for path in below if target.resolve() not in path.resolve().parents]
    shared = Counter(name.with_suffix("") for name in names)
    return [
        (source / name, target / (f"{name}.png" if shared[name.with_suffix("")] > 1 else name.with_suffix(".png")))
        for name in names
    ]


def cut_out(segmenter: segruntime.Segmenter, source: Path, target: Path) -> str | None:
    """One picture → one PNG, BGRA. What went wrong, or None; a file under its final name is a whole one."""
    frame = cv2.imread(str(source), cv2.IMREAD_COLOR)
    if frame is None:
        return f"{source}: no picture that OpenCV can read; skipped"
    alpha = np.rint(segmenter.alpha(np.asarray(frame, np.uint8)) * 255).astype(np.uint8)
    _, png = cv2.imencode(".png", np.dstack([frame, alpha]))
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(png.tobytes())
        os.replace(part, target)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        return f"{target}: cannot be written ({error.strerror}); skipped"
    return None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of pictures")
    parser.add_argument("target", type=Path, help="folder to write to")
    args = parser.parse_args(arguments)
    todo = jobs(args.source, args.target)
    if not todo:
        print(
            f"{args.source}: no pictures there; expected files ending in {' '.join(sorted(ENDINGS))}", file=sys.stderr
        )
        return 1
    segmenter = segruntime.load()
    skipped = 0
    # reading and writing run on all cores; in the one segmenter the threads wait for one another
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda job: cut_out(segmenter, *job), todo)
        for done, (problem, (_, target)) in enumerate(zip(results, todo, strict=True), 1):
            if problem:
                print(problem, file=sys.stderr)
                skipped += 1
            else:
                print(f"{done}/{len(todo)} {target}")
    print(f"{len(todo) - skipped} written, {skipped} skipped")
    return 1 if skipped else 0


if __name__ == "__main__":
    raise SystemExit(main())
