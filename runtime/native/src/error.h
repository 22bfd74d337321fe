// What goes wrong inside: caught where the C interface begins (api.cc), never further out.
#pragma once

#include <stdexcept>
#include <string>

#include "segedge.h"

namespace segedge {

class Error : public std::runtime_error {
 public:
  Error(segedge_status status, const std::string &text) : std::runtime_error(text), status(status) {}
  const segedge_status status;
};

inline Error argument_error(const std::string &text) { return {SEGEDGE_ARGUMENT, text}; }
inline Error unexpected(const std::string &name, const std::string &got, const std::string &expected) {
  return argument_error(name + ": got " + got + ", expected " + expected);
}
inline Error file_error(const std::string &text) { return {SEGEDGE_FILE, text}; }

// Of bytes from outside, for whoever knows which part of the file they are and makes an Error of it.
[[noreturn]] inline void refuse(const std::string &what) { throw std::runtime_error(what); }

}  // namespace segedge
