// Frames of every format: checked, then read row by row as colours or as luma.
#pragma once

#include <vector>

#include "resize.h"
#include "segedge.h"

namespace segedge {

inline size_t bytes_of_pixel(uint32_t packed_format) { return packed_format >= SEGEDGE_RGBA ? 4 : 3; }

class Picture {
 public:
  // Throws Error (SEGEDGE_ARGUMENT) naming what cannot be; `name` is how it speaks of the frame.
  Picture(const segedge_frame *frame, const char *name);

  Size size() const { return size_; }
  bool packed() const { return format_ <= SEGEDGE_BGRA; }

  // As colours to scale, blue first if `bgr`. The picture must outlive it.
  Source source(bool bgr) const;

  // A row in packed RGB (BGR), or where it lies if it is that already.
  const uint8_t *colours(int y, bool bgr, std::vector<uint8_t> &scratch) const;

  // A row of BT.601's luma: the Y plane, or OpenCV's COLOR_BGR2GRAY.
  void luma(int y, uint8_t *out) const;

  // First and last byte (one beyond) of a plane.
  const uint8_t *begin(int plane) const { return frame_.planes[plane]; }
  const uint8_t *end(int plane) const;
  int planes() const { return packed() ? 1 : format_ == SEGEDGE_I420 ? 3 : 2; }

 private:
  const uint8_t *row(int plane, int y) const { return frame_.planes[plane] + static_cast<size_t>(y) * frame_.strides[plane]; }
  size_t row_bytes(int plane) const;
  size_t step() const { return bytes_of_pixel(format_); }
  bool bgr() const { return format_ == SEGEDGE_BGR || format_ == SEGEDGE_BGRA; }
  void from_yuv(int y, bool bgr, uint8_t *out) const;

  segedge_frame frame_;
  uint32_t format_, flags_;
  Size size_;
};

}  // namespace segedge
