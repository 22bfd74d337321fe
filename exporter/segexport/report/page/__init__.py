"""`report.html`: an export on one page that asks nothing of any other file or machine."""

from segexport.report.page.make import make_page
from segexport.report.page.page import build_page
from segexport.report.page.views import Evidence, MaskView, PictureView

__all__ = ["Evidence", "MaskView", "PictureView", "build_page", "make_page"]
