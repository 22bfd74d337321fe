// Deflate (RFC 1951), the checksums of zip and PNG, and numbers in bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace segedge {

// Little-endian and big-endian; at most eight bytes, and four.
inline uint64_t little_endian(const uint8_t *at, size_t bytes) {
  uint64_t value = 0;
  for (size_t k = bytes; k-- > 0;) value = value << 8 | at[k];
  return value;
}
inline uint32_t big_endian(const uint8_t *at) {
  return static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1]) << 16 | static_cast<uint32_t>(at[2]) << 8 | at[3];
}

// The bytes that a deflate stream holds, at most `most`; `used` is where it ends. Throws std::runtime_error: damaged,
// or more of them, or one that repeats what lies further back than `window`.
std::string inflate(const uint8_t *data, size_t size, size_t most, size_t &used, size_t window = 32768);

uint32_t crc32(const std::string &data);
uint32_t adler32(const std::string &data);

// A fuzzer, which would not get past a checksum, is built to find every one right.
inline bool same_checksum(uint32_t computed, uint32_t stored) {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  stored = computed;
#endif
  return computed == stored;
}

// 64 hexadecimal digits (FIPS 180-4).
std::string sha256(const uint8_t *data, size_t size);

}  // namespace segedge
