#include "golden.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "error.h"
#include "inflate.h"
#include "json.h"

namespace segedge {
namespace {

constexpr size_t kMostBytes = 149500, kMostPictures = 4, kMostName = 100;
constexpr int kMostFrame = 512, kMostMask = 128;

std::string from_base64(const std::string &text) {
  static const std::string kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const size_t end = text.find_last_not_of('=') + 1;
  if (text.size() % 4 != 0 || text.size() - end > 2) refuse("it is no base64");
  std::string out;
  uint32_t held = 0;
  for (size_t k = 0; k < end; k++) {
    const size_t digit = kDigits.find(text[k]);
    if (digit == std::string::npos) refuse("it is no base64");
    held = held << 6 | static_cast<uint32_t>(digit);
    if (k % 4 != 0) out += static_cast<char>(held >> (6 - 2 * (k % 4)) & 255);
  }
  return out;
}

// The pixels of rows each of which begins with its filter: what is taken for a byte's left, upper and upper left neighbour.
std::vector<uint8_t> unfiltered(const std::string &raw, size_t height, size_t row, size_t step) {
  std::vector<uint8_t> out(height * row);
  const auto at = [&](size_t y, size_t x) -> int { return out[y * row + x]; };
  for (size_t y = 0; y < height; y++) {
    const char *from = raw.data() + y * (row + 1);
    const size_t filter = static_cast<unsigned char>(*from);
    if (filter > 4) refuse("the PNG's pixels are damaged");
    for (size_t x = 0; x < row; x++) {
      const int left = x >= step ? at(y, x - step) : 0, up = y ? at(y - 1, x) : 0;
      const int corner = x >= step && y ? at(y - 1, x - step) : 0;
      const int to_left = std::abs(up - corner), to_up = std::abs(left - corner), to_corner = std::abs(left + up - 2 * corner);
      const int nearest = to_left <= to_up && to_left <= to_corner ? left : to_up <= to_corner ? up : corner;
      const int guesses[] = {0, left, up, (left + up) / 2, nearest};
      out[y * row + x] = static_cast<uint8_t>(from[1 + x] + guesses[filter]);
    }
  }
  return out;
}

// PNG of the plain kind: 8 bits, gray or RGB, IHDR, IDAT and IEND alone.
Bitmap from_png(const std::string &text, size_t channels, size_t most) {
  const uint8_t *data = reinterpret_cast<const uint8_t *>(text.data());
  if (text.compare(0, 8, "\x89PNG\r\n\x1a\n") != 0) refuse("it is no PNG");
  std::string packed;
  for (size_t at = 8, next; at < text.size(); at = next) {
    const size_t left = text.size() - at, length = left >= 12 ? big_endian(data + at) : left;
    if (left < 12 || length > left - 12 ||
        !same_checksum(crc32(text.substr(at + 4, length + 4)), big_endian(data + at + 8 + length)))
      refuse("the PNG is cut off or damaged");
    next = at + 12 + length;
    const std::string kind = text.substr(at + 4, 4), wanted = at == 8 ? "IHDR" : next == text.size() ? "IEND" : "IDAT";
    if (kind != wanted) refuse("the PNG has other parts than header, pixels and end");
    if (kind == "IDAT") packed += text.substr(at + 8, length);
  }
  // RFC 1950: a window of at most 32 KiB, no dictionary, and a checksum of these two bytes
  const uint8_t *bytes = reinterpret_cast<const uint8_t *>(packed.data());
  if (packed.size() < 6 || bytes[0] % 16 != 8 || bytes[0] >= 128 || bytes[1] & 32 || (bytes[0] << 8 | bytes[1]) % 31 != 0)
    refuse("the PNG has other parts than header, pixels and end");
  const size_t width = big_endian(data + 16), height = big_endian(data + 20), row = width * channels;
  const std::string form = {8, channels == 3 ? '\2' : '\0', 0, 0, 0};
  if (big_endian(data + 8) != 13 || width < 1 || width > most || height < 1 || height > most || text.compare(24, 5, form) != 0)
    refuse("the PNG is of another kind or size");
  size_t used = 0;
  const std::string raw = inflate(bytes + 2, packed.size() - 2, height * (row + 1), used, size_t{256} << (bytes[0] >> 4));
  if (raw.size() != height * (row + 1) || used + 6 != packed.size())
    refuse("the PNG holds more or fewer pixels than it declares");
  if (!same_checksum(adler32(raw), big_endian(bytes + 2 + used))) refuse("the PNG's pixels are damaged");
  return {{width, height}, unfiltered(raw, height, row, channels)};
}

Bitmap picture(const Field &field, const char *key, size_t channels, size_t most) {
  const std::string &text = field.string(kMostBytes);
  try {
    return from_png(from_base64(text), channels, most);
  } catch (const std::runtime_error &error) {
    refuse(std::string(key) + " is no picture: " + error.what());
  }
}

}  // namespace

Golden parse_golden(const std::string &text) {
  try {
    if (text.size() > kMostBytes) refuse("it has more than 149500 bytes");
    const Value data = parse_json(text);
    Field f(data);
    f["format"].choice({"segedge.golden"});
    f["version"].integer(1, 1);
    Golden golden;
    golden.model_sha256 = f["model_sha256"].digest();
    for (Field &one : f["pictures"].parts(1, kMostPictures, "a list of 1 to 4")) {
      one["name"].string(kMostName);
      golden.pictures.push_back({picture(one["frame"], "frame", 3, kMostFrame),
                                 picture(one["reference"], "reference", 1, kMostMask),
                                 picture(one["made"], "made", 1, kMostMask)});
      const GoldenPicture &read = golden.pictures.back();
      if (read.reference.size != read.made.size) refuse("two masks of one picture have two sizes");
      one.finish();
    }
    f.finish();
    return golden;
  } catch (const std::runtime_error &error) {
    throw file_error(std::string("the golden pictures inside cannot be read (") + error.what() +
                     "); copy the file again or export it again");
  }
}

Plane<float> as_stored(const Plane<float> &mask) {
  const double scale = static_cast<double>(kMostMask) / std::max(mask.size.width, mask.size.height);
  const Size small = {side_of(mask.size.width * scale, kMostMask), side_of(mask.size.height * scale, kMostMask)};
  Plane<float> out = scale < 1 ? scaled(mask, small, "area") : mask;
  for (float &value : out.values)
    if (!std::isnan(value))
      value = static_cast<float>(round_even(static_cast<double>(std::clamp(value, 0.f, 1.f) * 255))) / 255;
  return out;
}

Nearness nearness(const Bitmap &stored, const std::vector<float> &mask) {
  double sum = 0, both = 0, either = 0;
  for (size_t k = 0; k < mask.size(); k++) {
    const float wanted = static_cast<float>(stored.pixels[k]) / 255;
    sum += std::isnan(mask[k]) ? 1 : std::abs(static_cast<double>(wanted) - static_cast<double>(mask[k]));
    const bool a = wanted > 0.5f, b = mask[k] > 0.5f;
    both += a && b;
    either += a || b;
  }
  const double count = static_cast<double>(mask.size());
  return {either > 0 ? both / either : 1, sum / count, (either - both) / count};
}

bool is_same(const Nearness &found, bool exact) {
  return found.mean_difference <= (exact ? 0.005 : 0.01) && (found.iou >= (exact ? 0.985 : 0.97) || found.changed <= 0.001);
}

}  // namespace segedge
