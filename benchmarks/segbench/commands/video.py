"""`segbench video`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from segbench.console import one_line_refusals, print_json, with_progress
from segbench.plots import check_plot, write_plot
from segbench.plots.video import video_plot
from segbench.video.run import VideoJob, run_video
from segbench.video.table import print_video
from segruntime.backends import BACKENDS
from segruntime.refine import PRESETS

EPILOG = """
Examples:

\b
  segbench video portrait.mp4
  segbench video portrait.mp4 --model int8.tflite --reference float32.tflite --plot flicker.png
  segbench video portrait.mp4 --preset fast --preset balanced
"""


@click.command(epilog=EPILOG)
@click.argument("clip", type=click.Path(path_type=Path))
@click.option(
    "--model",
    "models",
    type=click.Path(path_type=Path),
    multiple=True,
    help="May be repeated; default: the bundled one.",
)
@click.option(
    "--reference", type=click.Path(path_type=Path), help="Compare the others with this file, say the float32 one."
)
@click.option("--backend", type=click.Choice(list(BACKENDS)), help="Measure its bundled model.")
@click.option(
    "--preset",
    "presets",
    type=click.Choice(list(PRESETS)),
    multiple=True,
    help="Refine the masks as segrun does; may be repeated.",
)
@click.option("--threads", type=int, help="Default: the cores of this machine, at most 4.")
@click.option("--frames", type=int, help="Stop after so many frames; default: the whole clip.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the values over time: FILE.png, .svg or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON, each frame included, on standard output.")
def video(plot: Path | None, as_json: bool, **options: Any) -> None:
    """Measure how steady a model's masks are over CLIP.

    Flicker is the share of the person that comes or goes from frame to frame without a cause in the picture; see
    docs/accuracy.md. With --reference also how well the masks of two files go together over time.
    """
    with one_line_refusals():
        if plot is not None:
            check_plot(plot)
        job = VideoJob(**options)
        result = with_progress("frames", lambda advance: run_video(job, advance), as_json=as_json)
        if plot is not None:
            write_plot(video_plot(result), plot)
        if as_json:
            print_json(result.to_json())
            return
        for text in result.warnings:
            click.echo(f"segbench: {text}", err=True)
        print_video(result)
