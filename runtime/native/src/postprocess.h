// Output tensor → the person's probability, as segruntime/postprocess.py.
#pragma once

#include "contract.h"
#include "preprocess.h"

namespace segedge {

// `(height, width)` of the output; NaN stays where the network gives it.
std::vector<float> probability(const OutputSpec &spec, const void *tensor);

// What lies in the region, within 0 and 1; NaN is background.
std::vector<float> on_region(const std::vector<float> &probability, int width, const Region &region);

// 0 for what is not above 0, which is true of NaN; `highest` for what is above that.
inline float within(float value, float highest) { return value > 0 ? (value < highest ? value : highest) : 0; }

}  // namespace segedge
