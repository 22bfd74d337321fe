#include "postprocess.h"

#include <cmath>
#include <cstring>

namespace segedge {
namespace {

constexpr float kLargest = 1e38f;  // of a logit: the difference of two is still a float

// NaN stays, as in numpy's minimum and maximum.
float held(float value, float low, float high) { return value < low ? low : value > high ? high : value; }

template <class Value>
Value at(const void *tensor, size_t index) {
  Value value;
  std::memcpy(&value, static_cast<const char *>(tensor) + index * sizeof(Value), sizeof(Value));
  return value;
}

int64_t whole(const OutputSpec &spec, const void *tensor, size_t index) {
  switch (spec.kind) {
    case Kind::int8: return at<int8_t>(tensor, index);
    case Kind::uint8: return at<uint8_t>(tensor, index);
    case Kind::int16: return at<int16_t>(tensor, index);
    case Kind::int32: return at<int32_t>(tensor, index);
    default: return at<int64_t>(tensor, index);
  }
}

float real(const OutputSpec &spec, const void *tensor, size_t index) {
  if (spec.kind == Kind::float32) return at<float>(tensor, index);
  const double value = static_cast<double>(whole(spec, tensor, index) - spec.zero_point);
  // 16 bits are computed in float there, 8 bits through a table that was made in double
  if (spec.kind == Kind::int16) return static_cast<float>(value) * static_cast<float>(spec.scale);
  return static_cast<float>(spec.scale * value);
}

float sigmoid(float x) {
  const double decay = std::exp(-std::abs(static_cast<double>(x)));
  return static_cast<float>((x >= 0 ? 1 : decay) / (1 + decay));
}

float softmax(const std::vector<float> &logits, size_t person) {
  float top = logits[0];
  for (const float logit : logits) top = logit > top || std::isnan(logit) ? logit : top;
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit - top));
  return static_cast<float>(std::exp(static_cast<double>(logits[person] - top)) / total);
}

}  // namespace

std::vector<float> probability(const OutputSpec &spec, const void *tensor) {
  const size_t pixels = static_cast<size_t>(spec.width) * static_cast<size_t>(spec.height),
               channels = static_cast<size_t>(spec.channels);
  const size_t pixel = spec.planar ? 1 : channels, channel = spec.planar ? pixels : 1,
               person = static_cast<size_t>(spec.person);
  std::vector<float> out(pixels), logits(channels), table;
  const bool classes = spec.meaning == "classes", several = spec.meaning == "logits" && channels > 1,
             logit = spec.meaning == "logits";
  const auto one = [&](float value) { return held(logit ? sigmoid(value) : value, 0, 1); };
  const bool bytes = !classes && !several && bytes_of(spec.kind) == 1;
  for (int byte = 0; bytes && byte < 256; byte++) {
    const uint8_t stored[8] = {static_cast<uint8_t>(byte)};  // as long as the longest number
    table.push_back(one(real(spec, stored, 0)));
  }
  for (size_t k = 0; k < pixels; k++) {
    if (bytes) {
      out[k] = table[at<uint8_t>(tensor, k * pixel + person * channel)];
    } else if (classes) {
      out[k] = whole(spec, tensor, k) == spec.person ? 1.f : 0.f;
    } else if (several) {
      for (size_t c = 0; c < channels; c++) logits[c] = held(real(spec, tensor, k * pixel + c * channel), -kLargest, kLargest);
      out[k] = softmax(logits, person);
    } else {
      out[k] = one(real(spec, tensor, k * pixel + person * channel));
    }
  }
  return out;
}

std::vector<float> on_region(const std::vector<float> &probability, int width, const Region &region) {
  std::vector<float> out;
  out.reserve(region.size.pixels());
  for (int y = 0; y < region.size.height; y++) {
    const float *row = probability.data() + static_cast<size_t>(region.top + y) * static_cast<size_t>(width) + region.left;
    for (int x = 0; x < region.size.width; x++) out.push_back(within(row[x], 1));
  }
  return out;
}

}  // namespace segedge
