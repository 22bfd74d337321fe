#include "compose.h"

#include <algorithm>

#include "vectors.h"

namespace segedge {
namespace {

// The middle of it, scaled with its aspect ratio kept so that it just covers `to`; packed rows.
std::vector<uint8_t> cover(const Picture &image, Size to, bool bgr) {
  const Size from = image.size();
  const double scale = std::max(static_cast<double>(to.height) / from.height, static_cast<double>(to.width) / from.width);
  const Size used = {std::min(from.width, std::max(1, round_even(to.width / scale))),
                     std::min(from.height, std::max(1, round_even(to.height / scale)))};
  const int left = (from.width - used.width) / 2, top = (from.height - used.height) / 2;
  const Source whole = image.source(bgr);
  const Source middle = {used,
                         [&whole, left, top](int y) { return whole.row(top + y) + static_cast<size_t>(left) * whole.step; },
                         whole.step, whole.channels};
  std::vector<uint8_t> out(3 * to.pixels());
  resize_bytes(middle, to, scale < 1 ? "area" : "bilinear", out.data(), 3 * static_cast<size_t>(to.width));
  return out;
}

// `count` bytes of one row, a weight for each. (t + (t >> 8)) >> 8 of t = product + 128 is product / 255, rounded to the
// nearest, for every product of two bytes.
SEGEDGE_VECTORS
void mix(const uint8_t *__restrict over, const uint8_t *__restrict under, const uint8_t *__restrict weights, size_t count,
         uint8_t *__restrict out) {
  for (size_t k = 0; k < count; k++) {
    const uint16_t least = std::min(over[k], under[k]), most = std::max(over[k], under[k]);
    const uint16_t product = static_cast<uint16_t>((most - least) * weights[k] + 128);
    const uint8_t step = static_cast<uint8_t>((product + (product >> 8)) >> 8);
    out[k] = static_cast<uint8_t>(over[k] < under[k] ? under[k] - step : under[k] + step);
  }
}

}  // namespace

void compose(const Picture &frame, const uint8_t *alpha, size_t alpha_stride, const Picture *background, const uint8_t *colour,
             uint32_t format, uint8_t *out, size_t stride) {
  const Size size = frame.size();
  const bool bgr = format == SEGEDGE_BGR || format == SEGEDGE_BGRA;
  const size_t step = bytes_of_pixel(format), row = 3 * static_cast<size_t>(size.width);
  std::vector<uint8_t> covered, plain, scratch, behind_scratch, weights(row), mixed(row);
  if (background && background->size() != size) covered = cover(*background, size, bgr);
  for (int x = 0; !background && x < size.width; x++)
    plain.insert(plain.end(), {colour[bgr ? 2 : 0], colour[1], colour[bgr ? 0 : 2]});
  for (int y = 0; y < size.height; y++, alpha += alpha_stride) {
    const uint8_t *over = frame.colours(y, bgr, scratch);
    const uint8_t *under = !background       ? plain.data()
                           : covered.empty() ? background->colours(y, bgr, behind_scratch)
                                             : covered.data() + static_cast<size_t>(y) * row;
    uint8_t *to = out + static_cast<size_t>(y) * stride;
    for (size_t x = 0; x < row / 3; x++) weights[3 * x] = weights[3 * x + 1] = weights[3 * x + 2] = alpha[x];
    mix(over, under, weights.data(), weights.size(), mixed.data());
    if (step == 3) std::copy(mixed.begin(), mixed.end(), to);  // `to` may be `over`
    for (size_t x = 0; step == 4 && x < mixed.size(); x += 3, to += 4) {
      std::copy_n(mixed.data() + x, 3, to);
      to[3] = 255;
    }
  }
}

}  // namespace segedge
