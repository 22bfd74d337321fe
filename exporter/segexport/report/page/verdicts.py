"""Whether files are good enough, in words."""

from __future__ import annotations

from collections.abc import Sequence

from segexport.compare.rows import FileRow
from segexport.report.page.values import brief, difference, fixed
from segruntime.html_page.render import counted


def passed(row: FileRow) -> bool:
    return row.within_bound and not row.over_budget


def short_verdict(row: FileRow) -> str:
    if passed(row):
        return "✓ within"
    over = "✗ over budget" if row.within_bound else "✗ over"
    return f"{over}, {'kept' if row.kept else 'not kept'}"


def verdict(rows: Sequence[FileRow]) -> str:
    """One sentence: which files are over their bound or the accuracy budget, or that none is."""
    failed = [row for row in rows if not passed(row)]
    if not rows:
        return "The report lists no file."
    if not failed:
        return (
            "The one file is within its bound." if len(rows) == 1 else f"All {len(rows)} files are within their bounds."
        )
    which = "; ".join(_shortfall(row) for row in failed)
    rest = len(rows) - len(failed)
    others = f" The other {counted(rest, 'file is within its bound', 'files are within their bounds')}." if rest else ""
    return f"Not good enough: {which}.{others}"


def _shortfall(row: FileRow) -> str:
    what = f"{brief(row.precision)} is over {'the accuracy budget' if row.within_bound else 'its bound'}"
    expected = "" if row.within_bound else f"; expected {brief(row.bound_text)}"
    measured = f"mask IoU {fixed(row.mask_iou, 4)}, largest difference {difference(row.max_difference)}"
    return f"{what} ({measured}{expected}; {'kept all the same' if row.kept else 'not kept'})"
