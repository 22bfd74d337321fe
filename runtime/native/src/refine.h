// The network's mask → alpha at full size, for one stream: docs/refinement.md, the presets `fast` and `balanced`, and the
// feather, as segruntime/refine.
#pragma once

#include "picture.h"

namespace segedge {

class Refiner {
 public:
  // `coarse`: within 0 and 1. `alpha` has the frame's size. SEGEDGE_FAST forgets the frame before.
  void run(segedge_preset preset, const Plane<float> &coarse, const Picture &picture, Rows<uint8_t> alpha);
  void reset() { before_.values.clear(); }

 private:
  void remember(Plane<float> &mask, Plane<uint8_t> small, Size frame);

  Plane<float> before_;  // the mask of the frame before; empty without one
  Plane<uint8_t> small_before_, luma_;
  Size frame_;
};

// Alpha grows by a ramp: a dilation by half of `pixels`, and a mean over a square that falls from there to both sides; no
// pixel goes down.
void feather(Rows<uint8_t> alpha, Size size, uint32_t pixels);

}  // namespace segedge
