// JSON from outside: parsed strictly, then read field by field, as segruntime/strict_json does.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <vector>

namespace segedge {

struct Value {
  enum Kind { missing, null, boolean, number, text, list, object } kind;
  std::string string;             // a text in UTF-8, a number or word as it was found; of a list and an object how to call it
  double real = 0;                // a number
  bool whole = false;             // it has neither fraction nor exponent
  std::vector<Value> items = {};  // of a list or an object
  std::string key = {};           // its name in the object that it is in
};

bool is_utf8(const std::string &text);

// Throws std::runtime_error: not UTF-8, not JSON, nested deeper than 64, a name twice in one object, NaN or Infinity.
Value parse_json(const std::string &text);

// A value and the names that lead to it. Every method throws std::runtime_error with them where it is another value than the
// method reads.
class Field {
 public:
  explicit Field(const Value &value, const std::string &where = "") : value_(value), where_(where) {}

  Field operator[](const std::string &key);  // what an object has under that name, which may be missing
  std::vector<Field> parts(size_t low, size_t high, const std::string &expected) const;
  void finish() const;  // an object: refuses what nobody asked for

  bool is(Value::Kind kind) const { return value_.kind == kind; }
  bool given() const { return !is(Value::missing) && !is(Value::null); }
  const std::string &choice(std::initializer_list<const char *> known) const;
  const std::string &string(size_t most = 4096) const;
  const std::string &digest() const;
  size_t texts(Value::Kind kind) const;  // how many a list or an object has
  double number(double low, double high, bool whole = false) const;
  int integer(double low, double high) const { return static_cast<int>(number(low, high, true)); }
  std::vector<double> numbers(size_t count) const;
  void must_be(bool fits, const std::string &expected) const;

 private:
  const Value &value_;
  std::string where_;
  std::set<std::string> asked_;
};

}  // namespace segedge
