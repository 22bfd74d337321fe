"""The rows of `python benchmarks/peers run`."""

from __future__ import annotations

from collections.abc import Sequence

from peers.lineup import TITLES
from peers.masks import MasksFound
from peers.results import PeerResult, Ratio, RowResult, RunResult
from segbench.machine.describe import Machine

PRECISION = {"tflite": "int8 .tflite", "onnx": "float32 .onnx"}
NOTHING = "–"
QUIET_LOAD = 0.5


def run_headings() -> Sequence[str]:
    return (
        "model, threads",
        "with",
        "what",
        "p50, ms",
        "p90, ms",
        "n",
        "times segruntime's",
        "mask next to segruntime's",
    )


def run_rows(peers: Sequence[PeerResult]) -> list[Sequence[str]]:
    """Grouped by model and number of threads, those without a row at the end of their group."""
    rows: list[Sequence[str]] = []
    sides = dict.fromkeys((peer.model, peer.threads) for peer in peers)
    for model, threads in sides:
        for peer in (one for one in peers if (one.model, one.threads) == (model, threads)):
            side = f"{PRECISION[model]}, {threads} thread{'s' if threads > 1 else ''}"
            rows += [_row(side, peer, row) for row in peer.rows]
            if not peer.rows:
                rows.append([side, peer.title, peer.failure or "not reached", *[NOTHING] * 5])
    return rows


def run_notes(result: RunResult) -> list[str]:
    """Clip and machine, each peer's own notes, and which rows are not steady."""
    clip, machine = result.clip, result.header.machine
    said = [
        f"{clip.frames} frames of {clip.file}, {clip.width}x{clip.height}; {processor_text(machine)}; "
        f"{result.effort.processes} fresh processes of each, in turn in blocks; 98 % intervals in brackets",
        *busy_note(machine),
    ]
    for peer in result.peers:
        versions = ", ".join(f"{name} {version}" for name, version in peer.packages.items())
        if peer.requirements is not None and versions:
            said.append(f"{peer.title}: {versions}")
        said += [f"{peer.title}: {note}" for note in peer.notes]
    shaky = {
        f"{peer.name}, {TITLES[row.task]}: {row.stability.verdict}"
        for peer in result.peers
        for row in peer.rows
        if row.stability.verdict != "steady"
    }
    if shaky:
        said.append(f"not steady, {'; '.join(sorted(shaky))}")
    if result.interrupted:
        said.append("interrupted: this was measured until then")
    return said


def processor_text(machine: Machine) -> str:
    """With its load before."""
    return f"{machine.cpu}, {machine.cores} cores, load {machine.load_average_1min or 0:.2f} before"


def busy_note(machine: Machine) -> list[str]:
    """A warning where others used the machine."""
    if (machine.load_average_1min or 0) <= QUIET_LOAD:
        return []
    return ["other programs used the machine, so times and ratios are rough: measure again on a quiet one"]


def ratio_text(ratio: Ratio | None) -> str:
    """`1.23 (1.20–1.26)`, without the brackets where there were too few processes."""
    if ratio is None:
        return NOTHING
    value = _short(ratio.ratio)
    if ratio.low is None or ratio.high is None:
        return value
    return f"{value} ({_short(ratio.low)}–{_short(ratio.high)})"


def _row(side: str, peer: PeerResult, row: RowResult) -> Sequence[str]:
    is_baseline = row.baseline is None and row.ratio is None
    times = "1" if is_baseline else ratio_text(row.ratio)
    masks = NOTHING if row.task == "invoke" else _masks_text(peer.masks, is_baseline)
    return [side, row.title, TITLES[row.task], f"{row.p50_ms:.2f}", f"{row.p90_ms:.2f}", str(row.n), times, masks]


def _masks_text(masks: MasksFound | None, is_baseline: bool) -> str:
    if masks is None or is_baseline:
        return NOTHING
    text = f"IoU {100 * masks.as_given.iou:.1f} %"
    if masks.verdict == "same mask":
        return text
    if masks.of_same_picture is not None:
        text += f"; {100 * masks.of_same_picture.iou:.1f} % on its own small picture"
    return f"{text}: another mask" if masks.verdict == "another mask" else text


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"
