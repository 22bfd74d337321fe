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
SEGEDGE_VECTORS void gray_bgra(const uint8_t *from, size_t count, uint8_t *out) { gray<4, 2>(from, count, out); }

// With 20 bits of fraction, from ITU-R BT.601-7 and BT.709-6; the first as OpenCV's COLOR_YUV2BGR_NV12 has it.
struct Matrix {
  int black, luma, red_v, green_v, green_u, blue_u;
};
constexpr Matrix kMatrices[] = {{16, 1220542, 1673527, -852492, -409993, 2116026},  // BT.601
                                {0, 1048576, 1470104, -748826, -360853, 1858077},   // BT.601, full range
                                {16, 1220945, 1879825, -558796, -223607, 2215014},  // BT.709
                                {0, 1048576, 1651297, -490864, -196424, 1945738}};  // BT.709, full range

}  // namespace

Picture::Picture(const segedge_frame *frame, const char *name) : frame_{}, format_(SEGEDGE_BGR), flags_(0), size_{} {
  const std::string who = name;
  if (!frame) throw argument_error(who + ": got NULL, expected a frame");
  frame_ = *frame;
  format_ = frame->format & 0xFF;
  flags_ = frame->format >> 8;
  if (format_ > SEGEDGE_I420 || flags_ > (packed() ? 0 : 3))
    throw argument_error(who + ": got format " + std::to_string(frame->format) +
                         ", expected 0 to 6, and the flags 0x100 and 0x200 for YUV alone");
  if (frame->width - 1 >= SEGEDGE_MAX_SIDE || frame->height - 1 >= SEGEDGE_MAX_SIDE)
    throw argument_error(who + ": got " + std::to_string(frame->width) + "x" + std::to_string(frame->height) +
                         ", expected 1 to 32768 pixels on a side");
  size_ = {static_cast<int>(frame->width), static_cast<int>(frame->height)};
  for (int plane = 0; plane < planes(); plane++) {
    const std::string which = who + ": plane " + std::to_string(plane);
    if (!frame->planes[plane]) throw argument_error(which + ": got NULL, expected where its rows lie");
    const size_t rows = static_cast<size_t>(plane ? (size_.height + 1) / 2 : size_.height), stride = frame->strides[plane];
    if (stride < row_bytes(plane) || stride > (SIZE_MAX >> 1) / rows)
      throw argument_error(which + ": got a stride of " + std::to_string(stride) + " bytes, expected at least the " +
                           std::to_string(row_bytes(plane)) + " of a row");
  }
}

size_t Picture::row_bytes(int plane) const {
  const size_t width = static_cast<size_t>(size_.width), half = (width + 1) / 2;
  if (packed()) return width * step();
  return plane == 0 ? width : format_ == SEGEDGE_I420 ? half : 2 * half;
}

const uint8_t *Picture::end(int plane) const {
  return row(plane, (plane ? (size_.height + 1) / 2 : size_.height) - 1) + row_bytes(plane);
}

Source Picture::source(bool bgr) const {
  if (packed()) {
    return {size_, [this](int y) { return row(0, y); }, step(),
            bgr != this->bgr() ? std::vector<size_t>{2, 1, 0} : std::vector<size_t>{0, 1, 2}};
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
  const size_t first = bgr != this->bgr() ? 2 : 0;
  for (uint8_t *to = scratch.data(); to < scratch.data() + scratch.size(); to += 3, from += step()) {
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
  static constexpr decltype(&gray_bgr) kGrays[] = {gray_bgr, gray_rgb, gray_rgba, gray_bgra};
  kGrays[format_](from, count, out);
}

void Picture::from_yuv(int y, bool bgr, uint8_t *out) const {
  const Matrix &m = kMatrices[flags_];
  const uint8_t *luma = row(0, y), *chroma = row(1, y / 2);
  const bool apart = format_ == SEGEDGE_I420;
  const uint8_t *blue = format_ == SEGEDGE_NV21 ? chroma + 1 : chroma, *red = apart                     ? row(2, y / 2)
                                                                              : format_ == SEGEDGE_NV21 ? chroma
                                                                                                        : chroma + 1;
  for (int x = 0; x < size_.width; x++, out += 3) {
    const int at = x / 2 * (apart ? 1 : 2), u = blue[at] - 128, v = red[at] - 128,
              base = std::max(luma[x] - m.black, 0) * m.luma + (1 << 19);
    out[bgr ? 2 : 0] = saturated((base + m.red_v * v) >> 20);
    out[1] = saturated((base + m.green_v * v + m.green_u * u) >> 20);
    out[bgr ? 0 : 2] = saturated((base + m.blue_u * u) >> 20);
  }
}

}  // namespace segedge
