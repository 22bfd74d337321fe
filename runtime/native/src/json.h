// JSON from outside: parsed strictly, then read field by field, as segruntime/strict_json does.
#pragma once

#include <cmath>
#include <initializer_list>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace segedge {

struct Member;

struct Value {
  enum Kind { null, boolean, number, text, list, object } kind = null;
  bool truth = false, whole = false;  // whole: a number without fraction and exponent
  double real = 0;
  std::string string;  // UTF-8
  std::vector<Value> items;
  std::vector<Member> members;

  const Value *find(const std::string &key) const;
};

struct Member {
  std::string key;
  Value value;
};

bool is_utf8(const std::string &text);

// Throws JsonError: not UTF-8, not JSON, nested deeper than 64, a name twice in one object, NaN or Infinity.
Value parse_json(const std::string &text);

class JsonError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A JSON object, field by field; `finish` refuses what nobody asked for. Every method throws JsonError naming the
// field.
class Fields {
 public:
  explicit Fields(const Value &data, const std::string &where = "");

  bool has(const std::string &key);  // and is not null
  const Value &raw(const std::string &key);
  void finish() const;
  void header(const std::string &name, int version);
  std::string choice(const std::string &key, std::initializer_list<const char *> known);
  int integer(const std::string &key, double low, double high);
  void count(const std::string &key, double high) { whole(key, 0, high); }
  double number(const std::string &key, double low, double high);
  std::vector<double> numbers(const std::string &key, size_t count);
  void boolean(const std::string &key);
  std::string string(const std::string &key, size_t most = 4096);
  size_t strings(const std::string &key);
  void string_map(const std::string &key);
  std::string digest(const std::string &key);
  void any_object(const std::string &key);
  Fields &part(const std::string &key);
  std::vector<Fields *> parts(const std::string &key, size_t low, size_t high);
  [[noreturn]] void fail(const std::string &key, const std::string &expected);

 private:
  double whole(const std::string &key, double low, double high);
  double checked(const std::string &key, const Value &value, double low, double high);

  const Value &data_;
  std::string where_;
  std::set<std::string> seen_;
  std::vector<std::unique_ptr<Fields>> inner_;
};

}  // namespace segedge
