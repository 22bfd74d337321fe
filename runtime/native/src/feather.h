// Alpha grown by a ramp, as segruntime/refine/refiner.py.
#pragma once

#include "resize.h"

namespace segedge {

// A dilation by half of `pixels`, and a mean over a square that falls from there to both sides; no pixel goes down.
void feather(uint8_t *alpha, size_t stride, Size size, int pixels);

}  // namespace segedge
