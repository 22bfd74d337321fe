// Deflate (RFC 1951) and the checksums of zip and PNG.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace segedge {

// The bytes that a deflate stream holds, at most `most`; `used` is where it ends. Throws std::runtime_error: damaged,
// or more of them.
std::string inflate(const uint8_t *data, size_t size, size_t most, size_t &used);

uint32_t crc32(const uint8_t *data, size_t size);

// 64 hexadecimal digits (FIPS 180-4).
std::string sha256(const uint8_t *data, size_t size);

}  // namespace segedge
