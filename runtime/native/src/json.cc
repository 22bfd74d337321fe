#include "json.h"

#include <algorithm>
#include <charconv>
#include <locale>
#include <sstream>
#include <string_view>

#include "error.h"

namespace segedge {
namespace {

constexpr int kDeepest = 64;
constexpr size_t kMostDigits = 4300;  // of a whole number, as Python has it
constexpr double kLargest = 1e9;      // of the numbers in a list

void append_utf8(std::string &out, unsigned code) {
  static constexpr unsigned kFirst[] = {0, 0xC0, 0xE0, 0xF0};
  const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  out += static_cast<char>(kFirst[more] | code >> 6 * more);
  for (int k = more; k-- > 0;) out += static_cast<char>(0x80 | (code >> 6 * k & 0x3F));
}

bool is_inside(char c) { return (c & 0xC0) == 0x80; }  // a character of UTF-8, behind its first byte
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20; }

// For a message: one line of UTF-8 whatever it holds, cut between two characters.
std::string shown(const std::string &text, size_t most) {
  while (most > 0 && most < text.size() && is_inside(text[most])) most--;
  std::string out = text.substr(0, most);
  const bool whole = is_utf8(out);  // a lone surrogate is not
  for (char &c : out)
    if (is_control(c) || c == 0x7F || (!whole && (c & 0x80))) c = '?';
  return out;
}

std::string plain(double value) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << value;
  return out.str();
}

std::string shown(const Value &value) {
  const std::string text = shown(value.string, 60);
  return value.kind == Value::text ? "'" + text + "'" : text;
}

template <class Names>
std::string joined(const Names &names) {
  std::string all;
  for (const auto &name : names) all += (all.empty() ? "" : ", ") + std::string(name);
  return all;
}

struct Parser {
  const std::string &text;
  size_t at = 0;

  [[noreturn]] void fail(const std::string &what) const { refuse(what + " at byte " + std::to_string(at)); }
  char peek() const { return at < text.size() ? text[at] : '\0'; }
  bool digit() const { return peek() >= '0' && peek() <= '9'; }
  void space() { at = std::min(text.find_first_not_of(" \t\n\r", at), text.size()); }

  bool take(std::string_view word) {
    const bool found = text.compare(at, word.size(), word) == 0;
    if (found) at += word.size();
    return found;
  }

  Value any(int depth) {
    space();
    if (take("\"")) return {Value::text, string()};
    if (take("[")) return inside(Value::list, "]", depth + 1);
    if (take("{")) return inside(Value::object, "}", depth + 1);
    if (take("null")) return {Value::null, "null"};
    if (take("true")) return {Value::boolean, "true"};
    if (take("false")) return {Value::boolean, "false"};
    if (peek() != '-' && !digit()) fail("no value");
    return number();
  }

  Value inside(Value::Kind kind, const char *end, int depth) {
    if (depth > kDeepest) fail("nested deeper than 64");
    const bool object = kind == Value::object;
    Value value{kind, object ? "an object" : "a list of "};
    std::set<std::string> names;
    space();
    for (bool last = take(end); !last; last = !take(",")) {
      std::string key;
      if (object) {
        space();
        if (!take("\"")) fail("no name of a field");
        key = string();
        if (!names.insert(key).second) fail("'" + shown(key, 80) + "' stands twice in one object");
        space();
        if (!take(":")) fail("no ':' behind a name");
      }
      value.items.push_back(any(depth));
      value.items.back().key = key;
      space();
    }
    if (!value.items.empty() && !take(end)) fail(object ? "an object without end" : "a list without end");
    if (!object) value.string += std::to_string(value.items.size());
    return value;
  }

  size_t digits(const char *missing) {
    const size_t start = at;
    while (digit()) at++;
    if (at == start) fail(missing);
    return at - start;
  }

  Value number() {
    const size_t start = at;
    take("-");
    const size_t count = take("0") ? 1 : digits("no number");
    const bool point = take(".");
    if (point) digits("no digit behind the point");
    const bool exponent = take("e") || take("E");
    if (exponent && !take("+")) take("-");
    if (exponent) digits("no exponent");
    Value value{Value::number, text.substr(start, at - start)};
    value.whole = !point && !exponent;
    if (value.whole && count > kMostDigits) fail("a number of thousands of digits");
    // strtod follows the program's locale, from_chars for double is missing on phones
    std::istringstream stream(value.string);
    stream.imbue(std::locale::classic());
    stream >> value.real;  // the largest one where it is too large for a double
    return value;
  }

  unsigned four_digits() {
    unsigned code = 0;
    const char *from = text.data() + at, *to = from + std::min<size_t>(4, text.size() - at);
    if (std::from_chars(from, to, code, 16).ptr - from != 4) fail("no four digits behind \\u");
    at += 4;
    return code;
  }

