// A model file, loaded, and one stream of frames.
#pragma once

#include <memory>
#include <string>

#include "archive.h"
#include "litert.h"
#include "postprocess.h"
#include "refine.h"

namespace segedge {

// The bytes of a file, or a copy of the caller's, where LiteRT may read them in place.
struct Memory {
  static Memory of_file(const std::string &path);
  static Memory copy_of(const void *data, size_t size);
  std::unique_ptr<uint8_t, void (*)(void *)> bytes;
  size_t size;
};

class Session {
 public:
  Session(Memory memory, const segedge_options &options, int threads);

  void mask(const Picture &picture, float *out, size_t stride);
  void alpha(const Picture &picture, segedge_preset preset, uint8_t *out, size_t stride);
  void reset() { refiner_.reset(); }
  void self_test(segedge_result &result);
  void inspect(segedge_step step, const void *&data, size_t &bytes);

  const Contract &contract() const { return contract_; }
  const std::string &contract_text() const { return text_; }
  int threads() const { return threads_; }

 private:
  void run(const Picture &picture);

  Memory memory_;
  Archive archive_;
  std::string text_;
  Contract contract_;
  int threads_, feather_;
  LiteRt network_;
  Preprocessor preprocess_;
  Refiner refiner_;
  segedge_preset preset_ = SEGEDGE_FAST;
  bool has_run_ = false;
  Size coarse_size_{0, 0};
  std::vector<float> probability_, coarse_;
  std::vector<uint8_t> luma_;
};

}  // namespace segedge
