// The resizes of docs/contract.md: of bytes, equal to the bit on every processor, and of floats.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace segedge {

struct Size {
  int width, height;
  size_t pixels() const { return static_cast<size_t>(width) * static_cast<size_t>(height); }
  bool operator==(const Size &other) const { return width == other.width && height == other.height; }
  bool operator!=(const Size &other) const { return !(*this == other); }
};

// Bytes to scale: `row(y)` gives a row, valid until the next call but one with another y; a pixel has `step` bytes, of
// which those at `channels` are taken in that order.
struct Source {
  Size size;
  std::function<const uint8_t *(int)> row;
  size_t step;
  std::vector<size_t> channels;
};

// Packed pixels of `source.channels.size()` bytes into rows that lie `stride` bytes apart; `how`: bilinear, area or
// nearest. An area average makes a picture smaller, never larger.
void resize_bytes(const Source &source, Size to, const std::string &how, uint8_t *out, size_t stride);

// A plane of bytes or floats, rows packed.
Source plane_source(const uint8_t *plane, Size size);
std::vector<float> area_means(const float *plane, Size from, Size to);

// For each pixel of an axis the source pixel before it, the one after it, and how far it lies between them.
struct Axis {
  Axis(int count, int source);
  std::vector<size_t> before, after;
  std::vector<float> weight;
  std::vector<uint32_t> steps;  // of 256
};

// Bilinear with half-pixel centres, a row at a time, so that the whole need not lie in memory. `plane` must outlive it.
class FloatScaler {
 public:
  FloatScaler(const float *plane, Size from, Size to);
  const float *row(int y);  // valid until the next call

 private:
  const float *across(size_t y);

  const float *plane_;
  size_t stride_;
  Axis x_, y_;
  std::array<std::vector<float>, 2> rows_;
  std::array<size_t, 2> held_{SIZE_MAX, SIZE_MAX};
  std::vector<float> mixed_;
};

// To the nearest whole number, a half to the even one; for what a float can hold exactly.
int round_even(double value);

}  // namespace segedge
