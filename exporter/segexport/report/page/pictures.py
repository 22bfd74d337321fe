"""The pictures on which the least exact file came off worst: masks side by side, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segexport.compare.rows import FileRow
from segexport.report.page.choice import least_exact, shown_masks
from segexport.report.page.figures import counted, difference, fixed
from segexport.report.page.images import gray, heat, heat_scale, photo
from segexport.report.page.lenient import brief
from segexport.report.page.markup import NOTHING, Html, joined, tag
from segexport.report.page.section import Section
from segexport.report.page.views import Evidence, MaskView, PictureView


def pictures_section(rows: Sequence[FileRow], views: Sequence[PictureView], evidence: Evidence) -> Section | None:
    if not views:
        return None
    ran = {name for view in views for name in view.masks}
    masks, hot = shown_masks(rows, ran), least_exact(rows, ran) or ""
    most = max((view.masks[hot].agreement.max_difference for view in views if hot in view.masks), default=0.0)
    listed = joined(tag("li", _picture(view, masks, hot, most, evidence)) for view in views)
    return Section(
        key="pictures",
        title=f"{counted(len(views), 'picture')}, the worst first",
        lead=_lead(hot, len(views), evidence.pictures),
        content=joined((_legend(hot, most), tag("ol", listed, class_="pictures"))),
    )


def _lead(hot: str, count: int, stored: int) -> str:
    if not hot:
        return "No file could be run here, so these are the first stored pictures with PyTorch's masks alone."
    stored_text = f" of the {stored} stored with the export" if stored > count else ""
    return (
        f"Those{stored_text} with the lowest IoU between PyTorch's mask and the {hot} file's. "
        "White is the person. The heat map shows how far the two probabilities are apart; its colours follow the square root, "
        "so that small differences are seen as well."
    )


def _legend(hot: str, most: float) -> Html:
    if not hot:
        return NOTHING
    strip = tag("img", src=heat_scale(), alt="Colours from black over red to yellow", width="256", height="1")
    marks = (tag("span", text) for text in ("0", difference(most / 4), difference(most)))
    scale = tag("figure", strip, tag("figcaption", *marks, class_="ends"))
    return tag("div", tag("span", f"|PyTorch − {hot}| in every heat map"), scale, class_="scale")


def _picture(view: PictureView, masks: Sequence[str], hot: str, most: float, evidence: Evidence) -> Html:
    name = brief(view.name, 80)
    tiles = [
        _tile("Picture", photo(view.frame), f"The picture {name}", ""),
        _tile("PyTorch", gray(view.reference), f"PyTorch's mask of {name}", _share(view)),
        *(_mask(view, name, precision, evidence) for precision in masks),
    ]
    if hot in view.masks:
        tiles.append(_heat(view, name, hot, most))
    return joined((tag("h3", name), tag("div", *tiles, class_="tiles")))


def _mask(view: PictureView, name: str, precision: str, evidence: Evidence) -> Html:
    shown = view.masks.get(precision)
    title = brief(precision, 40)
    if shown is None:
        reason = brief(evidence.absent.get(precision)) or "was not run"
        missing = tag("div", f"not shown: {reason}", class_="missing")
        return tag("figure", tag("figcaption", tag("b", title)), missing)
    return _tile(title, gray(shown.mask), f"The {title} file's mask of {name}", measured(shown))


def _heat(view: PictureView, name: str, hot: str, most: float) -> Html:
    shown = view.masks[hot]
    apart = np.abs(view.reference - shown.mask)
    image = heat(apart, most or 1.0)
    where = f"Where PyTorch and {hot} differ on {name}: {measured(shown)}"
    return _tile(f"|PyTorch − {brief(hot, 40)}|", image, where, f"mean {difference(shown.agreement.mean_difference)}")


def measured(shown: MaskView) -> str:
    return f"IoU {fixed(shown.agreement.mask_iou, 4)}, largest {difference(shown.agreement.max_difference)}"


def _share(view: PictureView) -> str:
    return f"person {100 * float((view.reference > 0.5).mean()):.0f} %"


def _tile(title: str, source: str, alt: str, caption: str) -> Html:
    image = tag("img", src=source, alt=alt, loading="lazy", decoding="async")
    return tag("figure", image, tag("figcaption", tag("b", title), tag("span", caption)))
