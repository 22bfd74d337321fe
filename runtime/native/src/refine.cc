#include "refine.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "postprocess.h"
#include "vectors.h"

namespace segedge {
namespace {

constexpr float kMostCertain = 255.f / 256, kByteSteps = 256.f / 255;  // of an 8-bit sigmoid; their product is 1
constexpr int kRadius = 2;                                             // of the guided filter and of motion
constexpr double kEps = 1e-3 * 255 * 255, kLow = 0.05, kHigh = 0.95, kSure = 0.5, kUnsure = 0.9, kStill = 1, kMoving = 5;
constexpr int kStepsPerLevel = 16;  // of the motion's mean: up to 255 / 16 levels
// the squared binary entropy as a polynomial in (p - 0.5)², as MediaPipe's SegmentationSmoothingCalculator has it
constexpr std::array<double, 5> kCoefficients = {5.68842, -0.748699, -57.8051, 291.309, -624.717};

double smoothstep(double x, double low, double high) {
  const double t = std::clamp((x - low) / (high - low), 0.0, 1.0);
  return t * t * (3 - 2 * t);
}

double uncertainty(double p) {
  const double t = (p - 0.5) * (p - 0.5);
  double certainty = 0;
  for (size_t k = kCoefficients.size(); k-- > 0;) certainty = t * (kCoefficients[k] + certainty);
  return 1 - std::clamp(certainty, 0.0, 1.0);
}

// Rounded, a half to the even one, and held within a byte. In float the sum with 1.5 · 2^23 leaves the whole number in the
// lowest bits, which compilers turn into vectors; lrint they do not.
[[gnu::always_inline]] inline uint8_t byte_of(float value) {
  const float shifted = std::min(std::max(value, 0.f), 255.f) + 12582912.f;
  uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  return static_cast<uint8_t>(bits & 255);
}

// The pixel behind each place from -radius to count - 1 + radius: the edge repeated, or mirrored (OpenCV's
// BORDER_REFLECT).
std::vector<size_t> taps(int count, bool mirrored) {
  std::vector<size_t> out;
  for (int k = -kRadius; k < count + kRadius; k++) {
    int at = k;
    while (mirrored && (at < 0 || at >= count)) at = at < 0 ? -1 - at : 2 * count - 1 - at;
    out.push_back(static_cast<size_t>(std::clamp(at, 0, count - 1)));
  }
  return out;
}

// Sums over the window of 5x5 pixels around each.
template <class Value>
std::vector<float> box_sums(const std::vector<Value> &plane, Size size, bool mirrored) {
  const std::vector<size_t> xs = taps(size.width, mirrored), ys = taps(size.height, mirrored);
  const size_t width = static_cast<size_t>(size.width), height = static_cast<size_t>(size.height);
  std::vector<float> across(size.pixels()), out(size.pixels()), row(xs.size());
  for (size_t y = 0; y < height; y++) {
    for (size_t k = 0; k < xs.size(); k++) row[k] = static_cast<float>(plane[y * width + xs[k]]);
    for (size_t x = 0; x < width; x++) across[y * width + x] = row[x] + row[x + 1] + row[x + 2] + row[x + 3] + row[x + 4];
  }
  for (size_t y = 0; y < height; y++) {
    std::array<const float *, 5> rows;
    for (size_t k = 0; k < rows.size(); k++) rows[k] = across.data() + ys[y + k] * width;
    for (size_t x = 0; x < width; x++) out[y * width + x] = rows[0][x] + rows[1][x] + rows[2][x] + rows[3][x] + rows[4][x];
  }
  return out;
}

constexpr float kWindow = (2 * kRadius + 1) * (2 * kRadius + 1);

template <class Value>
std::vector<float> box_means(const std::vector<Value> &plane, Size size) {
  std::vector<float> out = box_sums(plane, size, true);
  for (float &value : out) value *= 1 / kWindow;
  return out;
}

std::vector<uint8_t> scaled(const std::vector<uint8_t> &plane, Size from, Size to) {
  std::vector<uint8_t> out(to.pixels());
  resize_bytes(plane_source(plane.data(), from), to, "bilinear", out.data(), static_cast<size_t>(to.width));
  return out;
}

std::vector<uint8_t> halved(const std::vector<uint8_t> &plane, Size from) {
  const Size to = {from.width / 2, from.height / 2};
  if (from.width % 2 || from.height % 2) return scaled(plane, from, to);
  std::vector<uint8_t> out(to.pixels());
  const size_t width = static_cast<size_t>(to.width);
  for (size_t y = 0; y < static_cast<size_t>(to.height); y++) {
    const uint8_t *upper = plane.data() + 4 * y * width, *lower = upper + 2 * width;
    for (size_t x = 0; x < width; x++)
      out[y * width + x] = static_cast<uint8_t>((upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1] + 2) >> 2);
  }
  return out;
}

// Halved as long as it is twice as large, bilinear for what remains.
std::vector<uint8_t> shrink(const std::vector<uint8_t> &luma, Size from, Size to) {
  std::vector<uint8_t> out = luma;
  for (; from.width >= 2 * to.width && from.height >= 2 * to.height; from = {from.width / 2, from.height / 2})
    out = halved(out, from);
  return from == to ? out : scaled(out, from, to);
}

SEGEDGE_VECTORS
void apply(const float *__restrict slope, const float *__restrict offset, const uint8_t *__restrict luma, size_t count,
           uint8_t *__restrict alpha) {
  for (size_t x = 0; x < count; x++) alpha[x] = byte_of(slope[x] * static_cast<float>(luma[x]) + offset[x]);
}

struct Coefficients {
  std::vector<float> slope, offset;  // alpha = slope · luma + offset, both 0 to 255
};

// He & Sun, "Fast Guided Filter", arXiv:1505.00996, 2015.
Coefficients guided(const std::vector<float> &mask, const std::vector<uint8_t> &luma, Size size) {
  std::vector<float> bytes(mask.size()), products(mask.size()), squares(mask.size());
  for (size_t k = 0; k < mask.size(); k++) {
    const float value = luma[k];
    bytes[k] = mask[k] * 255;
    products[k] = bytes[k] * value;
    squares[k] = value * value;
  }
  const std::vector<float> mean_luma = box_means(luma, size), variance = box_means(squares, size);
  std::vector<float> slope = box_means(products, size), offset = box_means(bytes, size);
  for (size_t k = 0; k < mask.size(); k++) {
    slope[k] = (slope[k] - mean_luma[k] * offset[k]) / (variance[k] - mean_luma[k] * mean_luma[k] + static_cast<float>(kEps));
    offset[k] -= slope[k] * mean_luma[k];
  }
  return {box_means(slope, size), box_means(offset, size)};
}

}  // namespace

