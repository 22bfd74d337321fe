#include "resize.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "vectors.h"

namespace segedge {
namespace {

SEGEDGE_VECTORS
void downwards(const float *__restrict upper, const float *__restrict lower, float w, size_t count, float *__restrict out) {
  for (size_t i = 0; i < count; i++) out[i] = upper[i] * (1 - w) + lower[i] * w;
}

SEGEDGE_VECTORS
void downwards(const uint16_t *upper, const uint16_t *lower, uint32_t w, size_t count, uint8_t *__restrict out) {
  for (size_t i = 0; i < count; i++) out[i] = static_cast<uint8_t>(((256 - w) * upper[i] + w * lower[i] + 32768) >> 16);
}

template <size_t C>
void across(const uint8_t *row, const Axis &x, size_t step, const size_t *channels, uint16_t *out) {
  for (size_t k = 0; k < x.steps.size(); k++) {
    const uint8_t *left = row + x.before[k] * step, *right = row + x.after[k] * step;
    const uint32_t w = x.steps[k];
    for (size_t c = 0; c < C; c++) *out++ = static_cast<uint16_t>((256 - w) * left[channels[c]] + w * right[channels[c]]);
  }
}

void bilinear(const Source &source, Size to, uint8_t *out, size_t stride) {
  const Axis x(to.width, source.size.width), y(to.height, source.size.height);
  const size_t count = static_cast<size_t>(to.width) * source.channels.size();
  std::array<std::vector<uint16_t>, 2> rows{std::vector<uint16_t>(count), std::vector<uint16_t>(count)};
  std::array<size_t, 2> held{SIZE_MAX, SIZE_MAX};
  const auto row = [&](size_t index) {
    std::vector<uint16_t> &line = rows[index & 1];
    if (held[index & 1] != index) {
      held[index & 1] = index;
      const uint8_t *from = source.row(static_cast<int>(index));
      (source.channels.size() == 1 ? across<1> : across<3>)(from, x, source.step, source.channels.data(), line.data());
    }
    return line.data();
  };
  for (size_t k = 0; k < y.steps.size(); k++, out += stride) {
    const uint16_t *upper = row(y.before[k]), *lower = row(y.after[k]);
    downwards(upper, lower, y.steps[k], count, out);
  }
}

int nearest_pixel(int k, int count, int source) {
  const int64_t step = (static_cast<int64_t>(source) * 65536 + count / 2) / count;
  return std::min(source - 1, static_cast<int>((step * k + (step >> 1) - source % 2) >> 16));
}

void nearest(const Source &source, Size to, uint8_t *out, size_t stride) {
  for (int y = 0; y < to.height; y++, out += stride) {
    const uint8_t *row = source.row(nearest_pixel(y, to.height, source.size.height));
    uint8_t *at = out;
    for (int x = 0; x < to.width; x++)
      for (const size_t channel : source.channels)
        *at++ = row[static_cast<size_t>(nearest_pixel(x, to.width, source.size.width)) * source.step + channel];
  }
}

struct Share {
  int pixel;
  float share;
};

// What each new pixel covers of an axis, in the order and the float of OpenCV's INTER_AREA: means that lie on a half
// are common, and fall to the side that its float takes.
std::vector<std::vector<Share>> shares_of(int count, int source, bool whole) {
  std::vector<std::vector<Share>> all(static_cast<size_t>(count));
  const double scale = static_cast<double>(source) / count;
  for (int k = 0; k < count; k++) {
    std::vector<Share> &shares = all[static_cast<size_t>(k)];
    const double from = k * scale, to = from + scale, covered = std::min(scale, source - from);
    const int last = std::min(static_cast<int>(std::floor(to)), source - 1),
              first = std::min(static_cast<int>(std::ceil(from)), last);
    if (first - from > 1e-3 && !whole) shares.push_back({first - 1, static_cast<float>((first - from) / covered)});
    for (int at = first; at < (whole ? first + source / count : last); at++)
      shares.push_back({at, whole ? 1 : static_cast<float>(1 / covered)});
    if (to - last > 1e-3 && !whole)
      shares.push_back({last, static_cast<float>(std::min(std::min(to - last, 1.0), covered) / covered)});
  }
  return all;
}

// Means over what each new pixel covers, a row at a time: sums, and one product at the end where both ratios are whole.
template <class Row, class Use>
void means(Size from, Size to, size_t step, const std::vector<size_t> &channels, const Row &row, const Use &use) {
  const bool whole = from.width % to.width == 0 && from.height % to.height == 0;
  const float factor = whole ? 1.f / static_cast<float>(from.width / to.width * (from.height / to.height)) : 1;
  const auto xs = shares_of(to.width, from.width, whole), ys = shares_of(to.height, from.height, whole);
  std::vector<float> line(static_cast<size_t>(to.width) * channels.size());
  for (int y = 0; y < to.height; y++) {
    std::fill(line.begin(), line.end(), 0.f);
    for (const Share &v : ys[static_cast<size_t>(y)]) {
      const auto *pixels = row(v.pixel);
      float *at = line.data();
      for (const auto &x : xs) {
        for (const size_t channel : channels) {
          float sum = 0;
          for (const Share &h : x) sum += static_cast<float>(pixels[static_cast<size_t>(h.pixel) * step + channel]) * h.share;
          *at++ += v.share * sum;
        }
      }
    }
    for (float &value : line) value *= factor;
    use(y, line);
  }
}

void area(const Source &source, Size to, uint8_t *out, size_t stride) {
  // of four pixels OpenCV rounds a half up, of all others to the even one
  const bool halves = source.size.width == 2 * to.width && source.size.height == 2 * to.height;
  means(source.size, to, source.step, source.channels, source.row, [&](int y, const std::vector<float> &line) {
    uint8_t *at = out + static_cast<size_t>(y) * stride;
    for (const float value : line)
      *at++ =
          static_cast<uint8_t>(std::min(255, halves ? static_cast<int>(value + 0.5f) : round_even(static_cast<double>(value))));
  });
}

}  // namespace

int round_even(double value) {
  const double down = std::floor(value), rest = value - down;
  const int low = static_cast<int>(down);
  return rest > 0.5 || (rest == 0.5 && low % 2 != 0) ? low + 1 : low;
}

Source plane_source(const uint8_t *plane, Size size) {
  return {size, [plane, size](int y) { return plane + static_cast<size_t>(y) * static_cast<size_t>(size.width); }, 1, {0}};
}

void resize_bytes(const Source &source, Size to, const std::string &how, uint8_t *out, size_t stride) {
  (how == "bilinear" ? bilinear : how == "nearest" ? nearest : area)(source, to, out, stride);
}

std::vector<float> area_means(const float *plane, Size from, Size to) {
  std::vector<float> out;
  const auto row = [&](int y) { return plane + static_cast<size_t>(y) * static_cast<size_t>(from.width); };
  means(from, to, 1, {0}, row, [&](int, const std::vector<float> &line) { out.insert(out.end(), line.begin(), line.end()); });
  return out;
}

Axis::Axis(int count, int source) {
  const double step = 1 / (static_cast<double>(count) / source);
  for (int k = 0; k < count; k++) {
    const double at = (k + 0.5) * step - 0.5, down = std::floor(at);
    const int first = std::clamp(static_cast<int>(down), 0, source - 1);
    const bool inside = down >= 0 && down < source - 1;
    before.push_back(static_cast<size_t>(first));
    after.push_back(static_cast<size_t>(std::min(first + 1, source - 1)));
    weight.push_back(inside ? static_cast<float>(at - down) : 0);
    steps.push_back(inside ? static_cast<uint32_t>(round_even(256 * (at - down))) : 0);
  }
}

FloatScaler::FloatScaler(const float *plane, Size from, Size to)
    : plane_(plane), stride_(static_cast<size_t>(from.width)), x_(to.width, from.width), y_(to.height, from.height) {
  for (std::vector<float> *line : {&rows_[0], &rows_[1], &mixed_}) line->resize(static_cast<size_t>(to.width));
}

const float *FloatScaler::across(size_t y) {
  std::vector<float> &line = rows_[y & 1];
  if (held_[y & 1] == y) return line.data();
  held_[y & 1] = y;
  const float *pixels = plane_ + y * stride_;
  for (size_t k = 0; k < line.size(); k++)
    line[k] = pixels[x_.before[k]] * (1 - x_.weight[k]) + pixels[x_.after[k]] * x_.weight[k];
  return line.data();
}

const float *FloatScaler::row(int y) {
  const size_t k = static_cast<size_t>(y);
  const float *upper = across(y_.before[k]), *lower = across(y_.after[k]);
  const float w = y_.weight[k];
  downwards(upper, lower, w, mixed_.size(), mixed_.data());
  return mixed_.data();
}

}  // namespace segedge
