"""Video file to video file: the overlapped pipeline against the same stages one after the other, and against the codecs alone.

python benchmarks/video_pipeline.py CLIP [--preset NAME] [--background WORDS] [--encoder-preset NAME] [--rounds N] [--json]

Four ways through one clip, in turn, so that drift of the machine meets all alike; a ratio is the median of the rounds'
ratios. "One after the other" is measured twice: with the codecs on one thread each, so that nothing runs beside anything
else, and with the threads that x264 and the decoder start by themselves, where they overlap with the rest already. "Codecs
alone" decodes and encodes the same frames, overlapped, with nothing between.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

import segruntime
from segbench.machine import describe_machine
from segruntime import SegRuntimeError
from segruntime.refine import PRESETS, Refiner
from segruntime.run.backdrops import parse_backdrop
from segruntime.run.overlap import Overlap
from segruntime.run.stages import Finish, Network
from segruntime.run.stations import Decoded, Finished
from segruntime.run.video_sink import H264, VideoSink
from segruntime.run.video_source import VideoSource

OVERLAPPED, IN_TURN, ONE_THREAD, CODECS = "overlapped", "in turn", "in turn, codecs on one thread", "codecs alone"
GOALS = (
    (f"{ONE_THREAD} / {OVERLAPPED}", ONE_THREAD, OVERLAPPED, "≥", 1.6),
    (f"{IN_TURN} / {OVERLAPPED}", IN_TURN, OVERLAPPED, "≥", 1.6),
    (f"{OVERLAPPED} / {CODECS}", OVERLAPPED, CODECS, "≤", 1.25),
)


class Way:
    """One clip to one file: how, and with which settings."""

    def __init__(self, clip: Path, folder: Path, words: dict[str, Any]) -> None:
        self._clip, self._target, self._words = str(clip), folder / "out.mp4", words
        self._segmenter = segruntime.load(words["model"])

    def run(self, name: str) -> float:
        """Seconds a frame."""
        threads = 1 if name == ONE_THREAD else 0
        source = VideoSource(self._clip, threads=threads)
        settings = {"preset": self._words["encoder_preset"], "threads": str(threads)}
        sink = VideoSink(self._target, replace(H264, options=H264.options | settings), source.facts)
        start = time.perf_counter()
        frames = 0
        for finished in self._results(name, source, sink):
            sink.write(finished)
            frames += 1
        sink.finish(source.trailing_sound())
        seconds = time.perf_counter() - start
        source.close()
        return seconds / frames

    def _results(self, name: str, source: VideoSource, sink: VideoSink) -> Any:
        if name == CODECS:
            return Overlap(source, [copied_into(sink)])
        network = Network(self._segmenter)
        finish = Finish(
            Refiner(self._words["preset"]), "replaced", parse_backdrop(self._words["background"]), sink.canvas
        )
        return (
            Overlap(source, [network, finish]) if name == OVERLAPPED else (finish(network(frame)) for frame in source)
        )


def copied_into(sink: VideoSink) -> Callable[[Decoded], Finished]:
    """The frame as it is, in memory that the encoder may keep."""

    def copy(frame: Decoded) -> Finished:
        holder, pixels = sink.canvas(frame.size)
        for plane, target in zip(frame.pixels, pixels, strict=True):
            np.copyto(target, plane)
        return Finished(frame=frame, pixels=pixels, alpha=None, age=0, holder=holder)

    return copy


def measure(clip: Path, rounds: int, words: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds a frame of each way, and the ratios."""
    ways = (OVERLAPPED, IN_TURN, ONE_THREAD, CODECS)
    with tempfile.TemporaryDirectory() as folder:
        way = Way(clip, Path(folder), words)
        way.run(OVERLAPPED)  # warm-up
        values_s = [{name: way.run(name) for name in ways} for _ in range(rounds)]
    return {
        "clip": clip.name,
        "rounds": rounds,
        **words,
        "median_ms": {name: 1e3 * float(np.median([row[name] for row in values_s])) for name in ways},
        "ratios": [_ratio(values_s, *goal) for goal in GOALS],
        "values_ms": {name: [round(1e3 * row[name], 3) for row in values_s] for name in ways},
    }


def _ratio(
    values_s: list[dict[str, float]], name: str, over: str, under: str, sign: str, goal: float
) -> dict[str, Any]:
    ratio = float(np.median([row[over] / row[under] for row in values_s]))
    met = ratio <= goal if sign == "≤" else ratio >= goal
    return {"name": name, "ratio": ratio, "goal": f"{sign} {goal}", "met": met}


def print_result(result: dict[str, Any]) -> None:
    print(
        f"\n{result['clip']}, preset {result['preset']}, background {result['background']}, x264 {result['encoder_preset']}"
    )
    for name, value in result["median_ms"].items():
        print(f"  {name:48}{value:8.2f} ms a frame {1e3 / value:8.1f} fps")
    for row in result["ratios"]:
        print(f"  {row['name']:48}{row['ratio']:8.2f}     goal {row['goal']}{'' if row['met'] else '  (not met)'}")


@click.command()
@click.argument("clip", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--preset", type=click.Choice(list(PRESETS)), default="fast", show_default=True)
@click.option("--background", default="green", show_default=True, help="As segrun takes it.")
@click.option("--model", help="Default: the bundled one.")
@click.option("--encoder-preset", default="medium", show_default=True, help="x264's.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(clip: Path, rounds: int, as_json: bool, **words: Any) -> None:
    """Frames per second of the pipeline, overlapped and not, and of the codecs alone."""
    try:
        result = measure(clip, rounds, words)
    except SegRuntimeError as error:
        raise SystemExit(f"video_pipeline: {error}") from error
    if as_json:
        print(json.dumps({"machine": describe_machine(), **result}, indent=1))
    else:
        print_result(result)


if __name__ == "__main__":
    main()
