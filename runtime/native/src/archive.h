// The zip archive behind a TFLite flatbuffer: named texts, and where the flatbuffer ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
  struct Entry {
    std::string name;
    size_t header, packed, unpacked;
    uint32_t flags, method, checksum;
  };

  void find();
  void check_extra(size_t at, size_t left) const;
  size_t number(size_t at, int bytes) const;
  std::string read(const Entry &entry) const;

  const uint8_t *data_;
  size_t size_, model_size_;
  std::vector<Entry> entries_;
};

}  // namespace segedge
