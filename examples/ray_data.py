"""Every picture of a folder and of those below it → its mask as PNG, on a Ray cluster, with Ray Data.

    pip install "ray[data]"
    python examples/ray_data.py pictures/ -o masks/                    # on this machine
    python examples/ray_data.py pictures/ -o masks/ --address auto     # on the cluster that it belongs to

What travels through the cluster is names: each worker reads its pictures and writes its masks itself, so the two folders
have to be the same on all nodes. `segrun pictures/ -o masks/ --engine ray` does this too, and goes on after a crash; this is
for a pipeline of your own, where more is done with the rows.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import ray.data

import segruntime
from segruntime.atomic_file import write_whole

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


class Masks:
    """One worker: the network is loaded once. A batch of names → the same names, and each picture's share of person."""

    def __init__(self, source: Path, target: Path) -> None:
        self.source, self.target = source, target
        self.segmenter = segruntime.load(threads=1)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"name": batch["name"], "person": np.array([self.mask(str(name)) for name in batch["name"]])}

    def mask(self, name: str) -> float:
        """Write one mask; → mean of the alpha, 0..1, or NaN where the picture cannot be read."""
        frame = cv2.imread(str(self.source / name), cv2.IMREAD_COLOR)
        if frame is None:
            return float("nan")
        alpha = self.segmenter.alpha(np.asarray(frame, np.uint8))
        target = self.target / f"{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, cv2.imencode(".png", np.rint(alpha * 255).astype(np.uint8))[1].tobytes())
        return float(alpha.mean())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of pictures")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--address", default="local", help="of the cluster: auto or HOST:PORT; default: this machine alone"
    )
    args = parser.parse_args(arguments)
    source, target = args.source.resolve(), args.output.resolve()
    names = [str(path.relative_to(source)) for path in sorted(source.rglob("*")) if path.suffix.lower() in ENDINGS]
    if not names:
        print(f"{source}: no pictures there; expected files ending in {' '.join(sorted(ENDINGS))}", file=sys.stderr)
        return 1
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(args.address)
    workers = max(1, int(ray.cluster_resources().get("CPU", 1)))
    rows = ray.data.from_items([{"name": name} for name in names], override_num_blocks=min(len(names), 4 * workers))
    pool = ray.data.ActorPoolStrategy(min_size=1, max_size=workers)
    done = rows.map_batches(Masks, fn_constructor_args=(source, target), batch_size=8, compute=pool, num_cpus=1)
    unread = 0
    for row in done.iter_rows():
        share, is_read = row["person"], not np.isnan(row["person"])
        unread += not is_read
        print(f"{row['name']}: {share:.1%} person" if is_read else f"{row['name']}: cannot be read, skipped")
    return 1 if unread else 0


if __name__ == "__main__":
    raise SystemExit(main())
