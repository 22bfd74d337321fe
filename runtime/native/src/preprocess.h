// Frame → input tensor, as segruntime/preprocess.py.
#pragma once

#include <array>
#include <vector>

#include "contract.h"
#include "picture.h"

namespace segedge {

struct Region {
  int left, top;
  Size size;
};

// Where a frame lies in the tensor: `stretch` fills it, `letterbox` centres.
Region fit_region(const InputSpec &spec, Size frame);

// The same in the pixels of an output of another size.
Region on_output(const Region &region, const Contract &contract);

class Preprocessor {
 public:
  explicit Preprocessor(const InputSpec &spec);

  // Fills `tensor`, which has the contract's size.
  void run(const Picture &picture, void *tensor);

 private:
  template <class Value>
  void fill(const std::vector<Value> &table, Value *tensor) const;

  InputSpec spec_;
  std::vector<float> floats_;  // tables of 256 values for each channel, in the order of `color`
  std::vector<uint8_t> bytes_;
  std::vector<int16_t> words_;
  std::vector<uint8_t> canvas_;
  bool holds_bytes_ = false;  // the table changes nothing: the resized bytes are the tensor
};

}  // namespace segedge
