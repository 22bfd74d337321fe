#include "picture.h"

#include <algorithm>
#include <memory>

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

SEGEDGE_VECTORS
void gray(uint32_t format, const uint8_t *from, size_t count, uint8_t *out) {
  switch (format) {
    case SEGEDGE_BGR: return gray<3, 2>(from, count, out);
    case SEGEDGE_RGB: return gray<3, 0>(from, count, out);
    case SEGEDGE_RGBA: return gray<4, 0>(from, count, out);
    default: return gray<4, 2>(from, count, out);
  }
}

// With 20 bits of fraction, from ITU-R BT.601-7 and BT.709-6; the first as OpenCV's COLOR_YUV2BGR_NV12 has it.
struct Matrix {
  int black, luma, red_v, green_v, green_u, blue_u;
};
constexpr Matrix kMatrices[] = {{16, 1220542, 1673527, -852492, -409993, 2116026},  // BT.601
                                {0, 1048576, 1470104, -748826, -360853, 1858077},   // BT.601, full range
                                {16, 1220945, 1879825, -558796, -223607, 2215014},  // BT.709
                                {0, 1048576, 1651297, -490864, -196424, 1945738}};  // BT.709, full range

}  // namespace

Span span_of(const std::string &name, const void *data, size_t stride, Size bytes, const char *expected) {
  if (!data) throw unexpected(name, "NULL", expected);
  if (stride < bytes.width || stride > (SIZE_MAX >> 1) / bytes.height)
    throw unexpected(name, "a stride of " + std::to_string(stride) + " bytes",
                     "at least the " + std::to_string(bytes.width) + " of a row");
  const uint8_t *begin = static_cast<const uint8_t *>(data);
  return {begin, begin + (bytes.height - 1) * stride + bytes.width};
}

Picture::Picture(const segedge_frame *frame, const std::string &name) {
  if (!frame) throw unexpected(name, "NULL", "a frame");
  frame_ = *frame;
  format_ = frame->format & 0xFF;
  if (format_ > SEGEDGE_I420 || frame->format >> 8 > (format_ > SEGEDGE_BGRA ? 3 : 0))
    throw unexpected(name, "format " + std::to_string(frame->format), "0 to 6, and the flags 0x100 and 0x200 for YUV alone");
  size_ = {frame->width, frame->height};
  if (size_.width - 1 >= SEGEDGE_MAX_SIDE || size_.height - 1 >= SEGEDGE_MAX_SIDE)
    throw unexpected(name, text_of(size_), "1 to 32768 pixels on a side");
  const uint32_t planes = kFormats[format_].planes;
  const Size chroma = {(size_.width + 1) / 2 * (planes == 2 ? 2 : 1), (size_.height + 1) / 2};
  for (uint32_t k = 0; k < planes; k++)
    planes_.push_back(span_of(name + ": plane " + std::to_string(k), frame->planes[k], frame->strides[k],
                              k ? chroma : Size{size_.width * kFormats[format_].step, size_.height}, "where its rows lie"));
}

bool Picture::overlaps(const Span &memory) const {
  return std::any_of(planes_.begin(), planes_.end(), [&](const Span &plane) { return plane.overlaps(memory); });
}

Source<uint8_t> Picture::source(bool bgr) const {
  const Format &format = kFormats[format_];
  if (format.planes == 1)
    return {size_, [this](size_t y) { return row(0, y); }, format.step,
            bgr == format.bgr ? std::vector<size_t>{0, 1, 2} : std::vector<size_t>{2, 1, 0}};
  std::vector<uint8_t> colours(3 * size_t{size_.width});
  const auto converted = [this, bgr, colours](size_t y) mutable {
    from_yuv(y, bgr, colours.data());
    return colours.data();
  };
  return {size_, converted, 3, {0, 1, 2}};
}

void Picture::luma(size_t y, uint8_t *out) const {
  if (kFormats[format_].planes == 1)
    gray(format_, row(0, y), size_.width, out);
  else
    std::copy_n(row(0, y), size_.width, out);
}

void Picture::from_yuv(size_t y, bool bgr, uint8_t *out) const {
  const Matrix &m = kMatrices[frame_.format >> 8];
  const size_t step = format_ == SEGEDGE_I420 ? 1 : 2;
  const uint8_t *luma = row(0, y), *blue = row(1, y / 2), *red = format_ == SEGEDGE_I420 ? row(2, y / 2) : blue + 1;
  if (format_ == SEGEDGE_NV21) std::swap(blue, red);
  for (size_t x = 0; x < size_.width; x++, out += 3) {
    const int u = blue[x / 2 * step] - 128, v = red[x / 2 * step] - 128,
              base = std::max(luma[x] - m.black, 0) * m.luma + (1 << 19);
    out[bgr ? 2 : 0] = saturated((base + m.red_v * v) >> 20);
    out[1] = saturated((base + m.green_v * v + m.green_u * u) >> 20);
    out[bgr ? 0 : 2] = saturated((base + m.blue_u * u) >> 20);
  }
}

}  // namespace segedge
