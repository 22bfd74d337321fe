#include "inflate.h"

#include <algorithm>
#include <array>
#include <vector>

#include "error.h"

namespace segedge {
namespace {

[[noreturn]] void damaged(const std::string &what) { refuse("the packed data is damaged: " + what); }

// A canonical code: how many words of each length from 1 to 15, and the symbols in the order of their words.
struct Code {
  std::array<size_t, 15> count{};
  std::vector<size_t> symbols;

  explicit Code(const std::vector<size_t> &lengths, bool may_be_lone = true) {
    size_t left = 1;
    for (size_t length = 1; length <= count.size(); length++) {
      for (size_t symbol = 0; symbol < lengths.size(); symbol++)
        if (lengths[symbol] == length) symbols.push_back(symbol);
      count[length - 1] = static_cast<size_t>(std::count(lengths.begin(), lengths.end(), length));
      if (count[length - 1] > 2 * left) damaged("a code with too many words");
      left = 2 * left - count[length - 1];
    }
    // zlib takes a code with words to spare only where one symbol stands alone
    const bool is_lone = *std::max_element(lengths.begin(), lengths.end()) < 2;
    if (left > 0 && !(is_lone && may_be_lone)) damaged("a code with too few words");
  }
};

struct Inflater {
  const uint8_t *data;
  size_t size, most, window;
  uint64_t at = 0;  // in bits
  std::string out = {};

  size_t bits(size_t count) {
    size_t value = 0;
    for (size_t k = 0; k < count; k++, at++) {
      if (at / 8 >= size) damaged("it ends too early");
      value |= (size_t{data[at / 8]} >> at % 8 & 1) << k;
    }
    return value;
  }

  size_t symbol(const Code &code) {
    size_t word = 0;  // counted from the first one of its length
    auto first = code.symbols.begin();
    for (const size_t count : code.count) {
      word = 2 * word + bits(1);
      if (word < count) return first[static_cast<std::ptrdiff_t>(word)];
      word -= count;
      first += static_cast<std::ptrdiff_t>(count);
    }
    damaged("a word that no code has");
  }

  // What a symbol for a length or a distance stands for: groups of symbols, each with one more bit behind it than the last.
  size_t number(size_t symbol, size_t group) {
    if (symbol < 2 * group) return symbol;
    const size_t more = symbol / group - 1;
    return ((group + symbol % group) << more) + bits(more);
  }

  void put(size_t byte) {
    if (out.size() >= most) damaged("it holds more than it may");
    out += static_cast<char>(byte);
  }

  void stored() {
    at = (at + 7) / 8 * 8;
    const size_t length = bits(16), inverse = bits(16);
    if (length != (inverse ^ 0xFFFF) || size - at / 8 < length) damaged("a block of a wrong length");
    for (size_t k = 0; k < length; k++) put(bits(8));
  }

  void fixed() {
    std::vector<size_t> lengths(288, 8);
    for (size_t k = 144; k < 280; k++) lengths[k] = k < 256 ? 9 : 7;
    packed(Code(lengths), Code(std::vector<size_t>(32, 5)));
  }

