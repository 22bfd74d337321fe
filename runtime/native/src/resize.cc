#include "resize.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace segedge {
namespace {

// Bilinear in 1/256 for bytes, 1/65536 once it went both ways, and in float for floats.
[[gnu::always_inline]] inline uint32_t between(uint32_t a, uint32_t b, uint32_t w) { return (256 - w) * a + w * b; }
[[gnu::always_inline]] inline float between(float a, float b, float w) { return a * (1 - w) + b * w; }

SEGEDGE_VECTORS
void downwards(const float *__restrict upper, const float *__restrict lower, float w, size_t count, float *__restrict out) {
  for (size_t i = 0; i < count; i++) out[i] = between(upper[i], lower[i], w);
}

SEGEDGE_VECTORS
void downwards(const uint16_t *upper, const uint16_t *lower, uint32_t w, size_t count, uint8_t *__restrict out) {
  for (size_t i = 0; i < count; i++) out[i] = static_cast<uint8_t>((between(upper[i], lower[i], w) + 32768) >> 16);
}

// The source pixel before a new one, the one after it, and how far it lies between them.
template <class Weight>
struct Tap {
  uint32_t before, after;
  Weight weight;
};

uint32_t nearest_pixel(uint32_t k, uint32_t count, uint32_t source) {
  const int64_t step = (int64_t{source} * 65536 + count / 2) / count;
  return std::min(source - 1, static_cast<uint32_t>((step * k + (step >> 1) - source % 2) >> 16));
}

template <class Weight>
std::vector<Tap<Weight>> taps_of(uint32_t count, uint32_t source, bool nearest) {
  std::vector<Tap<Weight>> taps;
  const double step = 1 / (static_cast<double>(count) / source);
  for (uint32_t k = 0; k < count; k++) {
    const double at = nearest ? nearest_pixel(k, count, source) : (k + 0.5) * step - 0.5, down = std::floor(at);
    const uint32_t before = static_cast<uint32_t>(std::clamp(down, 0.0, source - 1.0));
    const double weight = down >= 0 && down < source - 1 ? at - down : 0;
    taps.push_back({before, std::min(before + 1, source - 1),
                    static_cast<Weight>(std::is_same_v<Weight, float> ? weight : round_even(256 * weight))});
  }
  return taps;
}

template <size_t C, class Value, class Weight, class Line>
void across(const Value *row, const std::vector<Tap<Weight>> &taps, Line *out) {
  for (const Tap<Weight> &tap : taps)
    for (size_t c = 0; c < C; c++)
      *out++ = static_cast<Line>(between(row[C * tap.before + c], row[C * tap.after + c], tap.weight));
}

template <class Value>
Scaler<Value> bilinear(const Source<Value> &source, Size to, bool nearest) {
  using Weight = std::conditional_t<std::is_same_v<Value, float>, float, uint32_t>;
  using Line = std::conditional_t<std::is_same_v<Value, float>, float, uint16_t>;
  const std::vector<Line> empty(to.width * source.channels);
  return [source, x = taps_of<Weight>(to.width, source.size.width, nearest),
          y = taps_of<Weight>(to.height, source.size.height, nearest), held = std::array<size_t, 2>{SIZE_MAX, SIZE_MAX},
          lines = std::array<std::vector<Line>, 2>{empty, empty}](size_t k, Value *out) mutable {
    const auto line = [&](size_t at) {
      Line *to_line = lines[at & 1].data();
      if (held[at & 1] != at)
        (source.channels == 1 ? across<1, Value, Weight, Line> : across<3, Value, Weight, Line>)(source.row(at), x, to_line);
      held[at & 1] = at;
      return to_line;
    };
    const Line *upper = line(y[k].before), *lower = line(y[k].after);
    downwards(upper, lower, y[k].weight, lines[0].size(), out);
  };
}

struct Share {
  uint32_t pixel;
  float share;
};

// What each new pixel covers of an axis, in the order and the float of OpenCV's INTER_AREA: means that lie on a half
// are common, and fall to the side that its float takes.
std::vector<std::vector<Share>> shares_of(uint32_t count, uint32_t source, bool whole) {
  std::vector<std::vector<Share>> all(count);
  const double scale = static_cast<double>(source) / count;
  for (uint32_t k = 0; k < count; k++) {
    const double from = k * scale, to = from + scale, covered = std::min(scale, source - from);
    const uint32_t last = std::min(static_cast<uint32_t>(std::floor(to)), source - 1),
                   first = std::min(static_cast<uint32_t>(std::ceil(from)), last);
    if (first - from > 1e-3 && !whole) all[k].push_back({first - 1, static_cast<float>((first - from) / covered)});
    for (uint32_t at = first; at < (whole ? first + source / count : last); at++)
      all[k].push_back({at, whole ? 1 : static_cast<float>(1 / covered)});
    if (to - last > 1e-3 && !whole)
      all[k].push_back({last, static_cast<float>(std::min(std::min(to - last, 1.0), covered) / covered)});
  }
  return all;
}

template <class Value>
void add(const Value *row, size_t channels, const std::vector<std::vector<Share>> &xs, float share, float *sums) {
  for (const std::vector<Share> &x : xs) {
    for (size_t c = 0; c < channels; c++) {
      float sum = 0;
      for (const Share &h : x) sum += static_cast<float>(row[h.pixel * channels + c]) * h.share;
      *sums++ += share * sum;
    }
  }
}

// Means over what each new pixel covers: sums, and one product at the end where both ratios are whole.
template <class Value>
Scaler<Value> area(const Source<Value> &source, Size to) {
  const Size from = source.size;
  const bool whole = from.width % to.width == 0 && from.height % to.height == 0;
  const uint32_t covered = from.width / to.width * (from.height / to.height);
  // of four pixels OpenCV rounds a half up, of all others to the even one
  const bool halves = from.width == 2 * to.width && from.height == 2 * to.height;
  return [=, xs = shares_of(to.width, from.width, whole), ys = shares_of(to.height, from.height, whole),
          factor = whole ? 1.f / static_cast<float>(covered) : 1,
          line = std::vector<float>(to.width * source.channels)](size_t y, Value *out) mutable {
    std::fill(line.begin(), line.end(), 0.f);
    for (const Share &v : ys[y]) add(source.row(v.pixel), source.channels, xs, v.share, line.data());
    for (const float sum : line) {
      const float mean = sum * factor;
      if constexpr (std::is_same_v<Value, float>)
        *out++ = mean;
      else
        *out++ =
            static_cast<Value>(std::min(255, halves ? static_cast<int>(mean + 0.5f) : round_even(static_cast<double>(mean))));
    }
  };
}

}  // namespace

int round_even(double value) {
  const double down = std::floor(value), rest = value - down;
  const int low = static_cast<int>(down);
  return rest > 0.5 || (rest == 0.5 && low % 2 != 0) ? low + 1 : low;
}

template <class Value>
Scaler<Value> scaler(const Source<Value> &source, Size to, const std::string &how) {
  return how == "area" ? area(source, to) : bilinear(source, to, how == "nearest");
}
template Scaler<uint8_t> scaler(const Source<uint8_t> &source, Size to, const std::string &how);
template Scaler<float> scaler(const Source<float> &source, Size to, const std::string &how);

}  // namespace segedge
