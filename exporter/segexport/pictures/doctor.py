"""The calibration doctor: what is wrong with a folder of pictures, said before any conversion is paid for.

Whether people are in the pictures cannot be tested; what can be is looked at: how many, how large, how alike, how bright, and
whether they are photographs at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from segexport.pictures.files import Picture

Level = Literal["ok", "note", "warning"]

ENOUGH = 32
_ALIKE_BITS = 3  # of 64: two pictures whose difference hashes differ in so few are nearly the same
_MANY_ALIKE = 0.25
_DARK, _BRIGHT = 50.0, 205.0  # mean of a picture's values, 0–255
_LITTLE_SPREAD = 8.0  # standard deviation of the pictures' brightness
_GRAY = 4.0  # mean distance between a picture's channels
_MASK_VALUES = 0.98  # share of pixels that are black or white, from which a picture looks like a mask
_OFTEN = 0.5
_STRETCHED = 1.6  # how much wider or narrower than the network's input


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence, and whether it is a reason to act."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFacts:
    """What is remembered of a picture after it was scaled down. `size` is (height, width)."""

    name: str
    size: tuple[int, int]
    brightness: float
    colour: float
    two_valued: bool
    fingerprint: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """Two int8 files, each calibrated with one half of the pictures: their masks against each other and against PyTorch's."""

    iou_between: float
    iou_first: float
    iou_second: float
    pictures: int

    @property
    def difference_points(self) -> float:
        return 100 * abs(self.iou_first - self.iou_second)

    @property
    def steady(self) -> bool:
        """Whether it hardly matters which pictures calibrate."""
        return self.difference_points <= STABLE_POINTS and self.iou_between >= STABLE_IOU

    def __str__(self) -> str:
        verdict = (
            "more pictures would change little"
            if self.steady
            else "the result depends on which pictures calibrate: give more, and more different ones"
        )
        return (
            f"calibrated with either half, the masks have IoU {self.iou_between:.4f} with each other and lose "
            f"{100 * (1 - self.iou_first):.2f} and {100 * (1 - self.iou_second):.2f} points against PyTorch: {verdict}"
        )

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "difference_points": self.difference_points, "text": str(self)}


