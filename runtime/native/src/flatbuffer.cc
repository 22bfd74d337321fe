#include "flatbuffer.h"

#include <algorithm>
#include <string>
#include <vector>

#include "error.h"
#include "json.h"

namespace segedge {
namespace {

constexpr size_t kMostRank = 8, kTypes = 32;  // TensorType has 22 values now
constexpr double kMostElements = 2147483648.0;
constexpr int kUint8 = 3, kInt16 = 7, kInt8 = 9, kResource = 13, kVariant = 14;

struct Table {
  size_t at = 0, size = 0;
  size_t vtable = 0, fields = 0;
};

struct Vector {
  size_t at = 0, count = 0;
};

// Reads tables, vectors and numbers by the field numbers of TensorFlow Lite's schema.fbs; what lies outside the file is
// refused.
class Walker {
 public:
  Walker(const uint8_t *data, size_t size) : data_(data), size_(size), left_(4 * static_cast<uint64_t>(size)) {}

  void model() {
    const Table model = table(follow(0));
    std::vector<uint64_t> buffers;
    for (const Table &one : tables(model, 4)) buffers.push_back(buffer(one));
    const std::vector<Table> codes = tables(model, 1), subgraphs = tables(model, 2);
    for (const Table &one : codes) vector(one, 1, 1);
    std::vector<size_t> counts;
    for (const Table &one : subgraphs) counts.push_back(subgraph(one, buffers, codes.size()));
    if (subgraphs.empty() || buffers.empty()) damaged("it has no subgraph or no buffer");
    for (const Table &one : tables(model, 6)) {
      vector(one, 0, 1);
      index(number(one, 1, 4), buffers.size());
    }
    for (const Table &one : tables(model, 7)) signature(one, counts);
  }

  // The zip behind the flatbuffer, if it begins, must end: the contract is in it.
  void archive() const {
    const auto *begin = reinterpret_cast<const uint8_t *>("PK\3\4"), *mark = reinterpret_cast<const uint8_t *>("PK\5\6");
    const uint8_t *from = data_ + end_, *to = data_ + size_;
    if (std::search(from, to, begin, begin + 4) == to) return;
    const uint8_t *found = std::find_end(from, to, mark, mark + 4);
    if (to - found < 22 || to - found - 22 < (found[20] | found[21] << 8)) damaged("the archive behind the model has no end");
  }

 private:
  [[noreturn]] static void damaged(const std::string &what) {
    throw file_error("cut off or damaged: " + what + "; copy the file again, or export it again with segexport");
  }

  void within(uint64_t at, uint64_t length) const {
    if (at > size_ || length > size_ - at) damaged("a part of the model lies outside the file");
    end_ = std::max(end_, static_cast<size_t>(at + length));
  }

  // A whole model names each of its parts about once; one that names the same ones over and over would be walked for hours.
  void spend(uint64_t bytes) const {
    if (bytes > left_) damaged("it names the same parts over and over");
    left_ -= bytes;
  }

  uint64_t raw(size_t at, size_t bytes) const {
    within(at, bytes);
    uint64_t value = 0;
    for (size_t k = bytes; k-- > 0;) value = value << 8 | data_[at + k];
    return value;
  }

  // At most four bytes, which every size_t holds.
  size_t small(size_t at, size_t bytes) const { return static_cast<size_t>(raw(at, bytes)); }

  int32_t signed_at(size_t at) const { return static_cast<int32_t>(static_cast<uint32_t>(raw(at, 4))); }

  size_t follow(size_t at) const {
    const uint64_t to = at + raw(at, 4);
    within(to, 4);  // before a size_t of 32 bits wraps
    return static_cast<size_t>(to);
  }

  Table table(size_t at) const {
    const int64_t vtable = static_cast<int64_t>(at) - signed_at(at);
    if (vtable < 0) damaged("a table begins before the file");
    within(static_cast<uint64_t>(vtable), 4);
    Table found;
    found.at = at;
    found.vtable = static_cast<size_t>(vtable);
    const size_t length = small(found.vtable, 2);
    found.size = small(found.vtable + 2, 2);
    within(found.vtable, length);
    spend(4 + length);
    within(at, found.size);
    found.fields = length < 4 ? 0 : (length - 4) / 2;
    bool fits = length >= 4 && found.size >= 4;
    for (size_t k = 0; k < found.fields; k++) {
      const size_t field = small(found.vtable + 4 + 2 * k, 2);
      fits = fits && (field == 0 || (field >= 4 && field < found.size));
    }
    if (!fits) damaged("a table lists a field outside itself");
    return found;
  }

  // Where a field of that many bytes lies; 0 if it is absent.
  size_t field(const Table &table, size_t number, size_t bytes) const {
    const size_t offset = number < table.fields ? small(table.vtable + 4 + 2 * number, 2) : 0;
    if (offset && offset + bytes > table.size) damaged("a field lies half outside its table");
    return offset ? table.at + offset : 0;
  }

  uint64_t number(const Table &table, size_t which, size_t bytes) const {
    const size_t at = field(table, which, bytes);
    return at ? raw(at, bytes) : 0;
  }

  bool child(const Table &parent, size_t which, Table &found) const {
    const size_t at = field(parent, which, 4);
    if (at) found = table(follow(at));
    return at != 0;
  }

  void child(const Table &parent, size_t which) const {
    Table unused;
    child(parent, which, unused);
  }

  Vector vector(const Table &table, size_t which, size_t width) const {
    const size_t at = field(table, which, 4);
    if (!at) return {};
    const size_t start = follow(at), count = small(start, 4);
    within(start + 4, static_cast<uint64_t>(count) * width);
    return {start + 4, count};
  }

