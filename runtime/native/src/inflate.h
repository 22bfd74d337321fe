// Deflate (RFC 1951) and the checksums of zip and PNG.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace segedge {

// The bytes that a deflate stream holds, at most `most`; `used` is where it ends. Throws std::runtime_error: damaged,
// or more of them, or one that repeats what lies further back than `window`.
std::string inflate(const uint8_t *data, size_t size, size_t most, size_t &used, size_t window = 32768);

uint32_t crc32(const uint8_t *data, size_t size);
uint32_t adler32(const std::string &data);

// A fuzzer, which would not get past a checksum, is built to find every one right.
inline bool same_checksum(uint32_t computed, uint32_t stored) {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  (void)computed, (void)stored;
  return true;
#else
  return computed == stored;
#endif
}

// 64 hexadecimal digits (FIPS 180-4).
std::string sha256(const uint8_t *data, size_t size);

}  // namespace segedge
