#include "refine.h"

#include <array>
#include <cmath>
#include <cstring>

#include "tensors.h"

namespace segedge {
namespace {

constexpr float kMostCertain = 255.f / 256, kByteSteps = 256.f / 255;  // of an 8-bit sigmoid; their product is 1
constexpr int kRadius = 2;                                             // of the guided filter and of motion
constexpr double kEps = 1e-3 * 255 * 255, kLow = 0.05, kHigh = 0.95, kSure = 0.5, kUnsure = 0.9, kStill = 1, kMoving = 5;
constexpr float kWindow = (2 * kRadius + 1) * (2 * kRadius + 1);
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
std::vector<size_t> taps(uint32_t side, bool mirrored) {
  std::vector<size_t> out;
  const int count = static_cast<int>(side);
  for (int k = -kRadius; k < count + kRadius; k++) {
    int at = k;
    while (mirrored && (at < 0 || at >= count)) at = at < 0 ? -1 - at : 2 * count - 1 - at;
    out.push_back(static_cast<size_t>(std::clamp(at, 0, count - 1)));
  }
  return out;
}

// Means over the window of 5x5 pixels around each.
Plane<float> box_means(const Plane<float> &plane, bool mirrored = true) {
  const std::vector<size_t> xs = taps(plane.size.width, mirrored), ys = taps(plane.size.height, mirrored);
  const size_t width = plane.size.width;
  Plane<float> across(plane.size), out(plane.size);
  std::vector<float> line(xs.size());
  for (size_t y = 0; y < plane.size.height; y++) {
    for (size_t k = 0; k < xs.size(); k++) line[k] = plane.row(y)[xs[k]];
    float *to = across.row(y);
    for (size_t x = 0; x < width; x++) to[x] = line[x] + line[x + 1] + line[x + 2] + line[x + 3] + line[x + 4];
  }
  for (size_t y = 0; y < plane.size.height; y++) {
    std::array<const float *, 5> rows;
    for (size_t k = 0; k < rows.size(); k++) rows[k] = across.row(ys[y + k]);
    float *to = out.row(y);
    for (size_t x = 0; x < width; x++) to[x] = (rows[0][x] + rows[1][x] + rows[2][x] + rows[3][x] + rows[4][x]) * (1 / kWindow);
  }
  return out;
}

// Half the size: what bilinear gives, sooner where the sides are even.
Plane<uint8_t> halved(const Plane<uint8_t> &plane) {
  const Size half = {plane.size.width / 2, plane.size.height / 2};
  if (plane.size.width % 2 || plane.size.height % 2) return scaled(plane, half, "bilinear");
  Plane<uint8_t> out(half);
  for (size_t y = 0; y < half.height; y++) {
    const uint8_t *upper = plane.row(2 * y), *lower = plane.row(2 * y + 1);
    for (size_t x = 0; x < half.width; x++)
      out.row(y)[x] = static_cast<uint8_t>((upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1] + 2) >> 2);
  }
  return out;
}

// Halved as long as it is twice as large, then to the size.
Plane<uint8_t> shrunk(const Plane<uint8_t> &luma, Size to) {
  if (luma.size.width >= 2 * to.width && luma.size.height >= 2 * to.height) return shrunk(halved(luma), to);
  return luma.size == to ? luma : scaled(luma, to, "bilinear");
}

SEGEDGE_VECTORS
void apply(const float *__restrict slope, const float *__restrict offset, const uint8_t *__restrict luma, size_t count,
           uint8_t *__restrict alpha) {
  for (size_t x = 0; x < count; x++) alpha[x] = byte_of(slope[x] * static_cast<float>(luma[x]) + offset[x]);
}

// He & Sun, "Fast Guided Filter", arXiv:1505.00996, 2015.
void guide(const Plane<float> &mask, const Plane<uint8_t> &small, const Plane<uint8_t> &luma, const char *how,
           Rows<uint8_t> alpha) {
  Plane<float> light(mask.size), bytes(mask.size), products(mask.size), squares(mask.size);
  for (size_t k = 0; k < mask.values.size(); k++) {
    const float value = light.values[k] = small.values[k];
    bytes.values[k] = mask.values[k] * 255;
    products.values[k] = bytes.values[k] * value;
    squares.values[k] = value * value;
  }
  const Plane<float> mean_luma = box_means(light), mean_square = box_means(squares);
  Plane<float> slope = box_means(products), offset = box_means(bytes);
  for (size_t k = 0; k < mask.values.size(); k++) {
    const float mean = mean_luma.values[k], variance = mean_square.values[k] - mean * mean;
    slope.values[k] = (slope.values[k] - mean * offset.values[k]) / (variance + static_cast<float>(kEps));
    offset.values[k] -= slope.values[k] * mean;
  }
  // alpha = slope · luma + offset, both 0 to 255
  slope = box_means(slope);
  offset = box_means(offset);
  const Scaler<float> slopes = scaler(source_of(slope), luma.size, how), offsets = scaler(source_of(offset), luma.size, how);
  std::array<uint8_t, 256> bounds;
  for (size_t k = 0; k < bounds.size(); k++)
    bounds[k] = static_cast<uint8_t>(round_even(255 * smoothstep(static_cast<double>(k) / 255, kLow, kHigh)));
  std::vector<float> a(luma.size.width), b(luma.size.width);
  for (size_t y = 0; y < luma.size.height; y++) {
    slopes(y, a.data());
    offsets(y, b.data());
    uint8_t *row = alpha.row(y);
    apply(a.data(), b.data(), luma.row(y), a.size(), row);
    for (size_t x = 0; x < a.size(); x++) row[x] = bounds[row[x]];
  }
}

SEGEDGE_VECTORS
void widen(const uint8_t *__restrict first, const uint8_t *__restrict second, size_t count, uint8_t *__restrict out) {
  for (size_t x = 0; x < count; x++) out[x] = std::max(out[x], std::max(first[x], second[x]));
}

// The largest value within a disk, OpenCV's MORPH_ELLIPSE: of each of its rows, the larger of two windows whose length is a
// power of two.
Plane<uint8_t> dilated(Rows<uint8_t> plane, Size size, size_t reach) {
  Plane<uint8_t> out(size);
  std::vector<std::vector<uint8_t>> windows(1, std::vector<uint8_t>(size.width + 2 * reach));  // of 1, 2, 4 … pixels
  while (size_t{1} << windows.size() <= 2 * reach + 1) windows.push_back(windows[0]);
  for (size_t y = 0; y < size.height; y++) {
    std::copy_n(plane.row(y), size.width, windows[0].data() + reach);
    for (size_t k = 1; k < windows.size(); k++) {
      const size_t half = size_t{1} << (k - 1), count = windows[k].size() - half;
      windows[k] = windows[k - 1];
      widen(windows[k - 1].data() + half, windows[k - 1].data() + half, count, windows[k].data());
    }
    for (size_t to = y - std::min(y, reach); to <= std::min<size_t>(y + reach, size.height - 1); to++) {
      const double up = static_cast<double>(to) - static_cast<double>(y), r = static_cast<double>(reach);
      const size_t half = static_cast<size_t>(round_even(r * std::sqrt((r * r - up * up) / (r * r))));
      size_t k = 0;
      while (size_t{2} << k <= 2 * half + 1) k++;
      const uint8_t *row = windows[k].data() + reach;
      widen(row - half, row + half + 1 - (size_t{1} << k), size.width, out.row(to));
    }
  }
  return out;
}

// Alpha grows by a ramp: a dilation by half of `pixels`, and a mean over a square that falls from there to both sides; no pixel
// goes down.
void feather(Rows<uint8_t> alpha, Size size, uint32_t pixels) {
  const size_t reach = (pixels + 1) / 2, blur = pixels - reach, width = size.width;
  const Plane<uint8_t> grown = dilated(alpha, size, reach);
  const uint32_t area = static_cast<uint32_t>((2 * blur + 1) * (2 * blur + 1));  // odd: no mean lies on a half
  // sums over the rows around, and what lies `blur` before the place `k`, the edge repeated
  std::vector<uint32_t> columns(width);
  const auto row = [&](size_t k) { return grown.row(std::min<size_t>(k - std::min(k, blur), size.height - 1)); };
  const auto column = [&](size_t k) { return columns[std::min(k - std::min(k, blur), width - 1)]; };
  for (size_t y = 0; y < 2 * blur; y++)
    for (size_t x = 0; x < width; x++) columns[x] += row(y)[x];
  for (size_t y = 0; y < size.height; y++) {
    for (size_t x = 0; x < width; x++) columns[x] += row(y + 2 * blur)[x];
    uint32_t sum = 0;
    for (size_t x = 0; x < 2 * blur; x++) sum += column(x);
    for (size_t x = 0; x < width; x++) {
      sum += column(x + 2 * blur);
      uint8_t &value = alpha.row(y)[x];
      value = std::max(value, static_cast<uint8_t>((2 * sum + area) / (2 * area)));
      sum -= column(x);
    }
    for (size_t x = 0; x < width; x++) columns[x] -= row(y)[x];
  }
}

}  // namespace

