// The network's mask → alpha at full size, for one stream: docs/refinement.md, the presets `fast` and `balanced` and a feather.
#pragma once

#include "picture.h"

namespace segedge {

class Refiner {
 public:
  explicit Refiner(uint32_t feather) : feather_(feather) {}

  // `coarse`: within 0 and 1. `alpha` has the frame's size. SEGEDGE_FAST forgets the frame before.
  void run(segedge_preset preset, const Plane<float> &coarse, const Picture &picture, Rows<uint8_t> alpha);
  void reset() { before_ = {}; }

 private:
  void remember(Plane<float> &mask, const Plane<uint8_t> &small);

  Plane<float> before_;  // the mask of the frame before; empty without one
  Plane<uint8_t> small_before_, luma_;
  uint32_t feather_;
};

}  // namespace segedge
