// The zip archive behind a TFLite flatbuffer: named texts, and where the flatbuffer ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace segedge {

class Archive {
 public:
  // `data` stays the caller's. Throws Error: no TFLite file, or an archive that is cut off or damaged.
  Archive(const uint8_t *data, size_t size);

  // The text under that name, at most 256 KiB; nothing where there is none.
  std::optional<std::string> text(const std::string &name) const;

  // How many bytes the model alone has.
  size_t model_size() const { return model_size_; }

 private:
  size_t number(size_t at, size_t bytes) const;

  const uint8_t *data_;
  size_t size_, model_size_;
  size_t before_ = 0;                           // bytes before the archive that its offsets do not count
  std::multimap<std::string, size_t> entries_;  // where in the directory each begins
};

}  // namespace segedge
