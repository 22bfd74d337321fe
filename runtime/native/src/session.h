// A model file, loaded, and one stream of frames.
#pragma once

#include "archive.h"
#include "litert.h"
#include "refine.h"
#include "tensors.h"

namespace segedge {

Memory read_file(const std::string &path);

class Session {
 public:
  Session(Memory file, const segedge_options &options);

  void mask(const Picture &picture, Rows<float> out);
  void alpha(const Picture &picture, segedge_preset preset, Rows<uint8_t> out);
  void reset() { refiner_.reset(); }
  void self_test(segedge_result &result);
  void inspect(segedge_step step, const void *&data, size_t &bytes) const;

  const Contract &contract() const { return contract_; }
  const std::string &contract_text() const { return text_; }
  uint32_t threads() const { return threads_; }

 private:
  void run(const Picture &picture);

  Memory file_;
  Archive archive_;
  std::string text_;
  Contract contract_;
  uint32_t threads_, feather_;
  LiteRt network_;
  Preprocessor preprocess_;
  Refiner refiner_;
  Plane<float> probability_, coarse_;  // of the last frame; empty where it failed
};

}  // namespace segedge
