"""`segbench report`: results on one page."""

from segbench.report.page import build_page

__all__ = ["build_page"]
