#include <algorithm>
#include <limits>
#include <locale>
#include <sstream>
#include <stdexcept>

#include "json.h"

namespace segedge {
namespace {

constexpr int kDeepest = 64;
constexpr size_t kMostDigits = 4300;  // of a whole number, as Python has it
constexpr double kLargest = 1e9;      // of the numbers in a list

// For a message: one line of UTF-8 whatever it holds, cut between two characters.
std::string shown(const std::string &text, size_t most) {
  while (most > 0 && most < text.size() && (text[most] & 0xC0) == 0x80) most--;
  std::string out = text.substr(0, most);
  const bool whole = is_utf8(out);  // a lone surrogate is not
  for (char &c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || (!whole && (c & 0x80))) c = '?';
  return out;
}

void append_utf8(std::string &out, unsigned code) {
  const auto byte = [&out](unsigned value) { out += static_cast<char>(value); };
  if (code < 0x80) return byte(code);
  if (code < 0x800) return byte(0xC0 | code >> 6), byte(0x80 | (code & 0x3F));
  if (code < 0x10000) {
    byte(0xE0 | code >> 12);
  } else {
    byte(0xF0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3F));
  }
  byte(0x80 | (code >> 6 & 0x3F));
  byte(0x80 | (code & 0x3F));
}

class Parser {
 public:
  explicit Parser(const std::string &text) : text_(text) {}

  Value whole() {
    Value value = any(0);
    space();
    if (at_ != text_.size()) fail("more text after the end");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string &what) const { throw JsonError(what + " at byte " + std::to_string(at_)); }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char wanted) { return peek() == wanted && at_ < text_.size() ? (at_++, true) : false; }
  bool digit() const { return peek() >= '0' && peek() <= '9'; }

  void space() {
    while (at_ < text_.size() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) at_++;
  }

  bool word(const char *word) {
    const std::string wanted = word;
    if (text_.compare(at_, wanted.size(), wanted) != 0) return false;
    at_ += wanted.size();
    return true;
  }

  Value any(int depth) {
    space();
    if (depth > kDeepest) fail("nested deeper than 64");
    Value value;
    if (peek() == '"') {
      value.kind = Value::text;
      value.string = string();
    } else if (take('[')) {
      list(value, depth + 1);
    } else if (take('{')) {
      object(value, depth + 1);
    } else if (peek() == '-' || digit()) {
      number(value);
    } else if (word("true") || word("false")) {
      value.kind = Value::boolean;
      value.truth = text_[at_ - 2] == 'u';
    } else if (!word("null")) {
      fail("no value");
    }
    return value;
  }

  void list(Value &value, int depth) {
    if (depth > kDeepest) fail("nested deeper than 64");
    value.kind = Value::list;
    space();
    if (take(']')) return;
    do value.items.push_back(any(depth));
    while (space(), take(','));
    if (!take(']')) fail("a list without end");
  }

  void object(Value &value, int depth) {
    if (depth > kDeepest) fail("nested deeper than 64");
    value.kind = Value::object;
    std::set<std::string> names;
    space();
    if (take('}')) return;
    do {
      space();
      if (peek() != '"') fail("no name of a field");
      std::string key = string();
      if (!names.insert(key).second) fail("'" + shown(key, 80) + "' stands twice in one object");
      space();
      if (!take(':')) fail("no ':' behind a name");
      Value inner = any(depth);
      value.members.push_back({std::move(key), std::move(inner)});
    } while (space(), take(','));
    if (!take('}')) fail("an object without end");
  }

  void number(Value &value) {
    const size_t start = at_;
    take('-');
    const size_t first = at_;
    if (!take('0') && !digit()) fail("no number");
    if (at_ == first) {
      while (digit()) at_++;
    }
    const size_t digits = at_ - first;
    value.kind = Value::number;
    value.whole = true;
    if (peek() == '.') {
      at_++;
      if (!digit()) fail("no digit behind the point");
      while (digit()) at_++;
      value.whole = false;
    }
    if (peek() == 'e' || peek() == 'E') {
      at_++;
      if (!take('+')) take('-');
      if (!digit()) fail("no exponent");
      while (digit()) at_++;
      value.whole = false;
    }
    if (value.whole && digits > kMostDigits) fail("a number of thousands of digits");
    // strtod follows the program's locale, from_chars for double is missing on phones
    std::istringstream stream(text_.substr(start, at_ - start));
    stream.imbue(std::locale::classic());
    stream >> value.real;
    // what is too large for a double comes as the largest one
    if (stream.fail() && std::abs(value.real) > 1)
      value.real = std::copysign(std::numeric_limits<double>::infinity(), value.real);
  }

