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

[[noreturn]] void refuse(const std::string &what) { throw std::runtime_error(what); }

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

uint32_t big_endian(const uint8_t *at) {
  return static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1]) << 16 | static_cast<uint32_t>(at[2]) << 8 | at[3];
}

int paeth(int left, int up, int corner) {
  const int to_left = std::abs(up - corner), to_up = std::abs(left - corner), to_corner = std::abs(left + up - 2 * corner);
  return to_left <= to_up && to_left <= to_corner ? left : to_up <= to_corner ? up : corner;
}

std::vector<uint8_t> unfiltered(const std::string &raw, size_t height, size_t row, size_t step) {
  std::vector<uint8_t> out(height * row);
  for (size_t y = 0; y < height; y++) {
    const int filter = static_cast<unsigned char>(raw[y * (row + 1)]);
    if (filter > 4) refuse("the PNG's pixels are damaged");
    for (size_t x = 0; x < row; x++) {
      uint8_t *at = out.data() + y * row + x;
      const int left = x >= step ? at[-static_cast<std::ptrdiff_t>(step)] : 0,
                up = y ? at[-static_cast<std::ptrdiff_t>(row)] : 0;
      const int corner = x >= step && y ? at[-static_cast<std::ptrdiff_t>(row + step)] : 0;
      const int guess[] = {0, left, up, (left + up) / 2, paeth(left, up, corner)};
      *at = static_cast<uint8_t>((static_cast<unsigned char>(raw[y * (row + 1) + 1 + x]) + guess[filter]) & 255);
    }
  }
  return out;
}

// The two bytes before a deflate stream: a window of at most 32 KiB, no dictionary, and their own checksum (RFC 1950).
bool is_zlib(const uint8_t *data) {
  return (data[0] & 15) == 8 && data[0] >> 4 <= 7 && !(data[1] & 32) && (data[0] << 8 | data[1]) % 31 == 0;
}

// PNG of the plain kind: 8 bits, gray or RGB, IHDR, IDAT and IEND alone.
Bitmap from_png(const std::string &text, size_t channels, int most) {
  const uint8_t *data = reinterpret_cast<const uint8_t *>(text.data());
  if (text.compare(0, 8, std::string("\x89PNG\r\n\x1a\n", 8)) != 0) refuse("it is no PNG");
  std::string packed, kinds;
  Bitmap found;
  for (size_t at = 8; at < text.size();) {
    const size_t left = text.size() - at, length = left >= 12 ? big_endian(data + at) : left;
    if (left < 12 || length > left - 12 || !same_checksum(crc32(data + at + 4, length + 4), big_endian(data + at + 8 + length)))
      refuse("the PNG is cut off or damaged");
    const std::string kind = text.substr(at + 4, 4);
    kinds += kind == "IHDR" ? 'h' : kind == "IDAT" ? 'd' : kind == "IEND" ? 'e' : '?';
    if (kind == "IHDR") {
      const uint8_t wanted[5] = {8, static_cast<uint8_t>(channels == 3 ? 2 : 0), 0, 0, 0};
      const uint32_t width = length == 13 ? big_endian(data + at + 8) : 0,
                     height = length == 13 ? big_endian(data + at + 12) : 0;
      const uint32_t limit = static_cast<uint32_t>(most);
      if (width - 1 >= limit || height - 1 >= limit || std::memcmp(data + at + 16, wanted, 5) != 0)
        refuse("the PNG is of another kind or size");
      found.size = {static_cast<int>(width), static_cast<int>(height)};
    }
    if (kind == "IDAT") packed += text.substr(at + 8, length);
    at += 12 + length;
  }
  const bool plain =
      kinds.size() >= 3 && kinds.front() == 'h' && kinds.back() == 'e' && kinds.find_first_not_of('d', 1) == kinds.size() - 1;
  const uint8_t *bytes = reinterpret_cast<const uint8_t *>(packed.data());
  if (!plain || packed.size() < 6 || !is_zlib(bytes)) refuse("the PNG has other parts than header, pixels and end");
  const size_t height = static_cast<size_t>(found.size.height), row = static_cast<size_t>(found.size.width) * channels;
  size_t used = 0;
  const std::string raw = inflate(bytes + 2, packed.size() - 2, height * (row + 1), used, size_t{256} << (bytes[0] >> 4));
  if (raw.size() != height * (row + 1) || used + 6 != packed.size())
    refuse("the PNG holds more or fewer pixels than it declares");
  if (!same_checksum(adler32(raw), big_endian(bytes + 2 + used))) refuse("the PNG's pixels are damaged");
  found.pixels = unfiltered(raw, height, row, channels);
  return found;
}

Bitmap picture(Fields &f, const char *key, size_t channels, int most) {
  try {
    return from_png(from_base64(f.string(key, kMostBytes)), channels, most);
  } catch (const JsonError &) {
    throw;
  } catch (const std::runtime_error &error) {
    refuse(std::string(key) + " is no picture: " + error.what());
  }
}

Golden read(const std::string &text) {
  if (text.size() > kMostBytes) refuse("it has more than 149500 bytes");
  const Value data = parse_json(text);
  Fields f(data);
  f.header("segedge.golden", 1);
  Golden golden;
  golden.model_sha256 = f.digest("model_sha256");
  for (Fields *part : f.parts("pictures", 1, kMostPictures)) {
    part->string("name", kMostName);
    golden.pictures.push_back({picture(*part, "frame", 3, kMostFrame), picture(*part, "reference", 1, kMostMask),
                               picture(*part, "made", 1, kMostMask)});
    if (golden.pictures.back().reference.size != golden.pictures.back().made.size)
      refuse("two masks of one picture have two sizes");
  }
  f.finish();
  return golden;
}

}  // namespace

Golden parse_golden(const std::string &text) {
  try {
    return read(text);
  } catch (const std::runtime_error &error) {
    throw file_error(std::string("the golden pictures inside cannot be read (") + error.what() +
                     "); copy the file again or export it again");
  }
}

std::vector<float> as_stored(const std::vector<float> &mask, Size &size) {
  std::vector<float> out = mask;
  const double scale = static_cast<double>(kMostMask) / std::max(size.width, size.height);
  if (scale < 1) {
    const Size to = {std::max(1, round_even(size.width * scale)), std::max(1, round_even(size.height * scale))};
    out = area_means(mask.data(), size, to);
    size = to;
  }
  for (float &value : out)
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
