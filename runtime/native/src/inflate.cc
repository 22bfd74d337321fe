#include "inflate.h"

#include <algorithm>
#include <array>
#include <vector>

#include "error.h"

namespace segedge {
namespace {

constexpr size_t kLongestCode = 15;

[[noreturn]] void damaged(const std::string &what) { refuse("the packed data is damaged: " + what); }

// A canonical code: how many words of each length, and the symbols in the order of their words.
struct Code {
  std::array<int, kLongestCode + 1> count{};
  std::vector<int> symbols;

  explicit Code(const std::vector<int> &lengths, bool may_be_lone = true) {
    int left = 1;
    for (size_t length = 1; length <= kLongestCode; length++) {
      for (size_t symbol = 0; symbol < lengths.size(); symbol++)
        if (lengths[symbol] == static_cast<int>(length)) symbols.push_back(static_cast<int>(symbol)), count[length]++;
      left = 2 * left - count[length];
      if (left < 0) damaged("a code with too many words");
    }
    // zlib takes a code with words to spare only where one symbol stands alone
    const bool is_lone = *std::max_element(lengths.begin(), lengths.end()) < 2;
    if (left > 0 && !(is_lone && may_be_lone)) damaged("a code with too few words");
  }
};

class Inflater {
 public:
  Inflater(const uint8_t *data, size_t size, size_t most, size_t window)
      : data_(data), size_(size), most_(most), window_(window) {}

  std::string whole(size_t &used) {
    for (bool last = false; !last;) {
      last = bits(1) != 0;
      switch (bits(2)) {
        case 0: stored(); break;
        case 1: fixed(); break;
        case 2: dynamic(); break;
        default: damaged("an unknown block");
      }
    }
    used = at_;
    return std::move(out_);
  }

 private:
  int bits(int count) {
    for (; held_count_ < count; held_count_ += 8) {
      if (at_ >= size_) damaged("it ends too early");
      held_ |= static_cast<uint32_t>(data_[at_++]) << held_count_;
    }
    const uint32_t value = held_ & ((1u << count) - 1);
    held_ >>= count;
    held_count_ -= count;
    return static_cast<int>(value);
  }

  int symbol(const Code &code) {
    int word = 0, first = 0, index = 0;
    for (size_t length = 1; length <= kLongestCode; length++) {
      word |= bits(1);
      const int count = code.count[length];
      if (word - first < count) return code.symbols[static_cast<size_t>(index + word - first)];
      index += count;
      first = (first + count) << 1;
      word <<= 1;
    }
    damaged("a word that no code has");
  }

  // What a symbol for a length or a distance stands for: groups of symbols, each with one more bit behind it than the last.
  size_t number(size_t symbol, size_t group) {
    if (symbol < 2 * group) return symbol;
    const size_t more = symbol / group - 1;
    return ((group + symbol % group) << more) + static_cast<size_t>(bits(static_cast<int>(more)));
  }

  void put(char byte) {
    if (out_.size() >= most_) damaged("it holds more than it may");
    out_ += byte;
  }

  void stored() {
    held_ = 0;
    held_count_ = 0;
    const int length = bits(16), inverse = bits(16);
    if (length != (inverse ^ 0xFFFF) || size_ - at_ < static_cast<size_t>(length)) damaged("a block of a wrong length");
    for (int k = 0; k < length; k++) put(static_cast<char>(data_[at_++]));
  }

  void fixed() {
    std::vector<int> lengths(288, 8);
    for (size_t k = 144; k < 280; k++) lengths[k] = k < 256 ? 9 : 7;
    packed(Code(lengths), Code(std::vector<int>(32, 5)));
  }

  void dynamic() {
    static constexpr std::array<size_t, 19> kOrder = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    const int literals = bits(5) + 257, distances = bits(5) + 1, given = bits(4) + 4;
    if (literals > 286 || distances > 30) damaged("too many codes");
    std::vector<int> lengths(19, 0);
    for (size_t k = 0; k < static_cast<size_t>(given); k++) lengths[kOrder[k]] = bits(3);
    const Code code(lengths, false);
    lengths.clear();
    const size_t wanted = static_cast<size_t>(literals + distances);
    while (lengths.size() < wanted) {
      const int found = symbol(code);
      if (found == 16 && lengths.empty()) damaged("nothing to repeat");
      const int value = found < 16 ? found : found == 16 ? lengths.back() : 0;
      const int times = found < 16 ? 1 : found == 16 ? 3 + bits(2) : found == 17 ? 3 + bits(3) : 11 + bits(7);
      lengths.insert(lengths.end(), static_cast<size_t>(times), value);
    }
    if (lengths.size() != wanted || lengths[256] == 0) damaged("too many lengths, or no end");
    const auto middle = lengths.begin() + literals;
    packed(Code({lengths.begin(), middle}), Code({middle, lengths.end()}));
  }

  void packed(const Code &literals, const Code &distances) {
    for (int found; (found = symbol(literals)) != 256;) {
      if (found < 256) {
        put(static_cast<char>(found));
        continue;
      }
      const size_t kind = static_cast<size_t>(found) - 257;
      if (kind > 28) damaged("an unknown length");
      const size_t length = kind == 28 ? 258 : 3 + number(kind, 4);
      const size_t far = static_cast<size_t>(symbol(distances));
      if (far > 29) damaged("an unknown distance");
      const size_t back = 1 + number(far, 2);
      if (back > std::min(out_.size(), window_)) damaged("it repeats what was not there");
      for (size_t k = 0; k < length; k++) put(out_[out_.size() - back]);
    }
  }

  const uint8_t *data_;
  size_t size_, most_, window_, at_ = 0;
  uint32_t held_ = 0;
  int held_count_ = 0;
  std::string out_;
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
  return Inflater(data, size, most, window).whole(used);
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
