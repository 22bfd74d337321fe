// What a model file says about itself: docs/contract.md, as strict as segruntime/model_file/contract.py.
#pragma once

#include <string>
#include <vector>

namespace segedge {

enum class Kind { float32, int8, uint8, int16, int32, int64 };

struct Tensor {
  int width = 0, height = 0, channels = 3;
  bool planar = false;  // NCHW
  Kind kind = Kind::float32;
  bool quantized = false;  // real = scale * (q - zero_point)
  double scale = 1;
  int zero_point = 0;
};

struct InputSpec : Tensor {
  bool bgr = false, letterbox = false;
  std::string interpolation;
  double low = 0, high = 1;
  std::vector<double> mean = {0, 0, 0}, std = {1, 1, 1};
};

struct OutputSpec : Tensor {
  std::string meaning;
  int classes = 1;  // the contract's channels; the tensor has one where meaning is "classes"
  int person = 0;
};

struct Contract {
  InputSpec input;
  OutputSpec output;
  double threshold = 0.5;
  bool exact = false;  // float32 or float16: the self-test's stricter bounds
};

size_t bytes_of(Kind kind);

// Throws Error naming the field, what was found and what was expected.
Contract parse_contract(const std::string &text);

}  // namespace segedge