void Refiner::run(segedge_preset preset, const std::vector<float> &coarse, Size mask, const std::vector<uint8_t> &luma,
                  Size frame, uint8_t *alpha, size_t stride) {
  std::vector<float> sure(coarse.size());
  for (size_t k = 0; k < sure.size(); k++) sure[k] = within(coarse[k], kMostCertain) * kByteSteps;
  const bool smaller = frame.width < mask.width && frame.height < mask.height;
  if (preset == SEGEDGE_FAST) {
    std::vector<uint8_t> bytes(sure.size());
    std::transform(sure.begin(), sure.end(), bytes.begin(), [](float p) { return byte_of(p * 255); });
    return resize_bytes(plane_source(bytes.data(), mask), frame, smaller ? "area" : "bilinear", alpha, stride);
  }
  const std::vector<uint8_t> small = shrink(luma, frame, mask);
  remember(sure, mask, small, frame);
  Coefficients found = guided(sure, small, mask);
  if (smaller) found = {area_means(found.slope.data(), mask, frame), area_means(found.offset.data(), mask, frame)};
  FloatScaler slope(found.slope.data(), smaller ? frame : mask, frame),
      offset(found.offset.data(), smaller ? frame : mask, frame);
  std::array<uint8_t, 256> bounds;
  for (size_t k = 0; k < bounds.size(); k++)
    bounds[k] = static_cast<uint8_t>(round_even(255 * smoothstep(static_cast<double>(k) / 255, kLow, kHigh)));
  const uint8_t *guide = luma.data();
  for (int y = 0; y < frame.height; y++, guide += frame.width, alpha += stride) {
    const float *a = slope.row(y), *b = offset.row(y);
    apply(a, b, guide, static_cast<size_t>(frame.width), alpha);
    for (int x = 0; x < frame.width; x++) alpha[x] = bounds[alpha[x]];
  }
}

// Where the picture stands still the past has a say, where it moves it has none: `mask` becomes the blend of both.
void Refiner::remember(std::vector<float> &mask, Size size, std::vector<uint8_t> small, Size frame) {
  if (!before_.empty() && mask_size_ == size && frame_size_ == frame) {
    std::array<float, 256> share, stillness;
    for (size_t k = 0; k < 256; k++) {
      const double value = static_cast<double>(k);
      share[k] = static_cast<float>(kSure + (kUnsure - kSure) * uncertainty(value / 255));
      stillness[k] = static_cast<float>(1 - smoothstep(value / kStepsPerLevel, kStill, kMoving));
    }
    std::vector<uint8_t> steps(small.size());
    for (size_t k = 0; k < steps.size(); k++)
      steps[k] = static_cast<uint8_t>(std::min(255, kStepsPerLevel * std::abs(small[k] - small_before_[k])));
    const std::vector<float> moved = box_sums(steps, size, false);
    for (size_t k = 0; k < mask.size(); k++) {
      const float past =
          share[byte_of(mask[k] * 255)] * stillness[static_cast<size_t>(round_even(static_cast<double>(moved[k] / kWindow)))];
      mask[k] += (before_[k] - mask[k]) * past;
    }
  }
  before_ = mask;
  small_before_ = std::move(small);
  mask_size_ = size;
  frame_size_ = frame;
}

}  // namespace segedge
