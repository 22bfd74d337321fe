#include "feather.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "vectors.h"

namespace segedge {
namespace {

SEGEDGE_VECTORS
void widen(const uint8_t *__restrict first, const uint8_t *__restrict second, size_t count, uint8_t *__restrict out) {
  for (size_t x = 0; x < count; x++) out[x] = std::max(out[x], std::max(first[x], second[x]));
}

// The largest value within a disk, OpenCV's MORPH_ELLIPSE: of each of its rows, the larger of two windows whose length is a
// power of two.
std::vector<uint8_t> dilated(const uint8_t *plane, size_t stride, Size size, int reach) {
  const size_t width = static_cast<size_t>(size.width), margin = static_cast<size_t>(reach);
  std::vector<uint8_t> out(size.pixels());
  std::vector<std::vector<uint8_t>> windows(1, std::vector<uint8_t>(width + 2 * margin));  // of 1, 2, 4 … pixels
  while (size_t{1} << windows.size() <= 2 * margin + 1) windows.push_back(windows[0]);
  for (int y = 0; y < size.height; y++) {
    std::copy_n(plane + static_cast<size_t>(y) * stride, width, windows[0].begin() + reach);
    for (size_t k = 1; k < windows.size(); k++) {
      const size_t half = size_t{1} << (k - 1), count = windows[k].size() - half;
      windows[k] = windows[k - 1];
      widen(windows[k - 1].data() + half, windows[k - 1].data() + half, count, windows[k].data());
    }
    for (int up = std::max(-reach, -y); up <= std::min(reach, size.height - 1 - y); up++) {
      const size_t half = static_cast<size_t>(round_even(reach * std::sqrt((reach * reach - up * up) / (1.0 * reach * reach))));
      size_t k = 0;
      while (size_t{2} << k <= 2 * half + 1) k++;
      const uint8_t *row = windows[k].data() + margin;
      widen(row - half, row + half + 1 - (size_t{1} << k), width, out.data() + static_cast<size_t>(y + up) * width);
    }
  }
  return out;
}

}  // namespace

void feather(uint8_t *alpha, size_t stride, Size size, int pixels) {
  const int reach = (pixels + 1) / 2, blur = pixels - reach;
  const std::vector<uint8_t> grown = dilated(alpha, stride, size, reach);
  const size_t width = static_cast<size_t>(size.width);
  const uint32_t area = static_cast<uint32_t>((2 * blur + 1) * (2 * blur + 1));  // odd: no mean lies on a half
  const auto row = [&](int y) { return grown.data() + static_cast<size_t>(std::clamp(y, 0, size.height - 1)) * width; };
  std::vector<uint32_t> columns(width);  // sums over the rows around
  for (int y = -blur; y < blur; y++)
    for (size_t x = 0; x < width; x++) columns[x] += row(y)[x];
  for (int y = 0; y < size.height; y++, alpha += stride) {
    for (size_t x = 0; x < width; x++) columns[x] += row(y + blur)[x];
    const auto column = [&](int x) { return columns[static_cast<size_t>(std::clamp(x, 0, size.width - 1))]; };
    uint32_t sum = 0;
    for (int x = -blur; x < blur; x++) sum += column(x);
    for (int x = 0; x < size.width; x++) {
      sum += column(x + blur);
      alpha[x] = std::max(alpha[x], static_cast<uint8_t>((2 * sum + area) / (2 * area)));
      sum -= column(x - blur);
    }
    for (size_t x = 0; x < width; x++) columns[x] -= row(y - blur)[x];
  }
}

}  // namespace segedge