  std::vector<Table> tables(const Table &parent, size_t which) const {
    const Vector offsets = vector(parent, which, 4);
    std::vector<Table> found;
    spend(4 * static_cast<uint64_t>(offsets.count));
    for (size_t k = 0; k < offsets.count; k++) found.push_back(table(follow(offsets.at + 4 * k)));
    return found;
  }

  static void index(uint64_t index, size_t count) {
    if (index >= count) damaged("it names a part that does not exist");
  }

  // Indices of tensors; -1, where it is allowed, stands for none and is left out.
  std::vector<size_t> indices(const Table &table, size_t which, size_t tensors, bool optional = false) const {
    const Vector listed = vector(table, which, 4);
    std::vector<size_t> found;
    spend(4 * static_cast<uint64_t>(listed.count));
    for (size_t k = 0; k < listed.count; k++) {
      const int32_t value = signed_at(listed.at + 4 * k);
      if (optional && value == -1) continue;
      index(value < 0 ? tensors : static_cast<size_t>(value), tensors);
      found.push_back(static_cast<size_t>(value));
    }
    return found;
  }

  void behind(const Table &table, size_t start_field) const {
    const uint64_t start = number(table, start_field, 8), length = number(table, start_field + 1, 8);
    if (start > 1) within(start, length);  // 0 and 1 stand for "not stored behind the flatbuffer"
  }

  uint64_t buffer(const Table &table) const {
    const uint64_t inside = vector(table, 0, 1).count, length = number(table, 2, 8);
    behind(table, 1);
    return inside > length ? inside : length;
  }

  size_t subgraph(const Table &subgraph, const std::vector<uint64_t> &buffers, size_t codes) const {
    std::vector<bool> written;
    for (const Table &one : tables(subgraph, 0)) written.push_back(tensor(one, buffers));
    vector(subgraph, 4, 1);
    for (const size_t input : indices(subgraph, 1, written.size())) written[input] = true;
    for (const Table &one : tables(subgraph, 3)) operation(one, written, codes);
    for (const size_t output : indices(subgraph, 2, written.size()))
      if (!written[output]) damaged("nothing writes its output");
    return written.size();
  }

  // Operators stand in the order in which they run: what one reads is a constant, an input, or was written before.
  void operation(const Table &one, std::vector<bool> &written, size_t codes) const {
    index(number(one, 0, 4), codes);
    for (const size_t input : indices(one, 1, written.size(), true))
      if (!written[input]) damaged("an operator reads what nothing has written");
    indices(one, 8, written.size(), true);
    for (const size_t output : indices(one, 2, written.size(), true)) written[output] = true;
    child(one, 4);
    child(one, 12);
    vector(one, 5, 1);
    behind(one, 9);
  }

  // Does it hold values before anything has run?
  bool tensor(const Table &one, const std::vector<uint64_t> &buffers) const {
    const uint64_t buffer = number(one, 2, 4), kind = number(one, 1, 1);
    index(buffer, buffers.size());
    index(kind, kTypes);
    const Vector name = vector(one, 3, 1);
    spend(name.count);
    if (!is_utf8(std::string(reinterpret_cast<const char *>(data_) + name.at, name.count)))
      damaged("a tensor's name is not UTF-8");
    const double elements = shape(one, 0, 0);
    shape(one, 7, -1);
    if (elements > kMostElements) damaged("a tensor is too large");
    Table quantization;
    if (child(one, 4, quantization)) check_quantization(quantization, static_cast<int>(kind));
    child(one, 6);
    const bool variable = number(one, 5, 1) != 0, handle = kind == kResource || kind == kVariant;
    return variable || handle || buffers[static_cast<size_t>(buffer)] > 0 || elements == 0;
  }

  double shape(const Table &one, size_t which, int32_t least) const {
    const Vector listed = vector(one, which, 4);
    if (listed.count > kMostRank) damaged("a tensor has more than 8 axes");
    double elements = 1;
    for (size_t k = 0; k < listed.count; k++) {
      if (signed_at(listed.at + 4 * k) < least) damaged("a tensor has a negative side");
      elements *= signed_at(listed.at + 4 * k);
    }
    return elements;
  }

  void check_quantization(const Table &one, int kind) const {
    for (size_t which = 0; which < 3; which++) vector(one, which, 4);
    child(one, 5);
    const Vector zero_points = vector(one, 3, 8);
    const int64_t low = kind == kUint8 ? 0 : kind == kInt8 ? -128 : -32768;
    const int64_t high = kind == kUint8 ? 255 : kind == kInt8 ? 127 : 32767;
    if (kind != kUint8 && kind != kInt8 && kind != kInt16) return;
    spend(8 * static_cast<uint64_t>(zero_points.count));
    for (size_t k = 0; k < zero_points.count; k++) {
      const int64_t value = static_cast<int64_t>(raw(zero_points.at + 8 * k, 8));
      if (value < low || value > high) damaged("a tensor has a zero point that its type cannot hold");
    }
  }

  void signature(const Table &one, const std::vector<size_t> &counts) const {
    const uint64_t subgraph = number(one, 4, 4);
    index(subgraph, counts.size());
    vector(one, 2, 1);
    for (const size_t which : {size_t{0}, size_t{1}}) {
      for (const Table &entry : tables(one, which)) {
        vector(entry, 0, 1);
        index(number(entry, 1, 4), counts[static_cast<size_t>(subgraph)]);
      }
    }
  }

  const uint8_t *data_;
  size_t size_;
  mutable size_t end_ = 0;  // of what was read
  mutable uint64_t left_;   // bytes that may still be read
};

}  // namespace

void check_tflite(const uint8_t *data, size_t size) {
  Walker walker(data, size);
  walker.model();
  walker.archive();
}

}  // namespace segedge
