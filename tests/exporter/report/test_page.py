"""The whole page: complete, well-formed, self-contained, and unmoved by hostile, absent and unknown values."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests import messages
from tests.pages import Outline

from segexport.compare.rows import FileRow
from segexport.report.page import Evidence, MaskView, PictureView, build_page
from segexport.report.page.heading import find_warnings
from segexport.report.page.histogram import spread
from segexport.report.page.verdicts import short_verdict, verdict
from segruntime.measures.agreement import agreement
from segruntime.strict_json import Fields

BODY = json.loads((Path(__file__).parents[1] / "golden" / "page_body.json").read_text("utf-8"))
OPTIONAL = ["noise", "budget", "doctor", "rewrites", "recipe"]
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "</title></style></pre><h1>",
    "<!-- -->&lt;",
    "a\x00b\x1b[2J\r\n\u202e\ud800",
    "W" * 5000,
    "https://example.invalid/x.png",
]


def rows_of(body: dict[str, Any]) -> list[FileRow]:
    known = {field.name for field in fields(FileRow)}
    return [
        FileRow.from_json(Fields({key: value for key, value in row.items() if key in known})) for row in body["files"]
    ]


def view(name: str, precisions: list[str], size: int = 16) -> PictureView:
    ramp = np.linspace(0, 1, size * size, dtype=np.float32).reshape(size, size)
    other = np.clip(ramp + np.float32(0.05), 0, 1)
    shown = MaskView(mask=other, agreement=agreement(ramp, other))
    frame = np.zeros((size, size, 3), np.uint8)
    return PictureView(name=name, frame=frame, reference=ramp, masks=dict.fromkeys(precisions, shown))


def evidence(precisions: list[str]) -> Evidence:
    shown = view("", ["x"])
    counts = spread(shown.reference, shown.masks["x"].mask)
    return Evidence(
        spreads=dict.fromkeys(precisions, counts),
        absent={"mixed": "the file is not in the folder"},
        pictures=1,
        contract_of="portrait_unet_int8.tflite",
        contract={"format": "segedge.contract", "threshold": 0.5},
    )


def whole_page(body: dict[str, Any] = BODY, rows: list[FileRow] | None = None, name: str = "0714.jpg") -> str:
    found = rows_of(BODY) if rows is None else rows
    return build_page(body, found, [view(name, ["float32", "int8"])], evidence(["float32", "int8"]))


def test_the_complete_page_is_well_formed_and_has_every_part_in_order() -> None:
    outline = Outline(whole_page())
    keys = [attrs["id"] for tag, attrs in outline.tags if tag == "section"]
    expected = ["files", "pictures", "differences", "noise", "budget", "calibration", "rewrites", "origin"]
    assert keys == expected


def test_headings_are_in_order_and_ids_are_there_once() -> None:
    outline = Outline(whole_page())
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= sooner + 1 for sooner, later in itertools.pairwise(levels))
    ids = outline.values("id")
    assert len(set(ids)) == len(ids)
    assert {link[1:] for link in outline.values("href") if link.startswith("#")} <= set(ids)
    assert set(outline.values("aria-labelledby")) <= set(ids)


def test_every_picture_says_what_it_shows() -> None:
    images = [attrs for tag, attrs in Outline(whole_page()).tags if tag == "img"]
    assert len(images) == 1 + 5
    assert all(image["alt"] for image in images)
    assert "PyTorch's mask of 0714.jpg" in {image["alt"] for image in images}


def no_request(outline: Outline) -> None:
    targets = outline.values("src", "href", "srcset", "action")
    assert targets
    assert all(target.startswith(("data:image/", "data:,", "#")) for target in targets)
    assert not {"script", "iframe", "object", "embed", "base", "form"} & outline.count.keys()
    assert not [name for name in outline.attributes if name.startswith("on")]


def test_nothing_on_the_page_makes_a_request_and_the_policy_forbids_it() -> None:
    page = whole_page()
    outline = Outline(page)
    no_request(outline)
    (policy,) = [attrs["content"] for _, attrs in outline.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_numbers_of_the_report_are_on_the_page() -> None:
    words = Outline(whole_page()).words
    for text in (
        "portrait_unet.pth",
        "unet, widths 8-16-32-64, bottleneck 128",
        "486,553",
        "256 × 256",
        "✗ over, kept",
        "0.9412",
        "9.4×10⁻⁶",
        "2.130 %",
        "encoder.0.conv1",
        "61,204",
        "1.1674 %",
        "everything in int8",
        "5.880",
        "41 of 100 pictures are darker",
        "1920 × 1080",
        "MaxUnpool2d as a scatter by window",
        "segexport tflite portrait_unet.pth --calibration 'my pictures/'",
        "ai-edge-quantizer",
        '"threshold": 0.5',
        "AdamW",
    ):
        assert text in words, text


def test_files_over_their_bound_stand_first_and_are_marked() -> None:
    page = whole_page()
    assert page.index("portrait_unet_int8.tflite") < page.index("portrait_unet.onnx")
    assert page.count('<tr class="marked">') == 1


def test_the_verdict_says_which_file_and_by_how_much() -> None:
    rows = rows_of(BODY)
    assert verdict(rows) == (
        "Not good enough: int8 is over its bound (mask IoU 0.9412, largest difference 0.28; expected mask IoU at least 0.95; "
        "kept all the same). The other 4 files are within their bounds."
    )
    gone = [replace(row, within_bound=False, kept=False) for row in rows[:2]]
    assert verdict(gone).startswith("Not good enough: onnx is over its bound (mask IoU 1.0000")
    assert verdict(gone).endswith("not kept).")
    assert verdict([*gone[:1], rows[1]]).endswith("The other 1 file is within its bound.")


def test_the_verdict_on_good_files_is_one_sentence() -> None:
    good = [row for row in rows_of(BODY) if row.within_bound]
    assert verdict(good) == "All 4 files are within their bounds."
    assert verdict(good[:1]) == "The one file is within its bound."
    assert verdict([]) == "The report lists no file."


def test_a_file_over_the_budget_fails_within_its_bound() -> None:
    row = replace(next(row for row in rows_of(BODY) if row.within_bound), over_budget=True, kept=False)
    assert short_verdict(row) == "✗ over budget, not kept"
    assert verdict([row]) == (
        "Not good enough: onnx is over the accuracy budget (mask IoU 1.0000, largest difference 4.4×10⁻⁶; not kept)."
    )


def test_what_the_export_and_the_doctor_both_warn_of_stands_once() -> None:
    text = BODY["doctor"]["findings"][2]["text"]
    assert find_warnings({**BODY, "warnings": [f"my pictures: {text}"]}, Evidence()) == [f"my pictures: {text}"]


def test_warnings_are_gathered_from_everywhere() -> None:
    body = {**BODY, "budget": {"holds": False, "verdict": "1.2 points are lost"}}
    found = find_warnings(body, evidence([]))
    assert [text.split(":")[0] for text in found] == [
        "a checkpoint does not say how it was trained",
        "The accuracy budget is not met",
        "Calibration pictures",
        "mixed is left out of the pictures and the histogram",
    ]
    assert find_warnings({}, Evidence()) == []


def test_a_file_that_did_not_run_has_a_column_that_says_why() -> None:
    found = replace(evidence(["float32"]), absent={"int8": "an .onnx file needs onnxruntime"})
    words = Outline(build_page(BODY, rows_of(BODY), [view("a.jpg", ["float32"])], found)).words
    assert "not shown: an .onnx file needs onnxruntime" in words
    assert "|PyTorch − float32| in every heat map" in words


def test_pictures_without_any_file_are_shown_with_pytorchs_masks() -> None:
    page = build_page(BODY, rows_of(BODY), [view("a.jpg", [])])
    assert messages.NOTHING_COULD_BE_RUN in page
    assert "heat map" not in page


def test_masks_without_any_difference_are_drawn() -> None:
    mask = np.zeros((4, 4), np.float32)
    same = MaskView(mask=mask, agreement=agreement(mask, mask))
    still = PictureView(name="a", frame=np.zeros((4, 4, 3), np.uint8), reference=mask, masks={"int8": same})
    Outline(build_page(BODY, rows_of(BODY), [still], evidence(["int8"])))


@pytest.mark.parametrize("missing", [*([key] for key in BODY if key != "files"), OPTIONAL, list(BODY)])
@pytest.mark.parametrize("absent", [True, False], ids=["absent", "null"])
def test_any_key_may_be_absent_or_null(missing: list[str], absent: bool) -> None:
    body = {key: value for key, value in BODY.items() if key not in missing}
    if not absent:
        body |= dict.fromkeys(missing)
    outline = Outline(whole_page(body))
    keys = [attrs["id"] for tag, attrs in outline.tags if tag == "section"]
    assert [key for key in ("noise", "budget") if key in keys] == [k for k in ("noise", "budget") if k not in missing]


def test_a_report_of_nothing_is_a_page() -> None:
    assert "The report lists no file." in build_page({}, [], [])


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything below the top that is no object or list, and of each object and list."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, inner in items:
        yield from leaves(inner, (*path, key))


def put(body: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed: Any = copy.deepcopy(body)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


STRANGE = [
    None,
    True,
    -1,
    10**400,
    float("nan"),
    float("inf"),
    "<blink>",
    [],
    [[]],
    [None, 1, "x", {}],
    {},
    {"x": {"y": []}},
]


@pytest.mark.parametrize("strange", STRANGE, ids=repr)
def test_a_strange_value_anywhere_is_no_crash(strange: Any) -> None:
    views, found = [view("a", ["int8"], size=2)], evidence(["int8"])
    small = copy.deepcopy(BODY)
    small["noise"]["operators"] = small["noise"]["operators"][:2]
    rows = rows_of(small)
    for path in leaves(small):
        page = build_page(put(small, path, strange), rows, views, found)
        assert page.endswith("</html>\n"), path
        assert "<blink>" not in page, path


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:12]))
def test_hostile_names_are_shown_and_change_nothing(name: str) -> None:
    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: renamed(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [renamed(inner) for inner in value]
        return name if isinstance(value, str) else value

    body = renamed(BODY)
    rows = [
        replace(row, name=name, precision=name, bound_text=name, worst_picture=name, float_layers=(name,) * 3)
        for row in rows_of(BODY)
    ]
    found = replace(evidence([name]), absent={name: name}, contract_of=name, contract={name: name})
    page = build_page(body, rows, [view(name, [name])], found)
    plain, odd = Outline(whole_page()), Outline(page)
    no_request(odd)
    assert odd.count.keys() <= plain.count.keys()
    assert name[:40].split("\x00")[0] in odd.words or not name.isprintable()
    page.encode("utf-8")
    assert len(page) < 3_000_000


@pytest.mark.parametrize("count", [1, 16, 17, 170, 2000])
def test_operators_are_all_listed_in_order_and_the_lowest_marked(count: int) -> None:
    operators = [
        {"index": k, "operator": "CONV_2D", "name": f"a/b/c/n{k};x", "snr_db": 60 - k % 50} for k in range(count)
    ]
    page = whole_page({**BODY, "noise": {"precision": "int8", "pictures": 4, "operators": operators}})
    section = page.partition('<section id="noise"')[2].partition("</section>")[0]
    assert section.count("<title>") == count
    places = [section.rindex(f">b/c/n{k}<") for k in range(count)]
    assert places == sorted(places)
    assert ("<details>" in section) == (count > 16)
    assert 'class="low"' in section


def test_unknown_levels_and_keys_are_shown_or_ignored() -> None:
    finding = {"level": "catastrophe", "text": "unheard of"}
    page = whole_page({**BODY, "doctor": {"findings": [finding], "new": 1}, "brand_new": {"a": [1]}})
    assert "catastrophe" in page
    assert "unheard of" in page


def test_a_page_of_large_masks_is_smaller_than_two_megabytes() -> None:
    random = np.random.default_rng(0)

    def busy(name: str) -> PictureView:
        coarse = random.random((24, 24), np.float32)
        reference = np.clip(4 * cv2.resize(coarse, (1024, 1024), interpolation=cv2.INTER_CUBIC) - 1.5, 0, 1)
        other = np.clip(reference + random.normal(0, 0.004, reference.shape), 0, 1).astype(np.float32)
        shown = MaskView(mask=other, agreement=agreement(reference, other))
        exact = MaskView(mask=reference, agreement=agreement(reference, reference))
        frame = cv2.resize(random.integers(0, 255, (128, 128, 3), np.uint8), (1024, 1024))
        return PictureView(name=name, frame=frame, reference=reference, masks={"float32": exact, "int8": shown})

    page = build_page(BODY, rows_of(BODY), [busy(str(k)) for k in range(6)], evidence(["int8"]))
    assert len(page.encode()) < 2_000_000