  void dynamic() {
    static constexpr size_t kOrder[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    const size_t literals = bits(5) + 257, distances = bits(5) + 1, given = bits(4) + 4;
    if (literals > 286 || distances > 30) damaged("too many codes");
    std::vector<size_t> lengths(19, 0);
    for (size_t k = 0; k < given; k++) lengths[kOrder[k]] = bits(3);
    const Code code(lengths, false);
    lengths.clear();
    while (lengths.size() < literals + distances) {
      const size_t found = symbol(code);
      if (found == 16 && lengths.empty()) damaged("nothing to repeat");
      const size_t times = found < 16 ? 1 : found == 16 ? 3 + bits(2) : found == 17 ? 3 + bits(3) : 11 + bits(7);
      lengths.insert(lengths.end(), times, found < 16 ? found : found == 16 ? lengths.back() : 0);
    }
    if (lengths.size() != literals + distances || lengths[256] == 0) damaged("too many lengths, or no end");
    const auto middle = lengths.end() - static_cast<std::ptrdiff_t>(distances);
    packed(Code({lengths.begin(), middle}), Code({middle, lengths.end()}));
  }

  void packed(const Code &literals, const Code &distances) {
    for (size_t found; (found = symbol(literals)) != 256;) {
      if (found < 256) {
        put(found);
        continue;
      }
      if (found > 285) damaged("an unknown length");
      const size_t length = found == 285 ? 258 : 3 + number(found - 257, 4), far = symbol(distances);
      if (far > 29) damaged("an unknown distance");
      const size_t back = 1 + number(far, 2);
      if (back > std::min(out.size(), window)) damaged("it repeats what was not there");
      for (size_t k = 0; k < length; k++) put(static_cast<unsigned char>(out[out.size() - back]));
    }
  }
};

uint32_t turned(uint32_t value, int by) { return value >> by | value << (32 - by); }

constexpr std::array<uint32_t, 64> kRounds = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

void add_block(std::array<uint32_t, 8> &state, const uint8_t *block) {
  std::array<uint32_t, 64> w;
  std::array<uint32_t, 8> s = state;
  for (size_t k = 0; k < 64; k++) {
    if (k < 16) {
      w[k] = big_endian(block + 4 * k);
    } else {
      const uint32_t a = w[k - 15], b = w[k - 2];
      w[k] = w[k - 16] + w[k - 7] + (turned(a, 7) ^ turned(a, 18) ^ a >> 3) + (turned(b, 17) ^ turned(b, 19) ^ b >> 10);
    }
    const uint32_t one =
        s[7] + (turned(s[4], 6) ^ turned(s[4], 11) ^ turned(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + kRounds[k] + w[k];
    const uint32_t two =
        (turned(s[0], 2) ^ turned(s[0], 13) ^ turned(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    s = {one + two, s[0], s[1], s[2], s[3] + one, s[4], s[5], s[6]};
  }
  for (size_t k = 0; k < 8; k++) state[k] += s[k];
}

}  // namespace

std::string inflate(const uint8_t *data, size_t size, size_t most, size_t &used, size_t window) {
  Inflater from{data, size, most, window};
  for (bool last = false; !last;) {
    last = from.bits(1) == 1;
    switch (from.bits(2)) {
      case 0: from.stored(); break;
      case 1: from.fixed(); break;
      case 2: from.dynamic(); break;
      default: damaged("an unknown block");
    }
  }
  used = static_cast<size_t>((from.at + 7) / 8);
  return from.out;
}

uint32_t crc32(const std::string &data) {
  uint32_t value = 0xFFFFFFFF;
  for (const char byte : data) {
    value ^= static_cast<unsigned char>(byte);
    for (int k = 0; k < 8; k++) value = value >> 1 ^ (value & 1 ? 0xEDB88320 : 0);
  }
  return ~value;
}

uint32_t adler32(const std::string &data) {
  uint32_t one = 1, two = 0;
  for (const char byte : data) {
    one = (one + static_cast<unsigned char>(byte)) % 65521;
    two = (two + one) % 65521;
  }
  return two << 16 | one;
}

std::string sha256(const uint8_t *data, size_t size) {
  std::array<uint32_t, 8> state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const size_t whole = size / 64 * 64;
  for (size_t at = 0; at < whole; at += 64) add_block(state, data + at);
  std::vector<uint8_t> rest(data + whole, data + size);
  rest.push_back(0x80);
  rest.resize(rest.size() > 56 ? 128 : 64);
  for (size_t k = 0; k < 8; k++) rest[rest.size() - 1 - k] = static_cast<uint8_t>(static_cast<uint64_t>(size) * 8 >> 8 * k);
  for (size_t at = 0; at < rest.size(); at += 64) add_block(state, rest.data() + at);
  std::string text;
  for (const uint32_t word : state)
    for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[word >> shift & 15];
  return text;
}

}  // namespace segedge
