// Pictures in memory, and the resizes of docs/contract.md: of bytes, equal to the bit on every processor, and of floats.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// Before a loop that the compiler turns into vectors: on x86-64 it is compiled once more for AVX2, chosen when the library is
// loaded. Without fused multiplications (CMakeLists.txt) both give the same bits.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which are not ready when the choice is made
#define SEGEDGE_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define SEGEDGE_VECTORS
#endif

namespace segedge {

struct Size {
  uint32_t width = 0, height = 0;
  Size() = default;
  template <class Number>
  Size(Number width, Number height) : width(static_cast<uint32_t>(width)), height(static_cast<uint32_t>(height)) {}
  size_t pixels() const { return size_t{width} * height; }
  bool operator==(const Size &other) const { return width == other.width && height == other.height; }
  bool operator!=(const Size &other) const { return !(*this == other); }
};

// Rows in the caller's memory, `stride` values apart.
template <class Value>
struct Rows {
  Value *data;
  size_t stride;
  Value *row(size_t y) const { return data + y * stride; }
};

// A plane of one's own, rows packed.
template <class Value>
struct Plane {
  Plane() = default;
  explicit Plane(Size size) : size(size), values(size.pixels()) {}
  Size size;
  std::vector<Value> values;
  Value *row(size_t y) { return values.data() + y * size.width; }
  const Value *row(size_t y) const { return values.data() + y * size.width; }
};

// What is to be scaled: `row(y)` gives packed pixels, valid until the next call.
template <class Value>
struct Source {
  Size size;
  std::function<const Value *(size_t)> row;
  size_t channels = 1;  // 1 or 3
};

// The plane must outlive it.
template <class Value>
Source<Value> source_of(const Plane<Value> &plane) {
  return {plane.size, [&plane](size_t y) { return plane.row(y); }};
}

// Writes a row of the scaled picture, packed pixels too. Made for rows from the top on: what lies
// between two is kept, the whole never.
template <class Value>
using Scaler = std::function<void(size_t y, Value *out)>;

// `how`: bilinear (half-pixel centres), area or nearest. An area average makes a picture smaller, never larger. Made for
// uint8_t and float.
template <class Value>
Scaler<Value> scaler(const Source<Value> &source, Size to, const std::string &how);

template <class Value>
void resize(const Source<Value> &source, Size to, const std::string &how, Rows<Value> out) {
  const Scaler<Value> scale = scaler(source, to, how);
  for (size_t y = 0; y < to.height; y++) scale(y, out.row(y));
}

template <class Value>
Plane<Value> scaled(const Plane<Value> &plane, Size to, const std::string &how) {
  Plane<Value> out(to);
  resize(source_of(plane), to, how, Rows<Value>{out.row(0), to.width});
  return out;
}

// To the nearest whole number, a half to the even one; for what a float can hold exactly.
int round_even(double value);

// The side of a scaled picture: the nearest whole number, 1 to `most`.
inline uint32_t side_of(double pixels, uint32_t most) {
  return std::clamp(static_cast<uint32_t>(round_even(pixels)), 1u, most);
}

}  // namespace segedge
