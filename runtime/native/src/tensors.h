// Frame → input tensor, output tensor → the person's probability, as segruntime/preprocess.py and postprocess.py.
#pragma once

#include "contract.h"
#include "picture.h"

namespace segedge {

inline Size size_of(const Tensor &spec) { return {spec.width, spec.height}; }

struct Region {
  uint32_t left, top;
  Size size;
};

// Where a frame lies in the input tensor: `stretch` fills it, `letterbox` centres.
Region fit_region(const InputSpec &spec, Size frame);

// The same in the pixels of an output of another size.
Region on_output(const Region &region, const Contract &contract);

class Preprocessor {
 public:
  explicit Preprocessor(const InputSpec &spec);

  // Fills `tensor`, which has the contract's size.
  void run(const Picture &picture, void *tensor);

 private:
  InputSpec spec_;
  std::vector<float> floats_;  // tables of 256 values for each channel, in the order of `color`
  std::vector<int16_t> words_;
  std::vector<uint8_t> canvas_;
  bool holds_bytes_;  // the table changes nothing: the resized bytes are the tensor
};

// Of the output's size; NaN stays where the network gives it.
Plane<float> probability(const OutputSpec &spec, const void *tensor);

// What lies in the region, within 0 and 1; NaN is background.
Plane<float> on_region(const Plane<float> &probability, const Region &region);

// 0 for what is not above 0, which is true of NaN; `highest` for what is above that.
inline float within(float value, float highest) { return value > 0 ? (value < highest ? value : highest) : 0; }

}  // namespace segedge
