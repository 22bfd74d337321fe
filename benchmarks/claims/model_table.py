"""Models x precisions x backends on this machine: how fast, how large, how exact; for README.md and docs/measured.md.

python benchmarks/claims/model_table.py --portraits DIR --calibration DIR [--foreign DIR] [--processes N] [--runs N]

The bundled checkpoint is exported in every precision, and two networks that others made run with a contract next to them.
All files are measured in one run, in turn, frame 1280x720 to composite; then every mask is compared with hand-made ones, in
DIR/masks, of the pictures in DIR/images. Writes benchmarks/results/models.json and
benchmarks/results/accuracy/NAME.json; `python benchmarks/readme_tables.py` makes the table of them. About ten minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from segbench.accuracy.run import AccuracyJob, run_accuracy
from segbench.console import progress
from segbench.errors import SegBenchError
from segbench.latency.matrix import Matrix
from segbench.latency.run import run_latency
from segbench.process.job import Effort, Job
from segbench.results.file import write_results

ROOT = Path(__file__).resolve().parents[2]
# below it: what is written is published, and holds these paths
CHECKPOINT = Path("examples/mobile_unet.pth")
FILES = Path("out/model_table")
RESULTS = Path("benchmarks/results")
CONTRACTS = Path("examples/contracts")
FOREIGN = ("selfie_256.onnx", "selfie_256.tflite", "mnv3_float.tflite", "mnv3_uint8.tflite")
PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8")


def exported(calibration: Path) -> list[Path]:
    """The bundled checkpoint's files; made where one is missing."""
    paths = [
        FILES / f"{CHECKPOINT.stem}.onnx",
        *(FILES / f"{CHECKPOINT.stem}_{precision}.tflite" for precision in PRECISIONS),
    ]
    if not all(path.is_file() for path in paths):
        words = ["tflite", str(CHECKPOINT), "--calibration", str(calibration)]
        words += ["--pictures", "200", "--precision", ",".join(PRECISIONS), "--output", str(FILES), "--overwrite"]
        subprocess.run([sys.executable, "-m", "segexport", *words], check=True)
    return paths


def with_contracts(folder: Path) -> list[Path]:
    """The files of others, each next to its contract.

    Raises:
        FileNotFoundError: one is not there.
    """
    target = FILES / "foreign"
    target.mkdir(parents=True, exist_ok=True)
    for name in FOREIGN:
        shutil.copyfile(folder / name, target / name)
        contract = f"{Path(name).stem}.contract.json"
        shutil.copyfile(CONTRACTS / contract, target / contract)
    return [target / name for name in FOREIGN]


def measure_latency(paths: list[Path], job: Job) -> None:
    matrix = Matrix(models=tuple(map(str, paths)), base=job)
    with progress("processes", draws_alone=False) as advance:
        result = run_latency(matrix, advance)
    if result.interrupted:
        raise SystemExit("model_table: interrupted; nothing was written")
    write_results(RESULTS / "models.json", result.to_json())


def measure_accuracy(paths: list[Path], data: Path) -> None:
    folder = RESULTS / "accuracy"
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        with progress(path.name) as advance:
            result = run_accuracy(AccuracyJob(images=data / "images", masks=data / "masks", model=path), advance)
        write_results(folder / f"{path.name}.json", result.to_json())


@click.command(help=__doc__)
@click.option("--portraits", type=click.Path(path_type=Path), required=True, help="images/ and hand-made masks/")
@click.option("--calibration", type=click.Path(path_type=Path), required=True, help="Pictures of people.")
@click.option("--foreign", type=click.Path(path_type=Path), help=f"Files of others: {', '.join(FOREIGN)}.")
@click.option("--processes", type=int, default=5, show_default=True)
@click.option("--runs", type=int, default=20, show_default=True, help="At least so many rounds in each process,")
@click.option("--seconds", type=float, default=2.0, show_default=True, help="and so many seconds.")
@click.option("--threads", type=int, default=2, show_default=True)
def main(portraits: Path, calibration: Path, foreign: Path | None, threads: int, **effort: Any) -> None:
    # relative to the checkout: what is written is published
    portraits, calibration, *others = (
        Path(os.path.relpath(path, ROOT)) for path in (portraits, calibration, *filter(None, [foreign]))
    )
    os.chdir(ROOT)
    try:
        paths = [
            *exported(calibration),
            *(path for folder in others for path in with_contracts(folder)),
        ]
        measure_latency(paths, Job(threads=threads, effort=Effort(warmup_runs=3, **effort)))
        measure_accuracy(paths, portraits)
    except (SegBenchError, FileNotFoundError) as error:
        raise SystemExit(f"model_table: {error}") from error


if __name__ == "__main__":
    main()
