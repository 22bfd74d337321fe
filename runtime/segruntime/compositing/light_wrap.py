"""Light of the background over the person's edge, as a lens gives it: what ties a person to a brighter or darker place."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from segruntime.arrays import Bytes, Sample, check_bytes, check_samples
from segruntime.compositing.blend import blend
from segruntime.compositing.blur import soft_focus
from segruntime.compositing.byte_product import take_share
from segruntime.errors import OptionError

_RIM_SIGMA = 0.01  # of the height: how far inwards the light reaches is two or three times that
_LIGHT_SIGMA = 0.03


def light_wrap(
    over: npt.NDArray[Sample],
    weight: Bytes,
    under: npt.NDArray[Sample] | int | Sequence[int],
    strength: float = 0.3,
    out: npt.NDArray[Sample] | None = None,
) -> npt.NDArray[Sample]:
    """The person lit from behind, to be blended over the background afterwards.

    `over + rim * (blurred under - over)`, with `rim = strength * alpha * (1 - blurred alpha)`: the usual light wrap of
    compositing programs (Brinkmann, The Art and Science of Digital Compositing), mixed rather than added, so that it neither
    overflows nor depends on the zero of the values, and works on the planes of a video frame one by one. Further inside than
    the blur reaches, and outside, nothing changes.

    Args:
        over: `(H, W, 3) uint8`, or `(H, W) uint8`, a plane of it; or uint16, 10 bits.
        weight: the person's alpha, `(H, W) uint8, 0–255`.
        under: the background as for `blend`: as `over`, or a constant.
        strength: 0 (none) to 1.
        out: as `over`, with packed rows to write to; it may be `over` itself. A new array where not given,
            which for every frame of a video costs more than the rest.

    Returns:
        As `over`.

    Raises:
        FrameError: another type, dtype or shape.
        OptionError: another strength.
    """
    if type(strength) not in (int, float) or not 0 <= strength <= 1:
        raise OptionError(f"light wrap: got {strength!r}, expected a number from 0 to 1")
    over = check_samples("over", over)
    weight = check_bytes("weight", weight, over.shape[:2])
    # 255 - strength * weight * (255 - blurred weight), rounded twice; a product of bytes with a scale depends on the processor
    rim = take_share(np.asarray(cv2.bitwise_not(soft_focus(weight, _RIM_SIGMA * len(over))), np.uint8), weight)
    kept = np.asarray(cv2.LUT(rim, np.rint(255 - strength * np.arange(256)).astype(np.uint8)), np.uint8)
    light = under
    if isinstance(under, np.ndarray) and under.ndim == over.ndim:
        light = soft_focus(check_samples("under", under, over), _LIGHT_SIGMA * len(over))
    return blend(over, kept, light, out)
