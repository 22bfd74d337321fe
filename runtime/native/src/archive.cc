#include "archive.h"

#include <algorithm>
#include <cstring>

#include "error.h"
#include "inflate.h"
#include "json.h"

namespace segedge {
namespace {

constexpr size_t kEnd = 22, kDirectory = 46, kLocal = 30;  // fixed parts of the three records
constexpr size_t kLongestComment = 65535, kMostEntries = 256, kMostText = 256 * 1024;
constexpr size_t kUtf8 = 0x800;        // the flag that a name is UTF-8
constexpr size_t kNewestVersion = 63;  // 6.3 of the zip format, as Python's zipfile reads it

[[noreturn]] void broken(const std::string &what) {
  throw file_error("the archive behind the model is broken (" + what + "); copy the file again");
}

}  // namespace

Archive::Archive(const uint8_t *data, size_t size) : data_(data), size_(size), model_size_(size) {
  if (size < 16 || std::memcmp(data + 4, "TFL3", 4) != 0)
    throw file_error(size < 16 ? "cut off: " + std::to_string(size) + " bytes are no TFLite model; copy it again"
                               : "expected a TFLite flatbuffer (TFL3), found another file; copy or export it again");
  size_t end = size < kEnd ? 0 : size - kEnd;
  const size_t lowest = end > kLongestComment ? end - kLongestComment : 0;
  while (end > lowest && std::memcmp(data + end, "PK\5\6", 4) != 0) end--;
  if (end <= lowest) return;  // no archive: the flatbuffer ends where the file does
  // what Python's zipfile would read otherwise: a second end within the first one's comment, and the records of zip64
  const uint8_t *tail = data + size - kEnd + 1, *mark = data + end;
  const size_t comment = number(end + 20, 2);
  if ((end != size - kEnd || comment != 0) && std::search(tail, data + size, mark, mark + 4) != data + size)
    broken("it ends twice");
  if (end >= 20 && std::memcmp(data + end - 20, "PK\6\7", 4) == 0) broken("it is a zip64, which no model needs");
  const size_t length = number(end + 12, 4), offset = number(end + 16, 4);
  if (comment > size - end - kEnd) broken("its comment is cut off");
  if (length > end || offset > end - length) broken("its directory lies outside the file");
  if (number(end + 10, 2) > kMostEntries) broken("it lists more than 256 files");
  before_ = end - length - offset;
  for (size_t at = end - length; at < end;) {
    if (number(at, 4) != 0x02014b50 || number(at + 6, 1) > kNewestVersion || entries_.size() >= kMostEntries)
      broken("a wrong entry in its directory");
    const size_t header = number(at + 42, 4), extra = at + kDirectory + number(at + 28, 2), behind = extra + number(at + 30, 2);
    const size_t next = behind + number(at + 32, 2);
    if (next > end || header > size - before_) broken("an entry lies outside the file");
    const std::string name(data + at + kDirectory, data + extra);
    if (name.find('\0') != std::string::npos || (number(at + 8, 2) & kUtf8 && !is_utf8(name))) broken("a wrong name in it");
    for (size_t field = extra; field + 4 <= behind;) {
      field += 4 + number(field + 2, 2);
      if (field > behind) broken("a field lies outside its entry");
    }
    model_size_ = std::min(model_size_, header + before_);  // as Python has it, wherever the directory lies
    entries_.emplace(name, at);
    at = next;
  }
  if (entries_.empty()) model_size_ = end - length;
}

size_t Archive::number(size_t at, size_t bytes) const {
  if (at > size_ || size_ - at < bytes) broken("a record lies outside the file");
  return static_cast<size_t>(little_endian(data_ + at, bytes));
}

std::optional<std::string> Archive::text(const std::string &name) const {
  const auto [found, last] = entries_.equal_range(name);
  if (found == last) return std::nullopt;
  if (std::next(found) != last) broken(name + " stands in it twice");
  const size_t at = found->second, method = number(at + 10, 2), packed = number(at + 20, 4), unpacked = number(at + 24, 4);
  if (unpacked > kMostText) broken(name + " has more than 256 KiB");
  if (number(at + 8, 1) & 0x61 || (method != 0 && method != 8)) broken(name + " is encrypted or packed in an unknown way");
  const size_t header = number(at + 42, 4) + before_, length = number(header + 26, 2);
  const size_t start = header + kLocal + length + number(header + 28, 2);
  if (number(header, 4) != 0x04034b50 || start > size_ || size_ - start < packed || length != name.size() ||
      std::memcmp(data_ + header + kLocal, name.data(), length) != 0)
    broken("the header of " + name + " is wrong");
  std::string text(data_ + start, data_ + start + packed);
  try {
    size_t used = 0;
    if (method == 8) text = inflate(data_ + start, packed, unpacked, used);
  } catch (const std::runtime_error &error) {
    broken(error.what());
  }
  if (text.size() != unpacked || !same_checksum(crc32(text), static_cast<uint32_t>(number(at + 16, 4))))
    broken(name + " is damaged");
  return text;
}

}  // namespace segedge
