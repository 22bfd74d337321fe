// One picture over another in whole numbers, as segruntime/compositing.
#pragma once

#include "picture.h"

namespace segedge {

// frame · alpha + background · (1 - alpha), the nearest byte. `background` (at any size) or else `colour` (red, green,
// blue) lies behind; `out` is packed in `format`, has the frame's size, and may be the frame itself.
void compose(const Picture &frame, Rows<const uint8_t> alpha, const Picture *background, const uint8_t *colour,
             const Format &format, Rows<uint8_t> out);

}  // namespace segedge
