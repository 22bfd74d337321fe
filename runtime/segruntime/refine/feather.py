"""The person's edge, grown outward and softened."""

from __future__ import annotations

import cv2
import numpy as np

from segruntime.arrays import Plane


def feather(alpha: Plane, pixels: int, out: Plane) -> Plane:
    """Alpha `(H, W) uint8` grown by a ramp of about `pixels`; no pixel goes down. Written to `out`, which may be `alpha`.

    A dilation (Serra 1982) by half the way, and a box blur that falls from there to both sides: the ramp starts at the
    person's edge and ends at `pixels` along rows and columns, up to a fifth further along diagonals.
    """
    reach = (pixels + 1) // 2
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    grown = cv2.dilate(alpha, disk)
    width = 2 * (pixels - reach) + 1
    soft = cv2.blur(grown, (width, width), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.max(soft, alpha, dst=out), np.uint8)
