"""The command line of `segrun`."""

from __future__ import annotations

import json
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, get_args

import click

import segruntime
from segruntime.backends import BACKENDS
from segruntime.errors import OptionError, SegRuntimeError
from segruntime.jobs.cli import JobWords, job_words, run_and_report, status
from segruntime.refine import PRESETS
from segruntime.run.command import RunOptions, Watch, run
from segruntime.run.console import say
from segruntime.run.signals import handled
from segruntime.run.statistics import Statistics
from segruntime.run.video.pixels import Hdr
from segruntime.serve.cli import main as serve

EPILOG = """
Examples:

\b
  segrun talk.mp4 -o out.mp4 --background blur
  segrun talk.mp4 -o out.mp4 --background beach.jpg --preset best
  segrun talk.mp4 -o cutout.webm --background transparent
  segrun pictures/ -o masks/ --background alpha
  segrun 0 --preview --background blur:0.8
  segrun 0 -o virtual-camera --background office.mp4
  segrun recordings/ -o out/ --workers 2 --segment 30   # killed, and given again, it goes on where it was
  segrun status out/                                    # how far it is
  segrun serve --help                                   # a web service
"""
_X264_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


class WithCommands(click.Command):
    """`segrun serve …` and `segrun status …` are commands of their own; a file of such a name is `./serve`."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, *rest: Any, **named: Any) -> Any:
        words = sys.argv[1:] if args is None else list(args)
        command = _COMMANDS.get(words[0]) if words else None
        if command is not None:
            return command.main(words[1:], f"segrun {words[0]}", *rest, **named)
        return super().main(words, prog_name, *rest, **named)


_COMMANDS: dict[str, click.Command] = {"serve": serve, "status": status}


@click.command(cls=WithCommands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", metavar="INPUT")
@click.option(
    "-o",
    "--output",
    help=".mp4, .mov, .mkv, .webm, .gif, a picture, a folder/ (of a video: PNGs), f/%05d.png, or virtual-camera.",
)
@click.option(
    "--background",
    metavar="FILE|COLOR|blur[:STRENGTH]|transparent|alpha",
    default="blur",
    show_default=True,
    help="A picture or video (looped), a colour (green, #00b140), blur of 0 to 1, nothing, or the mask alone.",
)
@click.option(
    "--preset", type=click.Choice(list(PRESETS)), default="balanced", show_default=True, help="Quality of the edges."
)
@click.option("--model", help="A .tflite or .onnx file; default: the bundled portrait network.")
@click.option("--backend", type=click.Choice(list(BACKENDS)), help="Default: what the file is for.")
@click.option("--threads", type=int, help="For the network. Default: the cores, at most 4; of a video, half of that.")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="Run the network every N frames.")
@click.option(
    "--light-wrap",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Light from behind on the edges.",
)
@click.option("--preview", is_flag=True, help="Show the result in a window; q or Escape ends.")
@click.option("--camera-size", metavar="WxH", help="Ask the camera for this size, like 1280x720.")
@click.option(
    "--encoder-preset",
    type=click.Choice(_X264_PRESETS),
    help="Of H.264 and HEVC: faster is larger. Default: medium and fast.",
)
@click.option(
    "--crf", type=click.IntRange(0, 63), help="Quality, lower is better. Default: H.264 20, HEVC 22, VP9 and AV1 30."
)
@click.option(
    "--hdr",
    type=click.Choice(list(get_args(Hdr))),
    default="sdr",
    show_default=True,
    help="Of an HDR or 10-bit video: tone-mapped to 8 bits, or kept as 10-bit HEVC (.webm: AV1).",
)
@click.option("--keep-alpha", is_flag=True, help="The transparency that the input has stays, times the new one.")
@job_words
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@click.option("--json", "as_json", is_flag=True, help="The statistics as JSON on standard output.")
@click.version_option(segruntime.__version__)
def main(as_json: bool, camera_size: str | None, encoder_preset: str | None, crf: int | None, **words: Any) -> None:
    """Replace, blur or remove the background of a picture, a folder, a video, a camera or a stream.

    The sound of a video is copied as it is and every frame keeps its time. Ctrl-C leaves a file of what was done. A folder
    is a job, and so is a file with --segment or --resume: what was done stays, and the same command goes on.
    """
    encoder = {"preset": encoder_preset, "crf": None if crf is None else str(crf)}
    try:
        asked = JobWords(**{name: words.pop(name) for name in JobWords.__slots__})
        options = RunOptions(
            camera_size=_size(camera_size), encoder={k: v for k, v in encoder.items() if v is not None}, **words
        )
        job = asked.options(options)
        # SIGTERM ends it as Ctrl-C does, also while it gets ready: no draft of the result stays behind
        with handled(signal.default_int_handler, signal.SIGTERM), warnings.catch_warnings(), ProgressBar() as progress:
            warnings.showwarning = lambda message, *_: say(str(message))
            if job is not None:
                sys.exit(run_and_report(job, as_json=as_json))
            statistics = run(options, None if as_json or not sys.stderr.isatty() else progress.started)
    except SegRuntimeError as error:
        say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        say("stopped; nothing was written")
        sys.exit(130)
    _report(statistics, as_json)


class ProgressBar:
    """A bar on standard error with frames per second and, where the length is known, the time left.

    At the end of the `with` block the cursor stands on a line of its own, however far the bar came.
    """

    def __init__(self) -> None:
        self._end: Callable[[], object] = lambda: None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def started(self, frames: int | None) -> Watch:
        """Shows it; what is returned takes the count of each frame that is done."""
        begin = time.perf_counter()
        if frames is None:
            self._end = lambda: click.echo(err=True)
            return lambda count: click.echo(f"\r{count} frames, {_rate(count, begin)} ", nl=False, err=True)
        bar: Any = click.progressbar(
            length=frames,
            file=sys.stderr,
            show_pos=True,
            item_show_func=lambda count: None if count is None else _rate(count, begin),
        )
        self._end = bar.render_finish
        return lambda count: bar.update(1, count)


def _rate(count: int, begin: float) -> str:
    return f"{count / max(1e-6, time.perf_counter() - begin):.1f} fps"


def _report(statistics: Statistics, as_json: bool) -> None:
    for note in statistics.notes:
        say(note)
    click.echo(json.dumps(statistics.to_json(), indent=1) if as_json else statistics.line())
    if statistics.interrupted:
        say(
            f"stopped by Ctrl-C; {statistics.output or 'the window'} holds the {statistics.frames} frames that were done"
        )
        sys.exit(130)
    if statistics.unplugged:
        sys.exit(1)


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, cross, height = text.lower().partition("x")
    if not cross or not width.isdecimal() or not height.isdecimal() or not int(width) * int(height):
        raise OptionError(f"camera-size: got {text[:40]!r}, expected WIDTHxHEIGHT, like 1280x720")
    return int(width), int(height)
