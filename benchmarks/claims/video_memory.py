"""Does a long video need more memory than a short one? Peak memory of `segrun` on a clip that is looped to two lengths.

python benchmarks/claims/video_memory.py CLIP [--short SECONDS] [--long SECONDS] [--json]

The clip's packets are repeated, sound included, without encoding again. Each length is one `segrun` in a process of its
own with x264's fastest preset, because the speed of the encoder does not matter here and its memory would only hide the rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import click

from claim import Result, claim, not_met

GOAL_BYTES = 30_000_000


def loop(clip: Path, target: Path, seconds: float) -> None:
    """`clip` again and again, at least `seconds` long, packet for packet."""
    with av.open(str(target), "w") as output:
        streams: dict[int, Any] = {}
        start = Fraction(0)
        while start < seconds:
            with av.open(str(clip)) as source:
                kept = [*source.streams.video, *source.streams.audio]
                for stream in kept:
                    if stream.index not in streams:
                        streams[stream.index] = output.add_stream_from_template(stream)
                _append(source, output, streams, start)
                start += Fraction(source.duration, av.time_base)


def _append(source: Any, output: Any, streams: dict[int, Any], start: Fraction) -> None:
    for packet in source.demux(*(stream for stream in source.streams if stream.index in streams)):
        if packet.dts is None:
            continue
        shift = round(start / packet.time_base)
        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        packet.stream = streams[packet.stream_index]
        output.mux(packet)


def peak(clip: Path, target: Path, background: str) -> Result:
    """One `segrun` in a fresh process: its statistics, and its peak memory in bytes."""
    words = ["--background", background, "--encoder-preset", "ultrafast", "--overwrite", "--json"]
    child = subprocess.Popen(
        [sys.executable, "-m", "segruntime", str(clip), "-o", str(target), *words],
        stdout=subprocess.PIPE,
        text=True,
    )
    output = child.stdout.read() if child.stdout else ""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"video_memory: segrun ended with {child.returncode}")
    statistics = json.loads(output)
    return {"frames": statistics["frames"], "seconds": statistics["seconds"], "peak_bytes": usage.ru_maxrss * 1024}


def print_result(result: Result) -> None:
    for name in ("short", "long"):
        row = result[name]
        print(f"  {name:6}{row['frames']:8} frames {row['peak_bytes'] / 1e6:9.1f} MB")
    more, goal = result["more_bytes"] / 1e6, GOAL_BYTES / 1e6
    print(f"  the long one needs {more:.1f} MB more, goal ≤ {goal:.0f} MB{not_met(result)}")


@claim(print_result)
@click.argument("clip", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--short", "short_s", default=10.0, show_default=True)
@click.option("--long", "long_s", default=600.0, show_default=True)
@click.option("--background", default="blur", show_default=True)
def main(clip: Path, short_s: float, long_s: float, background: str) -> Result:
    """Peak memory of segrun on two lengths of one clip."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, seconds in (("short", short_s), ("long", long_s)):
            looped = Path(folder) / f"{name}.mp4"
            loop(clip, looped, seconds)
            rows[name] = peak(looped, Path(folder) / "out.mp4", background)
    more = rows["long"]["peak_bytes"] - rows["short"]["peak_bytes"]
    return {"clip": clip.name, **rows, "more_bytes": more, "goal_bytes": GOAL_BYTES, "met": more <= GOAL_BYTES}


if __name__ == "__main__":
    main()