  unsigned escaped() {
    static const std::string kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    if (!take("u")) {
      const size_t which = kNames.find(peek());
      at++;
      if (which == std::string::npos) fail("an unknown escape");
      return static_cast<unsigned char>(kMeanings[which]);
    }
    const unsigned high = four_digits();
    const size_t back = at;
    if (high >= 0xD800 && high <= 0xDBFF && take("\\u")) {
      const unsigned low = four_digits();
      if (low >= 0xDC00 && low <= 0xDFFF) return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
      at = back;
    }
    return high;
  }

  std::string string() {
    std::string out;
    while (!take("\"")) {
      if (at >= text.size()) fail("a text without end");
      const char c = text[at++];
      if (is_control(c)) fail("a control character in a text");
      if (c == '\\')
        append_utf8(out, escaped());
      else
        out += c;
    }
    return out;
  }
};

}  // namespace

// What is not as it would be written again was not UTF-8.
bool is_utf8(const std::string &text) {
  std::string again;
  for (size_t at = 0; at < text.size();) {
    const unsigned first = static_cast<unsigned char>(text[at++]);
    const int more = first < 0xC0 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    unsigned code = more ? first & (0x3Fu >> more) : first & 0x7F;
    for (int k = 0; k < more && at < text.size(); k++) code = code << 6 | (static_cast<unsigned>(text[at++]) & 0x3F);
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    append_utf8(again, code);
  }
  return again == text;
}

Value parse_json(const std::string &text) {
  if (!is_utf8(text)) refuse("not UTF-8");
  Parser parser{text};
  Value value = parser.any(0);
  parser.space();
  if (parser.at != text.size()) parser.fail("more text after the end");
  return value;
}

Field Field::operator[](const std::string &key) {
  static const Value kMissing{Value::missing, "missing"};
  if (!is(Value::object)) refuse((where_.empty() ? "the whole" : where_) + " is " + shown(value_) + ", expected an object {…}");
  asked_.insert(key);
  const auto found = std::find_if(value_.items.begin(), value_.items.end(), [&](const Value &one) { return one.key == key; });
  return Field(found == value_.items.end() ? kMissing : *found, where_.empty() ? key : where_ + "." + key);
}

std::vector<Field> Field::parts(size_t low, size_t high, const std::string &expected) const {
  must_be(is(Value::list) && value_.items.size() >= low && value_.items.size() <= high, expected);
  std::vector<Field> found;
  for (const Value &item : value_.items) found.emplace_back(item, where_ + "[" + std::to_string(found.size()) + "]");
  return found;
}

void Field::finish() const {
  for (const Value &item : value_.items)
    if (!asked_.count(item.key))
      refuse("unknown field " + (where_.empty() ? "" : where_ + ".") + shown(item.key, 80) + ", known: " + joined(asked_));
}

const std::string &Field::choice(std::initializer_list<const char *> known) const {
  const bool found = std::find(known.begin(), known.end(), value_.string) != known.end();
  must_be(is(Value::text) && found, known.size() == 1 ? "'" + joined(known) + "'" : "one of " + joined(known));
  return value_.string;
}

const std::string &Field::string(size_t most) const {
  const auto inside = std::count_if(value_.string.begin(), value_.string.end(), is_inside);
  must_be(is(Value::text) && value_.string.size() - static_cast<size_t>(inside) <= most,
          "text of at most " + std::to_string(most) + " characters");
  return value_.string;
}

const std::string &Field::digest() const {
  const bool hex = value_.string.find_first_not_of("0123456789abcdef") == std::string::npos;
  must_be(is(Value::text) && value_.string.size() == 64 && hex, "64 hexadecimal digits");
  return value_.string;
}

size_t Field::texts(Value::Kind kind) const {
  const auto is_text = [](const Value &one) { return one.kind == Value::text; };
  must_be(is(kind) && std::all_of(value_.items.begin(), value_.items.end(), is_text),
          kind == Value::list ? "a list of texts" : "an object of texts");
  return value_.items.size();
}

double Field::number(double low, double high, bool whole) const {
  const bool fits = is(Value::number) && value_.real >= low && value_.real <= high && (value_.whole || !whole);
  const std::string from = whole ? "a whole number from " : "a number from ";
  must_be(fits, low == high ? plain(low) : from + plain(low) + " to " + plain(high));
  return value_.real;
}

std::vector<double> Field::numbers(size_t count) const {
  std::vector<double> found;
  for (const Field &one : parts(count, count, std::to_string(count) + " numbers"))
    found.push_back(one.number(-kLargest, kLargest));
  return found;
}

void Field::must_be(bool fits, const std::string &expected) const {
  if (!fits) refuse(where_ + " is " + shown(value_) + ", expected " + expected);
}

}  // namespace segedge
