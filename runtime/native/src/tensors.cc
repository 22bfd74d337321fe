#include "tensors.h"

#include <cmath>

namespace segedge {
namespace {

constexpr float kLargest = 1e38f;  // of a logit: the difference of two is still a float

// NaN stays, as in numpy's minimum and maximum.
float held(float value, float low, float high) { return value < low ? low : value > high ? high : value; }

template <class Value>
Value at(const void *tensor, size_t index) {
  return static_cast<const Value *>(tensor)[index];
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

// Every byte of the canvas through its channel's table.
template <class Value, class Table>
void fill(const std::vector<uint8_t> &canvas, const std::vector<Table> &table, bool planar, void *tensor) {
  const size_t pixels = canvas.size() / 3, pixel = planar ? 1 : 3, channel = planar ? pixels : 1;
  for (size_t c = 0; c < 3; c++)
    for (size_t k = 0; k < pixels; k++)
      static_cast<Value *>(tensor)[c * channel + k * pixel] = static_cast<Value>(table[256 * c + canvas[3 * k + c]]);
}

}  // namespace

Region fit_region(const InputSpec &spec, Size frame) {
  const Size all = size_of(spec);
  if (!spec.letterbox) return {0, 0, all};
  const double scale = std::min(static_cast<double>(all.width) / frame.width, static_cast<double>(all.height) / frame.height);
  const Size size(side_of(frame.width * scale, all.width), side_of(frame.height * scale, all.height));
  return {(all.width - size.width) / 2, (all.height - size.height) / 2, size};
}

Region on_output(const Region &region, const Contract &contract) {
  const Size from = size_of(contract.input), to = size_of(contract.output);
  if (from == to) return region;
  const double x = static_cast<double>(to.width) / from.width, y = static_cast<double>(to.height) / from.height;
  const Size size(side_of(region.size.width * x, to.width), side_of(region.size.height * y, to.height));
  const auto corner = [](double pixels, uint32_t most) { return std::min(static_cast<uint32_t>(round_even(pixels)), most); };
  return {corner(region.left * x, to.width - size.width), corner(region.top * y, to.height - size.height), size};
}

Preprocessor::Preprocessor(const InputSpec &spec) : spec_(spec), canvas_(3 * size_of(spec).pixels()) {
  const int low = spec.kind == Kind::int8 ? -128 : spec.kind == Kind::int16 ? -32768 : 0, high = low < 0 ? -low - 1 : 255;
  for (size_t channel = 0; channel < 3; channel++) {
    for (int byte = 0; byte < 256; byte++) {
      const double real = (spec.low + byte / 255.0 * (spec.high - spec.low) - spec.mean[channel]) / spec.std[channel];
      floats_.push_back(static_cast<float>(real));
      if (!spec.quantized) continue;
      // held first: round_even is for what an int can hold
      const int value = round_even(std::clamp(real / spec.scale, -1e9, 1e9)) + spec.zero_point;
      words_.push_back(static_cast<int16_t>(std::clamp(value, low, high)));
    }
  }
  holds_bytes_ = spec.kind == Kind::uint8 && !spec.planar;
  for (size_t k = 0; k < words_.size(); k++) holds_bytes_ = holds_bytes_ && words_[k] == static_cast<int>(k % 256);
}

void Preprocessor::run(const Picture &picture, void *tensor) {
  const Region region = fit_region(spec_, picture.size());
  const Size from = picture.size(), to = region.size;
  if (spec_.interpolation == "area" && (to.width > from.width || to.height > from.height))
    throw argument_error("frame: this model asks for an area average, which only makes pictures smaller; got " + text_of(from) +
                         ", expected at least " + text_of(to));
  const Size size = size_of(spec_);
  const Rows<uint8_t> canvas = {holds_bytes_ ? static_cast<uint8_t *>(tensor) : canvas_.data(), 3 * size_t{size.width}};
  if (to != size) std::fill_n(canvas.data, canvas_.size(), uint8_t{0});
  resize(picture.source(spec_.bgr), to, spec_.interpolation, {canvas.row(region.top) + 3 * region.left, canvas.stride});
  if (holds_bytes_) return;
  if (spec_.kind == Kind::float32)
    fill<float>(canvas_, floats_, spec_.planar, tensor);
  else if (spec_.kind == Kind::int16)
    fill<int16_t>(canvas_, words_, spec_.planar, tensor);
  else
    fill<uint8_t>(canvas_, words_, spec_.planar, tensor);
}

Plane<float> probability(const OutputSpec &spec, const void *tensor) {
  Plane<float> out(size_of(spec));
  const size_t channels = static_cast<size_t>(spec.channels), person = static_cast<size_t>(spec.person);
  const size_t pixel = spec.planar ? 1 : channels, channel = spec.planar ? out.values.size() : 1;
  const bool classes = spec.meaning == "classes", logits = spec.meaning == "logits", several = logits && channels > 1;
  const auto one = [&](const void *from, size_t index) {
    const float value = real(spec, from, index);
    return held(logits ? sigmoid(value) : value, 0, 1);
  };
  std::vector<float> pixels(channels), table;
  for (int byte = 0; !classes && !several && bytes_of(spec.kind) == 1 && byte < 256; byte++) {
    const uint8_t stored[8] = {static_cast<uint8_t>(byte)};  // as long as the longest number
    table.push_back(one(stored, 0));
  }
  for (size_t k = 0; k < out.values.size(); k++) {
    if (!table.empty()) {
      out.values[k] = table[at<uint8_t>(tensor, k * pixel + person * channel)];
    } else if (classes) {
      out.values[k] = whole(spec, tensor, k) == spec.person ? 1.f : 0.f;
    } else if (several) {
      for (size_t c = 0; c < channels; c++) pixels[c] = held(real(spec, tensor, k * pixel + c * channel), -kLargest, kLargest);
      out.values[k] = softmax(pixels, person);
    } else {
      out.values[k] = one(tensor, k * pixel + person * channel);
    }
  }
  return out;
}

Plane<float> on_region(const Plane<float> &probability, const Region &region) {
  Plane<float> out(region.size);
  for (size_t y = 0; y < region.size.height; y++) {
    const float *row = probability.row(region.top + y) + region.left;
    std::transform(row, row + region.size.width, out.row(y), [](float p) { return within(p, 1); });
  }
  return out;
}

}  // namespace segedge