  unsigned four_digits() {
    unsigned code = 0;
    for (int k = 0; k < 4; k++) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail("no four digits behind \\u");
      code = code << 4 | static_cast<unsigned>(digit);
      at_++;
    }
    return code;
  }

  unsigned escaped() {
    static constexpr char kNames[] = "\"\\/bfnrt", kMeanings[] = "\"\\/\b\f\n\r\t";
    const char c = peek();
    at_++;
    for (int k = 0; kNames[k]; k++)
      if (c == kNames[k]) return static_cast<unsigned char>(kMeanings[k]);
    if (c != 'u') fail("an unknown escape");
    const unsigned high = four_digits();
    if (high < 0xD800 || high > 0xDBFF || text_.compare(at_, 2, "\\u") != 0) return high;
    const size_t back = at_;
    at_ += 2;
    const unsigned low = four_digits();
    if (low >= 0xDC00 && low <= 0xDFFF) return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    at_ = back;
    return high;
  }

  std::string string() {
    std::string out;
    at_++;
    for (;;) {
      if (at_ >= text_.size()) fail("a text without end");
      const char c = text_[at_++];
      if (c == '"') return out;
      if (static_cast<unsigned char>(c) < 0x20) fail("a control character in a text");
      if (c == '\\')
        append_utf8(out, escaped());
      else
        out += c;
    }
  }

  const std::string &text_;
  size_t at_ = 0;
};

size_t characters(const std::string &text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string plain(double value) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << value;
  return out.str();
}

std::string shown(const Value *value) {
  if (!value) return "missing";
  switch (value->kind) {
    case Value::null: return "null";
    case Value::boolean: return value->truth ? "true" : "false";
    case Value::number: return plain(value->real);
    case Value::text: return "'" + shown(value->string, 60) + "'";
    case Value::list: return "a list of " + std::to_string(value->items.size());
    case Value::object: return "an object";
  }
  return "";
}

}  // namespace

