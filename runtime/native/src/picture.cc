#include "picture.h"

#include <algorithm>

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

// Packed colours out of pixels of `Step` bytes, the first of a colour at `First`.
template <size_t Step, size_t First>
[[gnu::always_inline]] inline void pack(const uint8_t *__restrict from, size_t count, uint8_t *__restrict out) {
  for (size_t x = 0; x < count; x++) {
    out[3 * x] = from[Step * x + First];
    out[3 * x + 1] = from[Step * x + 1];
    out[3 * x + 2] = from[Step * x + 2 - First];
  }
}

SEGEDGE_VECTORS
void gray(const Format &format, const uint8_t *from, size_t count, uint8_t *out) {
  if (format.step == 3) return format.bgr ? gray<3, 2>(from, count, out) : gray<3, 0>(from, count, out);
  return format.bgr ? gray<4, 2>(from, count, out) : gray<4, 0>(from, count, out);
}

SEGEDGE_VECTORS
void pack(const Format &format, bool bgr, const uint8_t *from, size_t count, uint8_t *out) {
  if (format.step == 3) return format.bgr == bgr ? pack<3, 0>(from, count, out) : pack<3, 2>(from, count, out);
  return format.bgr == bgr ? pack<4, 0>(from, count, out) : pack<4, 2>(from, count, out);
}

// With 20 bits of fraction, from ITU-R BT.601-7 and BT.709-6; the first as OpenCV's COLOR_YUV2BGR_NV12 has it.
struct Matrix {
  int black, luma, red_v, green_v, green_u, blue_u;
};
constexpr Matrix kMatrices[] = {{16, 1220542, 1673527, -852492, -409993, 2116026},  // BT.601
                                {0, 1048576, 1470104, -748826, -360853, 1858077},   // BT.601, full range
                                {16, 1220945, 1879825, -558796, -223607, 2215014},  // BT.709
                                {0, 1048576, 1651297, -490864, -196424, 1945738}};  // BT.709, full range

// Colours that are made a row at a time.
Source<uint8_t> made_of(Size size, const Scaler<uint8_t> &make) {
  std::vector<uint8_t> line(3 * size_t{size.width});
  const auto row = [make, line](size_t y) mutable {
    make(y, line.data());
    return line.data();
  };
  return {size, row, 3};
}

// The middle of it, scaled with its aspect ratio kept so that it just covers `to`.
Source<uint8_t> covering(const Source<uint8_t> &image, Size to) {
  const Size from = image.size;
  if (from == to) return image;
  const double scale = std::max(static_cast<double>(to.height) / from.height, static_cast<double>(to.width) / from.width);
  const Size used = {side_of(to.width / scale, from.width), side_of(to.height / scale, from.height)};
  const size_t left = (from.width - used.width) / 2, top = (from.height - used.height) / 2;
  const auto middle = [image, left, top](size_t y) { return image.row(top + y) + 3 * left; };
  return made_of(to, scaler(Source<uint8_t>{used, middle, 3}, to, scale < 1 ? "area" : "bilinear"));
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
  if (format_ == (bgr ? SEGEDGE_BGR : SEGEDGE_RGB)) return {size_, [this](size_t y) { return row(0, y); }, 3};
  return made_of(size_, [this, bgr](size_t y, uint8_t *out) {
    if (kFormats[format_].planes == 1)
      pack(kFormats[format_], bgr, row(0, y), size_.width, out);
    else
      from_yuv(y, bgr, out);
  });
}

void Picture::luma(size_t y, uint8_t *out) const {
  if (kFormats[format_].planes == 1)
    gray(kFormats[format_], row(0, y), size_.width, out);
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

void compose(const Picture &frame, Rows<const uint8_t> alpha, const Picture *background, const uint8_t *colour,
             const Format &format, Rows<uint8_t> out) {
  const Size size = frame.size();
  std::vector<uint8_t> plain, weights(3 * size_t{size.width}), mixed(weights.size());
  for (size_t x = 0; !background && x < size.width; x++)
    plain.insert(plain.end(), {colour[format.bgr ? 2 : 0], colour[1], colour[format.bgr ? 0 : 2]});
  const Source<uint8_t> over = frame.source(format.bgr);
  Source<uint8_t> under = {size, [&plain](size_t) { return plain.data(); }, 3};
  if (background) under = covering(background->source(format.bgr), size);
  for (size_t y = 0; y < size.height; y++) {
    uint8_t *to = out.row(y);
    for (size_t x = 0; x < size.width; x++) weights[3 * x] = weights[3 * x + 1] = weights[3 * x + 2] = alpha.row(y)[x];
    mix(over.row(y), under.row(y), weights.data(), weights.size(), mixed.data());
    if (format.step == 3) std::copy(mixed.begin(), mixed.end(), to);  // `to` may be the frame's row
    for (size_t x = 0; format.step == 4 && x < mixed.size(); x += 3, to += 4) {
      std::copy_n(mixed.data() + x, 3, to);
      to[3] = 255;
    }
  }
}

}  // namespace segedge
