"""The tables of README.md and of docs/, made from benchmarks/results/.

python benchmarks/readme_tables.py [--check]

Each table stands between two comments, `<!-- table NAME -->` and `<!-- end -->`. `--check` writes nothing and ends with 1 where
a page says something else than the results.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click

from peers.results import RunResult, read_export, read_run
from peers.run_table import run_headings, run_rows
from peers.tables import markdown_table, notes
from segbench.errors import SegBenchError
from segbench.latency.table import start_cells
from segbench.machine.model import ModelFile
from segbench.results.accuracy import read_accuracy
from segbench.results.export import as_table
from segbench.results.latency import Configuration, read_latency
from segruntime import Contract
from zoo.results import ZooResult, read_zoo
from zoo.table import networks_table, saved_table
from zoo.table import notes as zoo_notes

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("measured", "peers", "networks")))
_TABLE = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NETWORKS = {
    "mobile_unet": "bundled MobileUNet, 0.34 M parameters",
    "selfie_256": "ML Kit's selfie network",
    "mnv3": "MobileNetV3 portrait network",
}
_FIRST = ("mobile_unet.onnx", "mobile_unet_float16.tflite", "mobile_unet_int8.tflite", "selfie_256.tflite")
_MODELS = (
    *("network", "precision", "runs on", "MB", "p50, ms", "p90, ms", "memory, MB", "IoU, hand-made", "IoU, PyTorch's"),
    "largest difference",
)


def models_table() -> str:
    """A row for each file of models.json: from the frame to the composite, and how exact the masks are."""
    found = read_latency(RESULTS / "models.json")
    return as_table(_MODELS, [_model_cells(one) for one in found.configurations])


def first_table() -> str:
    """The README's: what `segruntime.load()` may take, and a file of others."""
    found = {one.subject.model.name: one for one in read_latency(RESULTS / "models.json").configurations}
    rows = [
        [
            f"`{name}`",
            f"{found[name].subject.model.size_bytes / 1e6:.2f}",
            f"{found[name].stages['whole'].p50_ms:.1f}",
            start_cells(found[name])["MB over base"],
            f"{100 * _iou(found[name].subject.model):.1f} %",
        ]
        for name in _FIRST
    ]
    return as_table(("file", "MB", "ms a frame", "memory, MB", "IoU"), rows)


def _model_cells(one: Configuration) -> list[str]:
    model, whole = one.subject.model, one.stages["whole"]
    parity = Contract.from_json(model.contract).parity
    return [
        next(text for start, text in _NETWORKS.items() if model.name.startswith(start)),
        model.precision,
        {"tflite": "LiteRT", "onnx": "onnxruntime"}[one.subject.library.backend],
        f"{model.size_bytes / 1e6:.2f}",
        f"{whole.p50_ms:.1f}",
        f"{whole.p90_ms:.1f}",
        start_cells(one)["MB over base"],
        f"{_iou(model):.4f}",
        f"{parity.mask_iou:.4f}" if parity else "",
        f"{parity.max_difference:.1e}" if parity else "",
    ]


def _iou(model: ModelFile) -> float:
    """Mean IoU with the hand-made masks, of this very file."""
    found = read_accuracy(RESULTS / "accuracy" / f"{model.name}.json")
    if found.model.file.sha256 != model.sha256:
        raise SystemExit(f"readme_tables: {model.name}: latency and accuracy are of two files; run model_table.py")
    return found.summary["iou"].mean


def peers_table() -> str:
    """The last thing that each peer does for its user, in few columns."""
    rows = [one for peer in _peers().peers for one in run_rows([peer])[-1:]]
    keep = [k for k, heading in enumerate(run_headings()) if heading != "n"]
    return as_table([run_headings()[k] for k in keep], [[row[k] for k in keep] for row in rows])


def peers_notes() -> str:
    """How each peer was made to take the model, and what was not steady."""
    return "\n".join(f"- {note}" for note in notes(_peers()))


def _peers() -> RunResult:
    return read_run(RESULTS / "peers.json")


def _zoo() -> ZooResult:
    return read_zoo(RESULTS / "zoo.json")


TABLES: dict[str, Callable[[], str]] = {
    "first": first_table,
    "models": models_table,
    "peers": peers_table,
    "peers_all": lambda: markdown_table(_peers()),
    "peers_notes": peers_notes,
    "peers_export": lambda: markdown_table(read_export(RESULTS / "peers_export.json")),
    "zoo": lambda: networks_table(_zoo()),
    "zoo_saved": lambda: saved_table(_zoo()),
    "zoo_notes": lambda: zoo_notes(_zoo()),
}


def with_tables(text: str) -> str:
    """`text` with every table made anew.

    Raises:
        KeyError: a table that nobody makes.
    """
    return _TABLE.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}\n{match[3]}", text)


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Only look.")
def main(check: bool) -> None:
    for path in PAGES:
        text = path.read_text("utf-8")
        try:
            made = with_tables(text)
        except SegBenchError as error:
            raise SystemExit(f"readme_tables: {error}") from error
        if check and made != text:
            raise SystemExit(
                f"{path.name}: a table differs from benchmarks/results; run python benchmarks/readme_tables.py"
            )
        if not check:
            path.write_text(made, "utf-8")


if __name__ == "__main__":
    main()
