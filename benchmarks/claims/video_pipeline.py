"""Video file to video file: the overlapped pipeline against the same stages one after the other, and against the codecs alone.

python benchmarks/claims/video_pipeline.py CLIP [--preset NAME] [--background WORDS] [--encoder-preset NAME] [--json]

Four ways through one clip, in turn, so that drift of the machine meets all alike; a ratio is the median of the rounds'
ratios. "One after the other" is measured twice: with the codecs on one thread each, so that nothing runs next to anything
else, and with the threads that x264 and the decoder start by themselves, where they overlap with the rest already. "Codecs
alone" decodes the clip and encodes the very pictures that the others encode, made beforehand: another background is more
work for an encoder, or less. The network has the threads that `segrun` gives it; one after the other it has all cores.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import click

import segruntime
from claim import RatioGoal, Result, claim, goal_line, medians
from segruntime.refine import PRESETS, Refiner
from segruntime.run.backgrounds import parse_backdrop
from segruntime.run.command import network_threads
from segruntime.run.pipeline import Overlap
from segruntime.run.stages import Finish, Network
from segruntime.run.stations import Finished
from segruntime.run.video.encoder import H264
from segruntime.run.video.sink import VideoSink
from segruntime.run.video.source import VideoSource

OVERLAPPED, IN_TURN, ONE_THREAD, CODECS = "overlapped", "in turn", "in turn, codecs on one thread", "codecs alone"
GOALS = (
    RatioGoal(over=ONE_THREAD, under=OVERLAPPED, sign="≥", bound=1.6),
    RatioGoal(over=IN_TURN, under=OVERLAPPED, sign="≥", bound=1.6),
    RatioGoal(over=OVERLAPPED, under=CODECS, sign="≤", bound=1.25),
)


class Way:
    """One clip to one file: how, and with which settings."""

    def __init__(self, clip: Path, folder: Path, words: dict[str, Any]) -> None:
        self._clip, self._target, self._words = str(clip), folder / "out.mp4", words
        self._segmenter = segruntime.load(words["model"])
        source = VideoSource(self._clip)
        self._beside_codecs = segruntime.load(words["model"], threads=network_threads(source))
        source.close()
        self._made: list[Finished] = []

    def make(self) -> None:
        """Once through, everything warm; keeps the pictures for "codecs alone"."""
        source = VideoSource(self._clip)
        sink = VideoSink(self._target, H264, source.facts)
        for finished in self._results(IN_TURN, source, sink):
            self._made.append(replace(finished, frame=replace(finished.frame, pixels=(), packets=())))
        sink.abandon()
        source.close()

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
        sink.finish(source.trailing_packets())
        seconds = time.perf_counter() - start
        source.close()
        return seconds / frames

    def _results(self, name: str, source: VideoSource, sink: VideoSink) -> Any:
        frames = islice(source, self._words["frames"])
        if name == CODECS:
            made = iter(self._made)
            return Overlap(frames, [lambda frame: replace(next(made), frame=frame)])
        network = Network(self._beside_codecs if name == OVERLAPPED else self._segmenter)
        finish = Finish(Refiner(self._words["preset"]), "replaced", parse_backdrop(self._words["background"]))
        finish.canvas = sink.canvas
        return (
            Overlap(frames, [network, finish]) if name == OVERLAPPED else (finish(network(frame)) for frame in frames)
        )


def measure(clip: Path, rounds: int, words: dict[str, Any]) -> Result:
    """Milliseconds a frame of each way, and the ratios."""
    ways = (OVERLAPPED, IN_TURN, ONE_THREAD, CODECS)
    with tempfile.TemporaryDirectory() as folder:
        way = Way(clip, Path(folder), words)
        way.make()
        values_s = [{name: way.run(name) for name in ways} for _ in range(rounds)]
    return {
        "clip": clip.name,
        "rounds": rounds,
        **words,
        "median_ms": {name: 1e3 * value for name, value in medians(values_s).items()},
        "ratios": [goal.measured(values_s) for goal in GOALS],
        "values_ms": {name: [round(1e3 * row[name], 3) for row in values_s] for name in ways},
    }


def print_result(result: Result) -> None:
    print(
        f"\n{result['clip']}, preset {result['preset']}, background {result['background']}, x264 {result['encoder_preset']}"
    )
    for name, value in result["median_ms"].items():
        print(f"  {name:48}{value:8.2f} ms a frame {1e3 / value:8.1f} fps")
    for row in result["ratios"]:
        print(goal_line(row, 48))


@claim(print_result)
@click.argument("clip", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--preset", type=click.Choice(list(PRESETS)), default="fast", show_default=True)
@click.option("--background", default="green", show_default=True, help="As segrun takes it.")
@click.option("--model", help="Default: the bundled one.")
@click.option("--encoder-preset", default="medium", show_default=True, help="x264's.")
@click.option(
    "--frames", type=click.IntRange(1), default=200, show_default=True, help="At most; all are kept in memory."
)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
def main(clip: Path, rounds: int, **words: Any) -> Result:
    """Frames per second of the pipeline, overlapped and not, and of the codecs alone."""
    return measure(clip, rounds, words)


if __name__ == "__main__":
    main()
