// Frames of every format: checked, then read row by row as colours or as luma; and one over another, as
// segruntime/compositing.
#pragma once

#include "error.h"
#include "resize.h"

namespace segedge {

// By segedge_format: the bytes of a pixel of the first plane, is blue the first of them, and how many planes there are.
struct Format {
  uint32_t step;
  bool bgr;
  uint32_t planes;
};
constexpr Format kFormats[] = {{3, true, 1},  {3, false, 1}, {4, false, 1}, {4, true, 1},
                               {1, false, 2}, {1, false, 2}, {1, false, 3}};

// Memory from outside.
struct Span {
  const uint8_t *begin, *end;
  bool overlaps(const Span &other) const { return std::less<>()(begin, other.end) && std::less<>()(other.begin, end); }
};

// Throws Error (SEGEDGE_ARGUMENT) if there is none or the stride cannot be; `bytes`: of a row, and rows.
Span span_of(const std::string &name, const void *data, size_t stride, Size bytes, const char *expected = "memory to write to");

inline std::string text_of(Size size) { return std::to_string(size.width) + "x" + std::to_string(size.height); }

class Picture {
 public:
  // Throws Error (SEGEDGE_ARGUMENT) naming what cannot be; `name` is how it speaks of the frame.
  Picture(const segedge_frame *frame, const std::string &name);

  Size size() const { return size_; }
  bool overlaps(const Span &memory) const;

  // As colours, blue first if `bgr`. The picture must outlive it.
  Source<uint8_t> source(bool bgr) const;

  // A row of BT.601's luma: the Y plane, or OpenCV's COLOR_BGR2GRAY.
  void luma(size_t y, uint8_t *out) const;

 private:
  const uint8_t *row(size_t plane, size_t y) const { return frame_.planes[plane] + y * frame_.strides[plane]; }
  void from_yuv(size_t y, bool bgr, uint8_t *out) const;

  segedge_frame frame_ = {};
  uint32_t format_ = SEGEDGE_BGR;
  Size size_;
  std::vector<Span> planes_;
};

// frame · alpha + background · (1 - alpha), the nearest byte. `background` (at any size) or else `colour` (red, green,
// blue) lies behind; `out` is packed in `format`, has the frame's size, and may be the frame itself.
void compose(const Picture &frame, Rows<const uint8_t> alpha, const Picture *background, const uint8_t *colour,
             const Format &format, Rows<uint8_t> out);

}  // namespace segedge
