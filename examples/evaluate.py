"""How good model files are on pictures by kind: IoU and mean absolute error; where nobody is, the pixels that are found.

    python examples/evaluate.py out/*.tflite --outlined street=portraits --nobody rooms=pictures:room_,hall_ --dark \\
        --teacher selfie_256.tflite --taught guests=pictures:guest_ --worst sheets/

A set is `KIND=FOLDER` or `KIND=FOLDER:BEGINNINGS` of the names in it. --outlined folders hold images/ and masks/, those of
--taught have their masks from the teacher, a model file. Masks are compared at each picture's own size.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from augment import Image
from pictures import Teacher, read_image, read_pairs
from rich.console import Console
from rich.progress import track
from rich.table import Table

import segruntime
from segruntime.measures.agreement import mask_iou

DARK = 8
"""`--dark`: pictures once more, with light divided by this and a sensor's noise."""
WORST = 10
TILE = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    name: str
    image: Image
    """`(H, W, 3) uint8 RGB`"""
    mask: Image
    """`(H, W) uint8`, 0..255"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Means over a set's pictures, all in percent; an IoU where nobody is has no meaning."""

    pictures: int
    iou: float | None
    error: float
    """Mean absolute difference of alpha."""
    false: float
    """Pixels above one half where nobody is."""
    worst_false: float


def selected(folder: str) -> tuple[Path, tuple[str, ...]]:
    path, _, beginnings = folder.partition(":")
    return Path(path), tuple(beginnings.split(","))


def outlined(folder: str, _: Teacher | None) -> list[Case]:
    path, beginnings = selected(folder)
    cases = (Case(name=Path(name).name, image=image, mask=mask) for name, image, mask in read_pairs(path))
    return [case for case in cases if case.name.startswith(beginnings)]


def pictures_of(folder: str) -> Iterator[tuple[str, Image]]:
    path, beginnings = selected(folder)
    for one in sorted(path.iterdir()):
        if one.name.startswith(beginnings):
            yield one.name, read_image(one)


def nobody(folder: str, _: Teacher | None) -> list[Case]:
    return [
        Case(name=name, image=image, mask=np.zeros(image.shape[:2], np.uint8)) for name, image in pictures_of(folder)
    ]


def taught(folder: str, teacher: Teacher | None) -> list[Case]:
    if teacher is None:
        raise SystemExit("--taught: its pictures have no masks; give --teacher, a model file that makes them")
    return [Case(name=name, image=image, mask=teacher.alpha(image)) for name, image in pictures_of(folder)]


READERS: dict[str, Callable[[str, Teacher | None], list[Case]]] = {
    "outlined": outlined,
    "taught": taught,
    "nobody": nobody,
}


def darkened(case: Case) -> Case:
    noise = np.random.default_rng(len(case.name)).normal(0, 2, case.image.shape)
    dark = np.clip(case.image / DARK + noise, 0, 255).astype(np.uint8)
    return Case(name=case.name, image=dark, mask=case.mask)


def read_sets(args: argparse.Namespace) -> dict[str, list[Case]]:
    teacher = Teacher(args.teacher) if args.teacher else None
    sets: dict[str, list[Case]] = {}
    for option, reader in READERS.items():
        for words in getattr(args, option):
            kind, equals, folder = words.partition("=")
            cases = reader(folder, teacher) if equals else []
            if not cases:
                raise SystemExit(
                    f"--{option} {words}: no pictures; expected KIND=FOLDER or KIND=FOLDER:BEGINNING,BEGINNING"
                )
            sets[kind] = cases
            if args.dark and option != "nobody":
                sets[f"{kind}, dark"] = [darkened(case) for case in cases]
    return sets


def found_by(model: Path, cases: Sequence[Case], kind: str) -> list[Image]:
    segmenter = segruntime.load(model)
    return [
        np.asarray(segmenter.alpha(np.ascontiguousarray(case.image[..., ::-1])) * 255 + 0.5, np.uint8)
        for case in track(cases, f"{model.name}: {kind}", console=Console(stderr=True), transient=True)
    ]


def faults(cases: Sequence[Case], alphas: Sequence[Image]) -> list[float]:
    """The share of each picture, 0..1, in which IoU or, where nobody is, the background is missed."""
    return [
        1 - mask_iou(alpha > 127, case.mask > 127) if case.mask.any() else float((alpha > 127).mean())
        for case, alpha in zip(cases, alphas, strict=True)
    ]