STABLE_POINTS, STABLE_IOU = 0.2, 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found in `folder`: how many picture files, how many of use, and what to know about them."""

    folder: str
    found: int
    usable: int
    findings: tuple[Finding, ...]
    sizes: dict[str, list[int]]
    brightness: dict[str, float]
    stability: Stability | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._told("warning")

    @property
    def notes(self) -> tuple[str, ...]:
        return self._told("note")

    def _told(self, level: Level) -> tuple[str, ...]:
        return tuple(f"{self.folder}: {finding.text}" for finding in self.findings if finding.level == level)

    def with_stability(self, stability: Stability) -> Diagnosis:
        return replace(self, stability=stability)

    def to_json(self) -> dict[str, Any]:
        data = asdict(replace(self, stability=None))
        return {**data, "stability": None if self.stability is None else self.stability.to_json()}


def picture_facts(name: str, pixels: Picture) -> PictureFacts:
    """Facts of `pixels` `(H, W, 3) uint8, BGR`, at its own size."""
    small = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA)
    channels = small.astype(np.float32)
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    coarse = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_NEAREST)
    return PictureFacts(
        name=name,
        size=(pixels.shape[0], pixels.shape[1]),
        brightness=float(gray.mean()),
        colour=float((channels.max(axis=2) - channels.min(axis=2)).mean()),
        two_valued=float(np.isin(coarse, (0, 255)).mean()) >= _MASK_VALUES,
        fingerprint=_fingerprint(gray),
    )


def diagnose(
    folder: str,
    found: int,
    taken: int,
    facts: Sequence[PictureFacts],
    left_out: Sequence[str],
    size: tuple[int, int] | None,
) -> Diagnosis:
    """The doctor's findings.

    Of `found` pictures `taken` were looked at; `left_out` are sentences on what was dropped, `size` is the network's
    (height, width).
    """
    checks = (
        *_taken(found, taken),
        *_counts(facts),
        *_likeness(facts),
        *_kinds(facts),
        *_light(facts),
        *_shapes(facts, size),
    )
    findings = (*(Finding(level="warning", text=text) for text in left_out), *checks)
    light = np.array([fact.brightness for fact in facts])
    by_area = sorted((list(fact.size) for fact in facts), key=lambda s: s[0] * s[1])
    return Diagnosis(
        folder=folder,
        found=found,
        usable=len(facts),
        findings=findings or (Finding(level="ok", text="nothing to complain about"),),
        sizes={"smallest": by_area[0], "median": by_area[len(by_area) // 2], "largest": by_area[-1]},
        brightness={"mean": round(float(light.mean()), 1), "spread": round(float(light.std()), 1)},
    )


def look_like_masks(facts: Sequence[PictureFacts]) -> bool:
    """Whether most pictures are black and white areas: the folder next to the right one."""
    return sum(fact.two_valued for fact in facts) > _OFTEN * len(facts)


def _taken(found: int, taken: int) -> list[Finding]:
    if taken == found:
        return []
    return [
        Finding(level="note", text=f"{found} pictures, taking {taken} spread evenly over them (--pictures N for more)")
    ]


def _counts(facts: Sequence[PictureFacts]) -> list[Finding]:
    if len(facts) >= ENOUGH:
        return [Finding(level="ok", text=f"{len(facts)} usable pictures: half calibrates, half measures")]
    return [
        Finding(
            level="warning",
            text=f"{len(facts)} usable pictures, {ENOUGH} or more are better (half calibrates, half measures); "
            "int8 ranges may be too narrow",
        )
    ]


def _likeness(facts: Sequence[PictureFacts]) -> list[Finding]:
    repeated = [fact for k, fact in enumerate(facts) if any(_alike(fact, other) for other in facts[:k])]
    if not repeated:
        return []
    many = len(repeated) > _MANY_ALIKE * len(facts)
    text = f"{len(repeated)} of {len(facts)} pictures look nearly like another one, such as {repeated[0].name}"
    advice = "; frames of one video tell little: take pictures of different people and places" if many else ""
    return [Finding(level="warning" if many else "note", text=text + advice)]


def _kinds(facts: Sequence[PictureFacts]) -> list[Finding]:
    found = []
    masks = sum(fact.two_valued for fact in facts)
    if masks:
        found.append(
            Finding(level="warning", text=f"{masks} pictures are black and white areas only: masks, no photographs?")
        )
    gray = sum(fact.colour < _GRAY for fact in facts)
    if gray > _OFTEN * len(facts):
        found.append(
            Finding(
                level="warning", text=f"{gray} of {len(facts)} pictures have no colour; will the camera's have none?"
            )
        )
    return found


def _light(facts: Sequence[PictureFacts]) -> list[Finding]:
    light = np.array([fact.brightness for fact in facts])
    found = []
    for what, share in (("dark", (light < _DARK).mean()), ("bright", (light > _BRIGHT).mean())):
        if share > _OFTEN:
            found.append(
                Finding(
                    level="warning", text=f"{100 * share:.0f} % of the pictures are very {what}; others are missing"
                )
            )
    if len(facts) > 1 and light.std() < _LITTLE_SPREAD:
        found.append(
            Finding(
                level="note",
                text=f"all pictures are about equally bright ({light.mean():.0f} of 255, ±{light.std():.0f})",
            )
        )
    return found


def _shapes(facts: Sequence[PictureFacts], size: tuple[int, int] | None) -> list[Finding]:
    if size is None:
        return []
    height, width = size
    found = []
    small = sum(fact.size[0] < height / 2 or fact.size[1] < width / 2 for fact in facts)
    if small > _OFTEN * len(facts):
        text = f"{small} of {len(facts)} pictures are smaller than half of the network's {height}x{width}: they get blurred"
        found.append(Finding(level="warning", text=text))
    aspects = np.array([(fact.size[1] / fact.size[0]) / (width / height) for fact in facts])
    aspect = float(np.median(aspects))
    if not 1 / _STRETCHED < aspect < _STRETCHED:
        text = (
            f"most pictures are {aspect:.1f} times as wide as the network's input and get squeezed; was it trained so?"
        )
        found.append(Finding(level="note", text=text))
    return found


def _fingerprint(gray: npt.NDArray[Any]) -> int:
    """64 bits: whether each of 8x8 places is brighter than its right neighbour (a difference hash)."""
    tiny = cv2.resize(gray, (9, 8), interpolation=cv2.INTER_AREA).astype(int)
    bits = (tiny[:, 1:] > tiny[:, :-1]).ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def _alike(a: PictureFacts, b: PictureFacts) -> bool:
    return (a.fingerprint ^ b.fingerprint).bit_count() <= _ALIKE_BITS
