// LiteRT's C library, opened when a session is: one model, one input tensor, one output tensor.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "contract.h"

namespace segedge {

// Zeros where LiteRT may read and write in place, with some more behind them; throws std::bad_alloc.
struct Memory {
  explicit Memory(size_t size);
  size_t size;
  std::unique_ptr<uint8_t, void (*)(void *)> data;
};

class LiteRt {
 public:
  // `library`: a path, or empty for $SEGEDGE_LITERT and then the loader's own search. `model` must outlive this. Throws
  // Error: no library, another version, or a model that it refuses or that is not the contract's.
  LiteRt(const std::string &library, const Memory &model, uint32_t threads, const Contract &contract);
  ~LiteRt();

  const Memory &input() const;
  const Memory &output() const;
  void run();

 private:
  struct Network;
  std::unique_ptr<Network> network_;
};

}  // namespace segedge
