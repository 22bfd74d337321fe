// LiteRT's C library, opened when a session is: one model, one input tensor, one output tensor.
#pragma once

#include <memory>
#include <string>

#include "contract.h"

namespace segedge {

struct TensorType;  // LiteRtRankedTensorType

class LiteRt {
 public:
  // `library`: a path, or empty for $SEGEDGE_LITERT and then the loader's own search. `model` must outlive this and be
  // aligned to 64 bytes. Throws Error: no library, another version, or a model that it refuses or that is not the
  // contract's.
  LiteRt(const std::string &library, const void *model, size_t size, int threads, const Contract &contract);
  ~LiteRt();
  LiteRt(const LiteRt &) = delete;
  LiteRt &operator=(const LiteRt &) = delete;

  void *input() { return input_.memory.get(); }
  const void *output() const { return output_.memory.get(); }
  size_t input_bytes() const { return input_.bytes; }
  size_t output_bytes() const { return output_.bytes; }
  void run();

 private:
  struct Library;
  TensorType checked(void *graph, const std::string &which, const Tensor &spec, const TensorType &wanted);
  struct Free {
    void operator()(void *memory) const;
  };
  struct Buffer {
    std::unique_ptr<void, Free> memory;
    size_t bytes = 0;
    void *handle = nullptr;
  };

  void open(const void *model, size_t size, int threads, const Contract &contract);
  void make_options(int threads);
  void make_buffer(const Tensor &spec, Buffer &buffer);
  void check(const char *call, int status) const;
  void close();

  std::unique_ptr<Library> library_;
  void *environment_ = nullptr, *model_ = nullptr, *options_ = nullptr, *compiled_ = nullptr;
  Buffer input_, output_;
};

// Memory that LiteRT takes as it is; throws std::bad_alloc.
void *aligned_memory(size_t bytes);

}  // namespace segedge
