// One picture over another in whole numbers, as segruntime/compositing.
#pragma once

#include <vector>

#include "picture.h"

namespace segedge {

// frame · alpha + background · (1 - alpha), the nearest byte. `background` (at any size) or else `colour` (red, green,
// blue) lies behind; `out` is packed, has the frame's size, and may be the frame itself.
void compose(const Picture &frame, const uint8_t *alpha, size_t alpha_stride, const Picture *background, const uint8_t *colour,
             uint32_t format, uint8_t *out, size_t stride);

}  // namespace segedge
