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
constexpr uint32_t kUtf8 = 0x800;      // the flag that a name is UTF-8
constexpr size_t kNewestVersion = 63;  // 6.3 of the zip format, as Python's zipfile reads it

[[noreturn]] void broken(const std::string &what) {
  throw file_error("the archive behind the model is broken (" + what + "); copy the file again");
}

}  // namespace

Archive::Archive(const uint8_t *data, size_t size) : data_(data), size_(size), model_size_(size) {
  if (size < 16 || std::memcmp(data + 4, "TFL3", 4) != 0)
    throw file_error(size < 16 ? "cut off: " + std::to_string(size) + " bytes are no TFLite model; copy it again"
                               : "expected a TFLite flatbuffer (TFL3), found another file; copy or export it again");
  find();
}

size_t Archive::number(size_t at, int bytes) const {
  if (at > size_ || size_ - at < static_cast<size_t>(bytes)) broken("a record lies outside the file");
  size_t value = 0;
  for (int k = bytes; k-- > 0;) value = value << 8 | data_[at + static_cast<size_t>(k)];
  return value;
}

void Archive::find() {
  size_t end = size_ < kEnd ? 0 : size_ - kEnd;
  const size_t lowest = end > kLongestComment ? end - kLongestComment : 0;
  while (end > lowest && std::memcmp(data_ + end, "PK\5\6", 4) != 0) end--;
  if (end <= lowest) return;  // no archive: the flatbuffer ends where the file does
  // what Python's zipfile would read otherwise: a second end within the first one's comment, and the records of zip64
  const uint8_t *tail = data_ + size_ - kEnd + 1, *mark = reinterpret_cast<const uint8_t *>("PK\5\6");
  if ((end != size_ - kEnd || number(end + 20, 2) != 0) && std::search(tail, data_ + size_, mark, mark + 4) != data_ + size_)
    broken("it ends twice");
  if (end >= 20 && std::memcmp(data_ + end - 20, "PK\6\7", 4) == 0) broken("it is a zip64, which no model needs");
  const size_t count = number(end + 10, 2), length = number(end + 12, 4), offset = number(end + 16, 4);
  if (end + kEnd + number(end + 20, 2) > size_) broken("its comment is cut off");
  if (length > end || offset > end - length) broken("its directory lies outside the file");
  if (count > kMostEntries) broken("it lists more than 256 files");
  const size_t before = end - length - offset;  // bytes before the archive that its offsets do not count
  for (size_t at = offset + before; at < end;) {
    if (number(at, 4) != 0x02014b50 || number(at + 6, 1) > kNewestVersion || entries_.size() >= kMostEntries)
      broken("a wrong entry in its directory");
    Entry entry{{}, number(at + 42, 4), number(at + 20, 4), number(at + 24, 4), 0, 0, 0};
    entry.flags = static_cast<uint32_t>(number(at + 8, 2));
    entry.method = static_cast<uint32_t>(number(at + 10, 2));
    entry.checksum = static_cast<uint32_t>(number(at + 16, 4));
    const size_t name = number(at + 28, 2), more = number(at + 30, 2) + number(at + 32, 2);
    if (end - at < kDirectory + name + more || entry.header > size_ - before) broken("an entry lies outside the file");
    entry.name.assign(reinterpret_cast<const char *>(data_ + at + kDirectory), name);
    if (entry.name.find('\0') != std::string::npos || (entry.flags & kUtf8 && !is_utf8(entry.name)))
      broken("a wrong name in it");
    check_extra(at + kDirectory + name, number(at + 30, 2));
    entry.header += before;
    model_size_ = std::min(model_size_, entry.header);  // as Python has it, wherever the directory lies
    entries_.push_back(std::move(entry));
    at += kDirectory + name + more;
  }
  if (entries_.empty()) model_size_ = offset + before;
}

void Archive::check_extra(size_t at, size_t left) const {
  while (left >= 4) {
    const size_t length = 4 + number(at + 2, 2);
    if (length > left) broken("a field lies outside its entry");
    at += length;
    left -= length;
  }
}

std::optional<std::string> Archive::text(const std::string &name) const {
  const Entry *found = nullptr;
  for (const Entry &entry : entries_) {
    if (entry.name != name) continue;
    if (found) broken(name + " stands in it twice");
    found = &entry;
  }
  if (!found) return std::nullopt;
  return read(*found);
}

std::string Archive::read(const Entry &entry) const {
  if (entry.unpacked > kMostText) broken(entry.name + " has more than 256 KiB");
  if (entry.flags & 0x61 || (entry.method != 0 && entry.method != 8))
    broken(entry.name + " is encrypted or packed in an unknown way");
  const size_t name = number(entry.header + 26, 2), start = entry.header + kLocal + name + number(entry.header + 28, 2);
  if (number(entry.header, 4) != 0x04034b50 || start > size_ || size_ - start < entry.packed || name != entry.name.size() ||
      std::memcmp(data_ + entry.header + kLocal, entry.name.data(), name) != 0)
    broken("the header of " + entry.name + " is wrong");
  std::string text;
  try {
    size_t used = entry.packed;
    if (entry.method == 8)
      text = inflate(data_ + start, entry.packed, entry.unpacked, used);
    else
      text.assign(reinterpret_cast<const char *>(data_ + start), entry.packed);
  } catch (const std::runtime_error &error) {
    broken(error.what());
  }
  if (text.size() != entry.unpacked ||
      !same_checksum(crc32(reinterpret_cast<const uint8_t *>(text.data()), text.size()), entry.checksum))
    broken(entry.name + " is damaged");
  return text;
}

}  // namespace segedge
