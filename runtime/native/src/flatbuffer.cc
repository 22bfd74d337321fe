#include "flatbuffer.h"

#include <algorithm>
#include <string>
#include <vector>

#include "error.h"
#include "inflate.h"
#include "json.h"

namespace segedge {
namespace {

constexpr size_t kMostRank = 8, kTypes = 32;  // TensorType has 22 values now
constexpr double kMostElements = 2147483648.0;
constexpr int kResource = 13, kVariant = 14;
constexpr struct {
  int kind;
  int64_t least, most;
} kZeroPoints[] = {{3, 0, 255}, {9, -128, 127}, {7, -32768, 32767}};  // of uint8, int8 and int16

// Positions have 64 bits, so that they do not wrap where a size_t has 32. One that is absent has no fields.
struct Table {
  uint64_t at = 0, size = 0, vtable = 0, fields = 0;
};

struct Vector {
  uint64_t at = 0, count = 0;
};

// Reads tables, vectors and numbers by the field numbers of TensorFlow Lite's schema.fbs; what lies outside the file is
// refused.
struct Walker {
  const uint8_t *data;
  size_t size;
  uint64_t left;   // bytes that may still be read
  size_t end = 0;  // of what was read

  void model() {
    const Table model = table(follow(0));
    std::vector<bool> filled;
    for (const Table &one : tables(model, 4)) {
      const uint64_t inside = vector(one, 0, 1).count, outside = behind(one, 1);
      filled.push_back(inside > 0 || outside > 0);
    }
    const std::vector<Table> codes = tables(model, 1), subgraphs = tables(model, 2);
    for (const Table &one : codes) vector(one, 1, 1);
    std::vector<size_t> counts;
    for (const Table &one : subgraphs) counts.push_back(subgraph(one, filled, codes.size()));
    if (subgraphs.empty() || filled.empty()) damaged("it has no subgraph or no buffer");
    for (const Table &one : tables(model, 6)) {
      vector(one, 0, 1);
      index(number(one, 1, 4), filled.size());
    }
    for (const Table &one : tables(model, 7)) signature(one, counts);
  }

  // The zip behind the flatbuffer, if it begins, must end: the contract is in it.
  void archive() const {
    const auto *begin = reinterpret_cast<const uint8_t *>("PK\3\4"), *mark = reinterpret_cast<const uint8_t *>("PK\5\6");
    const uint8_t *from = data + end, *to = data + size;
    if (std::search(from, to, begin, begin + 4) == to) return;
    const uint8_t *found = std::find_end(from, to, mark, mark + 4);
    if (to - found < 22 || to - found - 22 < (found[20] | found[21] << 8)) damaged("the archive behind the model has no end");
  }

  [[noreturn]] static void damaged(const std::string &what) {
    throw file_error("cut off or damaged: " + what + "; copy the file again, or export it again with segexport");
  }

  void within(uint64_t at, uint64_t length) {
    if (at > size || length > size - at) damaged("a part of the model lies outside the file");
    end = std::max(end, static_cast<size_t>(at + length));
  }

  // A whole model names each of its parts about once; one that names the same ones over and over would be walked for hours.
  void spend(uint64_t bytes) {
    if (bytes > left) damaged("it names the same parts over and over");
    left -= bytes;
  }

  uint64_t raw(uint64_t at, size_t bytes) {
    within(at, bytes);
    return little_endian(data + at, bytes);
  }

  int64_t signed_at(uint64_t at, size_t bytes) {
    const uint64_t value = raw(at, bytes);
    return bytes == 4 ? static_cast<int32_t>(value) : static_cast<int64_t>(value);
  }

  uint64_t follow(uint64_t at) { return at + raw(at, 4); }

  Table table(uint64_t at) {
    const int64_t vtable = static_cast<int64_t>(at) - signed_at(at, 4);
    if (vtable < 0) damaged("a table begins before the file");
    Table found{at, 0, static_cast<uint64_t>(vtable), 0};
    const uint64_t length = raw(found.vtable, 2);
    found.size = raw(found.vtable + 2, 2);
    within(found.vtable, length);
    spend(4 + length);
    within(at, found.size);
    bool fits = length >= 4 && found.size >= 4;
    for (uint64_t entry = found.vtable + 4; fits && entry + 1 < found.vtable + length; entry += 2, found.fields++) {
      const uint64_t field = raw(entry, 2);
      fits = field == 0 || (field >= 4 && field < found.size);
    }
    if (!fits) damaged("a table lists a field outside itself");
    return found;
  }

  // Where a field of that many bytes lies; 0 if it is absent.
  uint64_t field(const Table &table, size_t number, size_t bytes) {
    const uint64_t offset = number < table.fields ? raw(table.vtable + 4 + 2 * number, 2) : 0;
    if (offset && offset + bytes > table.size) damaged("a field lies half outside its table");
    return offset ? table.at + offset : 0;
  }

  uint64_t number(const Table &table, size_t which, size_t bytes) {
    const uint64_t at = field(table, which, bytes);
    return at ? raw(at, bytes) : 0;
  }

