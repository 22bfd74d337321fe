"""A job that is killed again and again: does it come to the same file, and is anything done twice?

python benchmarks/claims/jobs_killed.py CLIP [--seconds N] [--segment N] [--kills N] [--workers N] [--seed N] [--json]

The clip's packets are repeated to a long one. One job does it undisturbed; another is killed with SIGKILL, driver and workers
as they are found, at moments of chance, and given again with `--resume` each time. Then: are the packets of sound the same,
are the decoded frames and their times, and how often was each segment finished?
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import click

from claim import Result, claim
from video_memory import loop


def command(clip: Path, target: Path, words: list[str]) -> list[str]:
    return [sys.executable, "-m", "segruntime", str(clip), "-o", str(target), *words]


def journal(target: Path) -> list[dict[str, Any]]:
    """The whole lines of a job that has one result."""
    with suppress(FileNotFoundError):
        text = (target.parent / f".{target.name}.segrun" / "job.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return []


def killed(words: list[str], kills: int, target: Path, chance: random.Random, segment_work_s: float) -> dict[str, Any]:
    """Start and kill it so often, then let it end; `segment_work_s`: what a worker takes for a segment.

    A start lives up to 1.7 of that, so about every third brings a segment or two.
    """
    finished: Counter[str] = Counter()
    done = 0
    for _ in range(kills):
        child = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            child.wait(chance.uniform(0.5, 1.7 * segment_work_s))
        if child.poll() is not None:
            break
        child.kill()
        child.wait()
        done += 1
        finished = Counter(line["id"] for line in journal(target) if line.get("state") == "finished")
    start = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {
        "kills": done,
        "segments_before_the_last_start": len(finished),
        "finished_twice": sum(count > 1 for count in finished.values()),
        "last_start_s": time.perf_counter() - start,
    }


def content(path: Path) -> dict[str, str]:
    """Digests of the packets of sound, and of the decoded frames with their times."""
    made = {"sound": hashlib.sha256(), "frames": hashlib.sha256()}
    with av.open(str(path)) as container:
        for packet in container.demux(audio=0):
            if packet.size:
                made["sound"].update(f"{packet.pts}".encode() + bytes(packet))
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            made["frames"].update(f"{frame.pts}".encode() + frame.to_ndarray().tobytes())
    return {name: one.hexdigest() for name, one in made.items()}


def print_result(result: Result) -> None:
    print(f"  undisturbed {result['whole_s']:.0f} s, {result['frames']} frames")
    print(f"  killed {result['kills']} times, the last start took {result['last_start_s']:.0f} s")
    print(f"  segments that were there then: {result['segments_before_the_last_start']}")
    print(f"  segments finished twice: {result['finished_twice']}")
    for name in ("sound", "frames"):
        print(f"  {name}: {'the same' if result['same'][name] else 'NOT the same'}")


def wrong(result: Result) -> str | None:
    if not all(result["same"].values()) or result["finished_twice"]:
        return "a job that was killed did not come to what an undisturbed one gives"
    return None


@claim(print_result, wrong)
@click.argument("clip", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seconds", "seconds", default=600.0, show_default=True)
@click.option("--segment", "segment_s", default=30.0, show_default=True)
@click.option("--kills", default=20, show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option("--seed", default=18, show_default=True)
def main(clip: Path, seconds: float, **words: Any) -> Result:
    """A job that is killed, against one that is not."""
    options = [
        "--segment",
        str(words["segment_s"]),
        "--workers",
        str(words["workers"]),
        "--encoder-preset",
        "ultrafast",
    ]
    with tempfile.TemporaryDirectory() as folder:
        looped, one, other = (Path(folder) / name for name in ("in.mp4", "whole.mp4", "killed.mp4"))
        loop(clip, looped, seconds)
        start = time.perf_counter()
        subprocess.run(command(looped, one, options), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        whole_s = time.perf_counter() - start
        segment_work_s = whole_s * words["workers"] * words["segment_s"] / seconds
        again = command(looped, other, [*options, "--resume"])
        told = killed(again, words["kills"], other, random.Random(words["seed"]), segment_work_s)  # noqa: S311 - for moments
        before, after = content(one), content(other)
        with av.open(str(one)) as container:
            frames = container.streams.video[0].frames
        size = os.path.getsize(one), os.path.getsize(other)
    same = {name: before[name] == after[name] for name in before}
    return {
        "clip": clip.name,
        "seconds": seconds,
        **words,
        "whole_s": whole_s,
        "frames": frames,
        "sizes": size,
        **told,
        "same": same,
    }


if __name__ == "__main__":
    main()