void Refiner::run(segedge_preset preset, const Plane<float> &coarse, const Picture &picture, Rows<uint8_t> alpha) {
  const Size frame = picture.size();
  const bool smaller = frame.width < coarse.size.width && frame.height < coarse.size.height;
  const char *how = smaller ? "area" : "bilinear";
  Plane<float> sure = coarse;
  for (float &p : sure.values) p = within(p, kMostCertain) * kByteSteps;
  if (preset == SEGEDGE_FAST) {
    reset();
    Plane<uint8_t> bytes(sure.size);
    std::transform(sure.values.begin(), sure.values.end(), bytes.values.begin(), [](float p) { return byte_of(p * 255); });
    resize(source_of(bytes), frame, how, alpha);
  } else {
    if (luma_.size != frame) {
      reset();
      luma_ = Plane<uint8_t>(frame);
    }
    for (size_t y = 0; y < frame.height; y++) picture.luma(y, luma_.row(y));
    const Plane<uint8_t> small = shrunk(luma_, sure.size);
    remember(sure, small);
    guide(sure, small, luma_, how, alpha);
  }
  if (feather_) feather(alpha, frame, feather_);
}

// Where the picture stands still the past has a say, where it moves it has none: `mask` becomes the blend of both.
void Refiner::remember(Plane<float> &mask, const Plane<uint8_t> &small) {
  if (before_.size == mask.size) {
    std::array<float, 256> share, stillness;
    for (size_t k = 0; k < 256; k++) {
      const double value = static_cast<double>(k);
      share[k] = static_cast<float>(kSure + (kUnsure - kSure) * uncertainty(value / 255));
      stillness[k] = static_cast<float>(1 - smoothstep(value / kStepsPerLevel, kStill, kMoving));
    }
    Plane<float> steps(mask.size);
    for (size_t k = 0; k < steps.values.size(); k++)
      steps.values[k] = static_cast<float>(std::min(255, kStepsPerLevel * std::abs(small.values[k] - small_before_.values[k])));
    steps = box_means(steps, false);
    for (size_t k = 0; k < mask.values.size(); k++) {
      const float past = share[byte_of(mask.values[k] * 255)] * stillness[byte_of(steps.values[k])];
      mask.values[k] += (before_.values[k] - mask.values[k]) * past;
    }
  }
  before_ = mask;
  small_before_ = small;
}

}  // namespace segedge