  Table child(const Table &parent, size_t which) {
    const uint64_t at = field(parent, which, 4);
    return at ? table(follow(at)) : Table();
  }

  Vector vector(const Table &table, size_t which, size_t width) {
    const uint64_t at = field(table, which, 4);
    if (!at) return {};
    const uint64_t start = follow(at), count = raw(start, 4);
    within(start + 4, count * width);
    return {start + 4, count};
  }

  // Where the elements of a vector lie.
  std::vector<uint64_t> elements(const Table &table, size_t which, size_t width) {
    const Vector listed = vector(table, which, width);
    spend(listed.count * width);
    std::vector<uint64_t> found(static_cast<size_t>(listed.count), listed.at);
    for (size_t k = 0; k < found.size(); k++) found[k] += k * width;
    return found;
  }

  std::vector<Table> tables(const Table &parent, size_t which) {
    std::vector<Table> found;
    for (const uint64_t at : elements(parent, which, 4)) found.push_back(table(follow(at)));
    return found;
  }

  static size_t index(uint64_t index, size_t count) {
    if (index >= count) damaged("it names a part that does not exist");
    return static_cast<size_t>(index);
  }

  // Indices of tensors; -1, where it is allowed, stands for none and is left out.
  std::vector<size_t> indices(const Table &table, size_t which, size_t tensors, bool optional = false) {
    std::vector<size_t> found;
    for (const uint64_t at : elements(table, which, 4)) {
      const int64_t value = signed_at(at, 4);
      if (!optional || value != -1) found.push_back(index(static_cast<uint64_t>(value), tensors));
    }
    return found;
  }

  // Bytes behind the flatbuffer: how many.
  uint64_t behind(const Table &table, size_t start_field) {
    const uint64_t start = number(table, start_field, 8), length = number(table, start_field + 1, 8);
    if (start > 1) within(start, length);  // 0 and 1 stand for "not stored behind the flatbuffer"
    return length;
  }

  size_t subgraph(const Table &subgraph, const std::vector<bool> &filled, size_t codes) {
    std::vector<bool> written;
    for (const Table &one : tables(subgraph, 0)) written.push_back(tensor(one, filled));
    vector(subgraph, 4, 1);
    for (const size_t input : indices(subgraph, 1, written.size())) written[input] = true;
    for (const Table &one : tables(subgraph, 3)) operation(one, written, codes);
    for (const size_t output : indices(subgraph, 2, written.size()))
      if (!written[output]) damaged("nothing writes its output");
    return written.size();
  }

  // Operators stand in the order in which they run: what one reads is a constant, an input, or was written before.
  void operation(const Table &one, std::vector<bool> &written, size_t codes) {
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
  bool tensor(const Table &one, const std::vector<bool> &filled) {
    const size_t buffer = index(number(one, 2, 4), filled.size()), kind = index(number(one, 1, 1), kTypes);
    const Vector name = vector(one, 3, 1);
    spend(name.count);
    if (!is_utf8(std::string(data + name.at, data + name.at + name.count))) damaged("a tensor's name is not UTF-8");
    const double count = shape(one, 0, 0);
    shape(one, 7, -1);
    if (count > kMostElements) damaged("a tensor is too large");
    quantization(child(one, 4), static_cast<int>(kind));
    child(one, 6);
    const bool variable = number(one, 5, 1) != 0, handle = kind == kResource || kind == kVariant;
    return variable || handle || filled[buffer] || count == 0;
  }

  double shape(const Table &one, size_t which, int64_t least) {
    const std::vector<uint64_t> sides = elements(one, which, 4);
    if (sides.size() > kMostRank) damaged("a tensor has more than 8 axes");
    double count = 1;
    for (const uint64_t at : sides) {
      if (signed_at(at, 4) < least) damaged("a tensor has a negative side");
      count *= static_cast<double>(signed_at(at, 4));
    }
    return count;
  }

  void quantization(const Table &one, int kind) {
    for (size_t which = 0; which < 3; which++) vector(one, which, 4);
    child(one, 5);
    for (const uint64_t at : elements(one, 3, 8))
      for (const auto &type : kZeroPoints)
        if (kind == type.kind && (signed_at(at, 8) < type.least || signed_at(at, 8) > type.most))
          damaged("a tensor has a zero point that its type cannot hold");
  }

  void signature(const Table &one, const std::vector<size_t> &counts) {
    const size_t tensors = counts[index(number(one, 4, 4), counts.size())];
    vector(one, 2, 1);
    for (size_t which = 0; which < 2; which++) {
      for (const Table &entry : tables(one, which)) {
        vector(entry, 0, 1);
        index(number(entry, 1, 4), tensors);
      }
    }
  }
};

}  // namespace

void check_tflite(const uint8_t *data, size_t size) {
  Walker walker{data, size, 4 * uint64_t{size}};
  walker.model();
  walker.archive();
}

}  // namespace segedge
