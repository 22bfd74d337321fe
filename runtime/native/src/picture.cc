#include "picture.h"

#include <algorithm>
#include <memory>
#include <string>

#include "error.h"
#include "vectors.h"

namespace segedge {
namespace {

uint8_t saturated(int value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

// OpenCV's COLOR_BGR2GRAY, in its fixed point.
template <size_t Step, size_t Red>
[[gnu::always_inline]] inline void gray(const uint8_t *__restrict from, size_t count, uint8_t *__restrict out) {
  for (size_t x = 0; x < count; x++) {
    const uint8_t *pixel = from + Step * x;
    out[x] = static_cast<uint8_t>((9798u * pixel[Red] + 19235u * pixel[1] + 3735u * pixel[2 - Red] + 16384u) >> 15);
  }
}
SEGEDGE_VECTORS void gray_bgr(const uint8_t *from, size_t count, uint8_t *out) { gray<3, 2>(from, count, out); }
SEGEDGE_VECTORS void gray_rgb(const uint8_t *from, size_t count, uint8_t *out) { gray<3, 0>(from, count, out); }
SEGEDGE_VECTORS void gray_rgba(const uint8_t *from, size_t count, uint8_t *out) { gray<4, 0>(from, count, out); }

}  // namespace

Picture::Picture(const segedge_frame *frame, const char *name) : frame_{}, format_(SEGEDGE_BGR), size_{} {
  const std::string who = name;
  if (!frame) throw argument_error(who + ": got NULL, expected a frame");
  frame_ = *frame;
  if (frame->format > SEGEDGE_I420)
    throw argument_error(who + ": got format " + std::to_string(frame->format) + ", expected 0 to 5");
  if (frame->width - 1 >= SEGEDGE_MAX_SIDE || frame->height - 1 >= SEGEDGE_MAX_SIDE)
    throw argument_error(who + ": got " + std::to_string(frame->width) + "x" + std::to_string(frame->height) +
                         ", expected 1 to 32768 pixels on a side");
  format_ = static_cast<segedge_format>(frame->format);
  size_ = {static_cast<int>(frame->width), static_cast<int>(frame->height)};
  for (int plane = 0; plane < planes(); plane++) {
    const std::string which = who + ": plane " + std::to_string(plane);
    if (!frame->planes[plane]) throw argument_error(which + " is NULL");
    const size_t rows = static_cast<size_t>(plane ? (size_.height + 1) / 2 : size_.height), stride = frame->strides[plane];
    if (stride < row_bytes(plane) || stride > (SIZE_MAX >> 1) / rows)
      throw argument_error(which + ": got a stride of " + std::to_string(stride) + " bytes, expected at least the " +
                           std::to_string(row_bytes(plane)) + " of a row");
  }
}

size_t Picture::row_bytes(int plane) const {
  const size_t width = static_cast<size_t>(size_.width), half = (width + 1) / 2;
  if (packed()) return width * (format_ == SEGEDGE_RGBA ? 4 : 3);
  return plane == 0 ? width : format_ == SEGEDGE_I420 ? half : 2 * half;
}

const uint8_t *Picture::end(int plane) const {
  return row(plane, (plane ? (size_.height + 1) / 2 : size_.height) - 1) + row_bytes(plane);
}

Source Picture::source(bool bgr) const {
  if (packed()) {
    const bool turned = (format_ == SEGEDGE_BGR) != bgr;
    return {size_, [this](int y) { return row(0, y); }, format_ == SEGEDGE_RGBA ? 4u : 3u,
            turned ? std::vector<size_t>{2, 1, 0} : std::vector<size_t>{0, 1, 2}};
  }
  auto scratch = std::make_shared<std::vector<uint8_t>>(3 * static_cast<size_t>(size_.width));
  return {size_, [this, bgr, scratch](int y) { return from_yuv(y, bgr, scratch->data()), scratch->data(); }, 3, {0, 1, 2}};
}

const uint8_t *Picture::colours(int y, bool bgr, std::vector<uint8_t> &scratch) const {
  if (format_ == (bgr ? SEGEDGE_BGR : SEGEDGE_RGB)) return row(0, y);
  scratch.resize(3 * static_cast<size_t>(size_.width));
  if (!packed()) {
    from_yuv(y, bgr, scratch.data());
    return scratch.data();
  }
  const uint8_t *from = row(0, y);
  const size_t step = format_ == SEGEDGE_RGBA ? 4 : 3, first = (format_ == SEGEDGE_BGR) != bgr ? 2 : 0;
  for (uint8_t *to = scratch.data(); to < scratch.data() + scratch.size(); to += 3, from += step) {
    to[0] = from[first];
    to[1] = from[1];
    to[2] = from[2 - first];
  }
  return scratch.data();
}

void Picture::luma(int y, uint8_t *out) const {
  const uint8_t *from = row(0, y);
  if (!packed()) {
    std::copy_n(from, size_.width, out);
    return;
  }
  const size_t count = static_cast<size_t>(size_.width);
  if (format_ == SEGEDGE_RGBA) return gray_rgba(from, count, out);
  (format_ == SEGEDGE_RGB ? gray_rgb : gray_bgr)(from, count, out);
}

// BT.601 with 20 bits of fraction, as OpenCV's COLOR_YUV2BGR_NV12 computes it.
void Picture::from_yuv(int y, bool bgr, uint8_t *out) const {
  constexpr int kLuma = 1220542, kRedV = 1673527, kGreenV = -852492, kGreenU = -409993, kBlueU = 2116026, kHalf = 1 << 19;
  const uint8_t *luma = row(0, y), *chroma = row(1, y / 2);
  const bool apart = format_ == SEGEDGE_I420;
  const uint8_t *blue = format_ == SEGEDGE_NV21 ? chroma + 1 : chroma, *red = apart                     ? row(2, y / 2)
                                                                              : format_ == SEGEDGE_NV21 ? chroma
                                                                                                        : chroma + 1;
  for (int x = 0; x < size_.width; x++, out += 3) {
    const int at = x / 2 * (apart ? 1 : 2), u = blue[at] - 128, v = red[at] - 128,
              base = std::max(luma[x] - 16, 0) * kLuma + kHalf;
    out[bgr ? 2 : 0] = saturated((base + kRedV * v) >> 20);
    out[1] = saturated((base + kGreenV * v + kGreenU * u) >> 20);
    out[bgr ? 0 : 2] = saturated((base + kBlueU * u) >> 20);
  }
}

}  // namespace segedge
