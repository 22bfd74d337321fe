#include "preprocess.h"

#include <algorithm>
#include <numeric>

#include "error.h"

namespace segedge {

Region fit_region(const InputSpec &spec, Size frame) {
  if (!spec.letterbox) return {0, 0, {spec.width, spec.height}};
  const double scale = std::min(static_cast<double>(spec.width) / frame.width, static_cast<double>(spec.height) / frame.height);
  const Size size = {std::min(spec.width, std::max(1, round_even(frame.width * scale))),
                     std::min(spec.height, std::max(1, round_even(frame.height * scale)))};
  return {(spec.width - size.width) / 2, (spec.height - size.height) / 2, size};
}

Region on_output(const Region &region, const Contract &contract) {
  const InputSpec &from = contract.input;
  const OutputSpec &to = contract.output;
  if (from.width == to.width && from.height == to.height) return region;
  const double x = static_cast<double>(to.width) / from.width, y = static_cast<double>(to.height) / from.height;
  const Size size = {std::max(1, round_even(region.size.width * x)), std::max(1, round_even(region.size.height * y))};
  return {std::min(round_even(region.left * x), to.width - size.width),
          std::min(round_even(region.top * y), to.height - size.height), size};
}

Preprocessor::Preprocessor(const InputSpec &spec)
    : spec_(spec), canvas_(3 * static_cast<size_t>(spec.width) * static_cast<size_t>(spec.height)) {
  const int low = spec.kind == Kind::int8 ? -128 : spec.kind == Kind::int16 ? -32768 : 0;
  const int high = spec.kind == Kind::int8 ? 127 : spec.kind == Kind::int16 ? 32767 : 255;
  for (size_t channel = 0; channel < 3; channel++) {
    for (int byte = 0; byte < 256; byte++) {
      const double real = (spec.low + byte / 255.0 * (spec.high - spec.low) - spec.mean[channel]) / spec.std[channel];
      floats_.push_back(static_cast<float>(real));
      if (!spec.quantized) continue;
      // held first: round_even is for what an int can hold
      const int value = std::clamp(round_even(std::clamp(real / spec.scale, -1e9, 1e9)) + spec.zero_point, low, high);
      bytes_.push_back(static_cast<uint8_t>(value & 255));
      words_.push_back(static_cast<int16_t>(value));
    }
  }
  holds_bytes_ = spec.kind == Kind::uint8 && !spec.planar;
  for (size_t k = 0; holds_bytes_ && k < bytes_.size(); k++) holds_bytes_ = bytes_[k] == k % 256;
}

void Preprocessor::run(const Picture &picture, void *tensor) {
  const Region region = fit_region(spec_, picture.size());
  const Size from = picture.size(), to = region.size;
  if (spec_.interpolation == "area" && (to.width > from.width || to.height > from.height))
    throw argument_error("frame: this model asks for an area average, which only makes pictures smaller; got " +
                         std::to_string(from.width) + "x" + std::to_string(from.height) + ", expected at least " +
                         std::to_string(to.width) + "x" + std::to_string(to.height));
  uint8_t *canvas = holds_bytes_ ? static_cast<uint8_t *>(tensor) : canvas_.data();
  const size_t stride = 3 * static_cast<size_t>(spec_.width);
  if (to != Size{spec_.width, spec_.height}) std::fill_n(canvas, canvas_.size(), uint8_t{0});
  uint8_t *corner = canvas + static_cast<size_t>(region.top) * stride + 3 * static_cast<size_t>(region.left);
  resize_bytes(picture.source(spec_.bgr), to, spec_.interpolation, corner, stride);
  if (holds_bytes_) return;
  if (spec_.kind == Kind::float32)
    fill(floats_, static_cast<float *>(tensor));
  else if (spec_.kind == Kind::int16)
    fill(words_, static_cast<int16_t *>(tensor));
  else
    fill(bytes_, static_cast<uint8_t *>(tensor));
}

template <class Value>
void Preprocessor::fill(const std::vector<Value> &table, Value *tensor) const {
  const size_t pixels = canvas_.size() / 3, pixel = spec_.planar ? 1 : 3, channel = spec_.planar ? pixels : 1;
  for (size_t c = 0; c < 3; c++)
    for (size_t k = 0; k < pixels; k++) tensor[c * channel + k * pixel] = table[256 * c + canvas_[3 * k + c]];
}

}  // namespace segedge