bool is_utf8(const std::string &text) {
  for (size_t at = 0; at < text.size();) {
    const unsigned first = static_cast<unsigned char>(text[at++]);
    if (first < 0x80) continue;
    const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    if (first < 0xC2 || first > 0xF4) return false;
    unsigned code = first & (0x3Fu >> more);
    for (int k = 0; k < more; k++) {
      if (at == text.size() || (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80) return false;
      code = code << 6 | (static_cast<unsigned char>(text[at++]) & 0x3Fu);
    }
    const unsigned least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
    if (code < least || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
  }
  return true;
}

const Value *Value::find(const std::string &key) const {
  for (const Member &member : members)
    if (member.key == key) return &member.value;
  return nullptr;
}

Value parse_json(const std::string &text) {
  if (!is_utf8(text)) throw JsonError("not UTF-8");
  return Parser(text).whole();
}

Fields::Fields(const Value &data, const std::string &where) : data_(data), where_(where.empty() ? "" : where + ".") {
  if (data.kind != Value::object)
    throw JsonError((where.empty() ? "the whole" : where) + " is " + shown(&data) + ", expected an object {…}");
}

bool Fields::has(const std::string &key) {
  seen_.insert(key);
  const Value *value = data_.find(key);
  return value && value->kind != Value::null;
}

const Value &Fields::raw(const std::string &key) {
  seen_.insert(key);
  const Value *value = data_.find(key);
  if (!value) throw JsonError(where_ + key + " is missing");
  return *value;
}

void Fields::finish() const {
  for (const Member &member : data_.members) {
    if (seen_.count(member.key)) continue;
    std::string known;
    for (const std::string &one : seen_) known += (known.empty() ? "" : ", ") + one;
    throw JsonError("unknown field " + where_ + shown(member.key, 80) + ", known: " + known);
  }
  for (const auto &inner : inner_) inner->finish();
}

void Fields::header(const std::string &name, int version) {
  if (string("format") != name) fail("format", "'" + name + "'");
  whole("version", version, version);
}

std::string Fields::choice(const std::string &key, std::initializer_list<const char *> known) {
  const Value &value = raw(key);
  std::string all;
  for (const char *one : known) {
    if (value.kind == Value::text && value.string == one) return value.string;
    all += (all.empty() ? "" : ", ") + std::string(one);
  }
  fail(key, "one of " + all);
}

double Fields::whole(const std::string &key, double low, double high) {
  const Value &value = raw(key);
  if (value.kind != Value::number || !value.whole || !(value.real >= low && value.real <= high))
    fail(key, low < high ? "a whole number from " + plain(low) + " to " + plain(high) : plain(low));
  return value.real;
}

int Fields::integer(const std::string &key, double low, double high) { return static_cast<int>(whole(key, low, high)); }

double Fields::number(const std::string &key, double low, double high) { return checked(key, raw(key), low, high); }

std::vector<double> Fields::numbers(const std::string &key, size_t count) {
  const Value &value = raw(key);
  if (value.kind != Value::list || value.items.size() != count) fail(key, std::to_string(count) + " numbers");
  std::vector<double> found;
  for (const Value &item : value.items) found.push_back(checked(key, item, -kLargest, kLargest));
  return found;
}

void Fields::boolean(const std::string &key) {
  if (raw(key).kind != Value::boolean) fail(key, "true or false");
}

std::string Fields::string(const std::string &key, size_t most) {
  const Value &value = raw(key);
  if (value.kind != Value::text || characters(value.string) > most)
    fail(key, "text of at most " + std::to_string(most) + " characters");
  return value.string;
}

size_t Fields::strings(const std::string &key) {
  const Value &value = raw(key);
  bool fits = value.kind == Value::list;
  for (const Value &item : value.items) fits = fits && item.kind == Value::text;
  if (!fits) fail(key, "a list of texts");
  return value.items.size();
}

void Fields::string_map(const std::string &key) {
  const Value &value = raw(key);
  bool fits = value.kind == Value::object;
  for (const Member &member : value.members) fits = fits && member.value.kind == Value::text;
  if (!fits) fail(key, "an object of texts");
}

std::string Fields::digest(const std::string &key) {
  const Value &value = raw(key);
  const bool hex = value.string.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (value.kind != Value::text || value.string.size() != 64 || !hex) fail(key, "64 hexadecimal digits");
  return value.string;
}

void Fields::any_object(const std::string &key) {
  if (raw(key).kind != Value::object) fail(key, "an object {…}");
}

Fields &Fields::part(const std::string &key) {
  inner_.push_back(std::make_unique<Fields>(raw(key), where_ + key));
  return *inner_.back();
}

std::vector<Fields *> Fields::parts(const std::string &key, size_t low, size_t high) {
  const Value &value = raw(key);
  if (value.kind != Value::list || value.items.size() < low || value.items.size() > high)
    fail(key, "a list of " + std::to_string(low) + " to " + std::to_string(high));
  std::vector<Fields *> found;
  for (size_t k = 0; k < value.items.size(); k++) {
    inner_.push_back(std::make_unique<Fields>(value.items[k], where_ + key + "[" + std::to_string(k) + "]"));
    found.push_back(inner_.back().get());
  }
  return found;
}

void Fields::fail(const std::string &key, const std::string &expected) {
  throw JsonError(where_ + key + " is " + shown(data_.find(key)) + ", expected " + expected);
}

double Fields::checked(const std::string &key, const Value &value, double low, double high) {
  if (value.kind != Value::number || !std::isfinite(value.real) || !(value.real >= low && value.real <= high))
    fail(key, "a number from " + plain(low) + " to " + plain(high));
  return value.real;
}

}  // namespace segedge
