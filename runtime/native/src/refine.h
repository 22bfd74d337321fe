// The network's mask → alpha at full size, for one stream: docs/refinement.md, the presets `fast` and `balanced`.
#pragma once

#include <vector>

#include "resize.h"
#include "segedge.h"

namespace segedge {

class Refiner {
 public:
  // `coarse`: within 0 and 1. `luma`: the frame's, rows packed. Writes rows `stride` bytes apart.
  void run(segedge_preset preset, const std::vector<float> &coarse, Size mask, const std::vector<uint8_t> &luma, Size frame,
           uint8_t *alpha, size_t stride);
  void reset() { before_.clear(); }

 private:
  void remember(std::vector<float> &mask, Size size, std::vector<uint8_t> small, Size frame);

  std::vector<float> before_;  // the mask of the frame before; empty without one
  std::vector<uint8_t> small_before_;
  Size mask_size_{0, 0}, frame_size_{0, 0};
};

}  // namespace segedge
