#include "compose.h"

#include <algorithm>

#include "vectors.h"

namespace segedge {
namespace {

using PackedRow = std::function<const uint8_t *(size_t y)>;  // valid until the next call

void pack(const uint8_t *from, size_t step, size_t first, size_t count, uint8_t *__restrict to) {
  for (; count > 0; count--, from += step, to += 3) {
    to[0] = from[first];
    to[1] = from[1];
    to[2] = from[2 - first];
  }
}

PackedRow packed(const Source<uint8_t> &source) {
  if (source.step == 3 && source.channels[0] == 0) return source.row;
  return [source, line = std::vector<uint8_t>(3 * size_t{source.size.width})](size_t y) mutable {
    pack(source.row(y), source.step, source.channels[0], source.size.width, line.data());
    return line.data();
  };
}

// The middle of it, scaled with its aspect ratio kept so that it just covers `to`.
PackedRow covering(const Source<uint8_t> &image, Size to) {
  const Size from = image.size;
  if (from == to) return packed(image);
  const double scale = std::max(static_cast<double>(to.height) / from.height, static_cast<double>(to.width) / from.width);
  Source<uint8_t> middle = image;
  middle.size = {side_of(to.width / scale, from.width), side_of(to.height / scale, from.height)};
  const size_t left = (from.width - middle.size.width) / 2 * image.step, top = (from.height - middle.size.height) / 2;
  middle.row = [whole = image.row, left, top](size_t y) { return whole(top + y) + left; };
  return [scaled = scaler(middle, to, scale < 1 ? "area" : "bilinear"),
          line = std::vector<uint8_t>(3 * size_t{to.width})](size_t y) mutable {
    scaled(y, line.data());
    return line.data();
  };
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

void compose(const Picture &frame, Rows<const uint8_t> alpha, const Picture *background, const uint8_t *colour,
             const Format &format, Rows<uint8_t> out) {
  const Size size = frame.size();
  std::vector<uint8_t> plain, weights(3 * size_t{size.width}), mixed(weights.size());
  for (size_t x = 0; !background && x < size.width; x++)
    plain.insert(plain.end(), {colour[format.bgr ? 2 : 0], colour[1], colour[format.bgr ? 0 : 2]});
  const PackedRow over = packed(frame.source(format.bgr));
  PackedRow under = [&plain](size_t) { return plain.data(); };
  if (background) under = covering(background->source(format.bgr), size);
  for (size_t y = 0; y < size.height; y++) {
    uint8_t *to = out.row(y);
    for (size_t x = 0; x < size.width; x++) weights[3 * x] = weights[3 * x + 1] = weights[3 * x + 2] = alpha.row(y)[x];
    mix(over(y), under(y), weights.data(), weights.size(), mixed.data());
    if (format.step == 3) std::copy(mixed.begin(), mixed.end(), to);  // `to` may be the frame's row
    for (size_t x = 0; format.step == 4 && x < mixed.size(); x += 3, to += 4) {
      std::copy_n(mixed.data() + x, 3, to);
      to[3] = 255;
    }
  }
}

}  // namespace segedge
