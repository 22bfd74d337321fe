#include "compose.h"

#include <algorithm>

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

uint8_t mixed(int over, int under, int weight) {
  const int difference = over - under, step = (std::abs(difference) * weight + 127) / 255;
  return static_cast<uint8_t>(difference < 0 ? under - step : under + step);
}

}  // namespace

void compose(const Picture &frame, const uint8_t *alpha, size_t alpha_stride, const Picture *background, const uint8_t *colour,
             segedge_format format, uint8_t *out, size_t stride) {
  const Size size = frame.size();
  const bool bgr = format == SEGEDGE_BGR;
  const size_t step = format == SEGEDGE_RGBA ? 4 : 3, row = 3 * static_cast<size_t>(size.width);
  std::vector<uint8_t> covered, plain, scratch, behind_scratch;
  if (background && background->size() != size) covered = cover(*background, size, bgr);
  for (int x = 0; !background && x < size.width; x++)
    plain.insert(plain.end(), {colour[bgr ? 2 : 0], colour[1], colour[bgr ? 0 : 2]});
  for (int y = 0; y < size.height; y++, alpha += alpha_stride) {
    const uint8_t *over = frame.colours(y, bgr, scratch);
    const uint8_t *under = !background       ? plain.data()
                           : covered.empty() ? background->colours(y, bgr, behind_scratch)
                                             : covered.data() + static_cast<size_t>(y) * row;
    uint8_t *to = out + static_cast<size_t>(y) * stride;
    for (int x = 0; x < size.width; x++, to += step, over += 3, under += 3) {
      for (int c = 0; c < 3; c++) to[c] = mixed(over[c], under[c], alpha[x]);
      if (step == 4) to[3] = 255;
    }
  }
}

}  // namespace segedge
