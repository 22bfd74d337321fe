// LiteRT's C library, opened when a session is: one model, one input tensor, one output tensor.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "contract.h"

namespace segedge {

// Where LiteRT may read and write in place, with some zeros behind it, for it reads a little further; throws std::bad_alloc.
struct Memory {
  explicit Memory(size_t size);
  size_t size;
  std::unique_ptr<uint8_t, void (*)(void *)> data;
};

struct Network {
  virtual ~Network() = default;
  virtual void run() = 0;
  Memory input{0}, output{0};
};

// `library`: a path, or empty for $SEGEDGE_LITERT and then the loader's own search. `model` must outlive the network. Throws
// Error: no library, another version, or a model that it refuses or that is not the contract's.
std::unique_ptr<Network> open_litert(const std::string &library, const Memory &model, uint32_t threads,
                                     const Contract &contract);

}  // namespace segedge
