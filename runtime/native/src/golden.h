// The golden pictures inside a model file: docs/contract.md#golden-pictures, as strict as
// segruntime/model_file/golden.py.
#pragma once

#include <string>
#include <vector>

#include "resize.h"

namespace segedge {

struct Bitmap {
  Size size{0, 0};
  std::vector<uint8_t> pixels;  // RGB or gray, rows packed
};

struct GoldenPicture {
  Bitmap frame, reference, made;
};

struct Golden {
  std::string model_sha256;
  std::vector<GoldenPicture> pictures;
};

// Throws Error: not valid.
Golden parse_golden(const std::string &text);

// How near a mask is to a stored one.
struct Nearness {
  double iou, mean_difference, changed;
};

// A mask of the network's size as it is stored: averaged to at most 128 on its long side, in steps of 1/255; NaN stays.
Plane<float> as_stored(const Plane<float> &mask);
Nearness nearness(const Bitmap &stored, const std::vector<float> &mask);

// Is the mask still the same? Stricter for files of float32 and float16.
bool is_same(const Nearness &found, bool exact);

}  // namespace segedge