def score(cases: Sequence[Case], alphas: Sequence[Image]) -> Score:
    fault = 100 * np.asarray(faults(cases, alphas))
    somebody = any(case.mask.any() for case in cases)
    errors = [np.abs(a.astype(float) - case.mask).mean() / 2.55 for case, a in zip(cases, alphas, strict=True)]
    return Score(
        pictures=len(cases),
        iou=float(100 - fault.mean()) if somebody else None,
        error=float(np.mean(errors)),
        false=0.0 if somebody else float(fault.mean()),
        worst_false=0.0 if somebody else float(fault.max()),
    )


def sheet(cases: Sequence[Case], alphas: Sequence[Image]) -> Image:
    """The worst pictures, what was found below each: outside it darkened, the truth's outline in green."""
    columns = []
    order = np.argsort(faults(cases, alphas))[::-1][:WORST]
    for case, alpha in ((cases[k], alphas[k]) for k in order):
        shown = np.asarray(case.image * (0.25 + 0.75 * alpha[..., None].astype(float) / 255), np.uint8)
        outline, _ = cv2.findContours(np.asarray(case.mask > 127, np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        shown = np.asarray(cv2.drawContours(shown, outline, -1, (80, 255, 80), 2), np.uint8)
        columns.append(np.vstack([cv2.resize(picture, (TILE, TILE)) for picture in (case.image, shown)]))
    return np.ascontiguousarray(np.hstack(columns)[..., ::-1], np.uint8)


def table_of(scores: dict[str, dict[str, Score]]) -> Table:
    """A row a kind, a column a file."""
    table = Table("kind", "pictures")
    for model in scores:
        table.add_column(model, justify="right")
    for kind, first in next(iter(scores.values())).items():
        cells = (cell(by_kind[kind]) for by_kind in scores.values())
        table.add_row(kind, str(first.pictures), *cells)
    return table


def markdown_of(scores: dict[str, dict[str, Score]]) -> str:
    """The model card's table: IoU and error in percent, or false pixels on the mean and in the worst picture."""
    heads = ["kind", "pictures", *(f"`{model}`" for model in scores)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for kind, first in next(iter(scores.values())).items():
        cells = [cell(by_kind[kind], short=True) for by_kind in scores.values()]
        lines.append(f"| {' | '.join([kind, str(first.pictures), *cells])} |")
    return "\n".join(lines)


def cell(one: Score, *, short: bool = False) -> str:
    if short:
        return f"{one.false:.2f}, {one.worst_false:.1f}" if one.iou is None else f"{one.iou:.2f}, {one.error:.2f}"
    if one.iou is None:
        return f"{one.false:.2f} % false, worst {one.worst_false:.1f} %"
    return f"IoU {one.iou:.2f} %, error {one.error:.2f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+")
    for option in READERS:
        parser.add_argument(f"--{option}", action="append", default=[], metavar="KIND=FOLDER[:BEGINNING,…]")
    parser.add_argument("--teacher", type=Path, help="model file, a contract next to it")
    parser.add_argument("--dark", action="store_true", help=f"pictures of people once more, at 1/{DARK} of the light")
    parser.add_argument(
        "--worst", type=Path, metavar="FOLDER", help=f"sheets of the {WORST} worst pictures of each kind"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true", help="the table for a model card")
    args = parser.parse_args()
    sets = read_sets(args)
    scores: dict[str, dict[str, Score]] = {}
    for model in args.models:
        for kind, cases in sets.items():
            alphas = found_by(model, cases, kind)
            scores.setdefault(model.name, {})[kind] = score(cases, alphas)
            if args.worst:
                args.worst.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(args.worst / f"{model.stem}_{kind.replace(' ', '_')}.png"), sheet(cases, alphas))
    if args.json:
        print(
            json.dumps(
                {model: {kind: asdict(one) for kind, one in by.items()} for model, by in scores.items()}, indent=1
            )
        )
    elif args.markdown:
        print(markdown_of(scores))
    else:
        Console(width=max(80, 30 + 32 * len(scores))).print(table_of(scores))


if __name__ == "__main__":
    main()
