"""The steadiness of masks over a clip for people."""

from __future__ import annotations

from segbench.video.result import ClipFacts, StreamResult, VideoResult

_FLICKER = ("flicker", "uncompensated", "pairs", "cuts")
_AGREEMENT = ("IoU", "least IoU", "dtSSD", "flicker ratio")
_WIDTH_OF_NO_TERMINAL = 160


def print_video(result: VideoResult) -> None:
    """The table on standard output; below it the frames that flicker most, and the frame that agrees least."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_NO_TERMINAL
    console.print(headline(result.clip), markup=False, soft_wrap=True)
    compares = any(stream.agreement for stream in result.streams)
    table = Table()
    table.add_column("%", overflow="fold")
    for name in (*_FLICKER, *(_AGREEMENT if compares else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for stream in result.streams:
        cells = [percent(stream.flicker), percent(stream.flicker_uncompensated)]
        counts = [str(stream.pairs), str(stream.pairs_left_out)]
        table.add_row(stream.label, *cells, *counts, *(_agreement_cells(stream) if compares else ()))
    console.print(table)
    for stream in result.streams:
        console.print(footline(stream, result.clip.fps), markup=False, soft_wrap=True)


def headline(clip: ClipFacts) -> str:
    """The clip in one line."""
    rate = f"{clip.fps:g} frames/s" if clip.fps else "frame rate unknown"
    return f"{clip.path}: {clip.width}x{clip.height}, {rate}, {clip.frames} frames measured"


def footline(stream: StreamResult, fps: float | None) -> str:
    """Where to look."""
    worst = [f"{_when(one.frame, fps)} {percent(one.flicker)}" for one in stream.worst_frames]
    text = f"{stream.label}: flickers most at {', '.join(worst) if worst else 'no frame, there is no pair'}"
    if stream.agreement is not None:
        text += f"; agrees least with the reference at {_when(stream.agreement.over_time.iou_min_frame, fps)}"
    return text


def percent(value: float | None) -> str:
    """A share with two digits, a dash where there is none."""
    return "–" if value is None else f"{100 * value:.2f}"


def _agreement_cells(stream: StreamResult) -> list[str]:
    found = stream.agreement
    if found is None:
        return ["–"] * len(_AGREEMENT)
    ratio = "–" if found.flicker_ratio is None else f"{found.flicker_ratio:.2f}"
    one = found.over_time
    return [percent(one.iou_mean), percent(one.iou_min), percent(one.dtssd), ratio]


def _when(frame: int, fps: float | None) -> str:
    return f"frame {frame}" if not fps else f"frame {frame} ({frame / fps:.2f} s)"
