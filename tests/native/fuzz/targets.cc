// What segedge_open_buffer and segedge_self_test do with bytes from outside before LiteRT sees them, for libFuzzer and for
// replay.cc. By its first bytes an input is a model file, a PNG, or a text that is read as contract, golden pictures and
// deflate. The core is built with FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION: checksums are computed and taken as right.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "archive.h"
#include "contract.h"
#include "error.h"
#include "flatbuffer.h"
#include "golden.h"
#include "inflate.h"
#include "json.h"

using namespace segedge;

namespace {

constexpr size_t kMostText = 256 * 1024;

void expect(bool holds, const char *what, const std::string &found) {
  if (holds) return;
  std::fprintf(stderr, "%s: %s\n", what, found.c_str());
  std::abort();
}

// A refusal is an Error of one short line that can be printed; anything else ends the program.
template <class Work>
bool taken(const Work &work) {
  try {
    work();
    return true;
  } catch (const Error &error) {
    const std::string text = error.what();
    expect(text.size() > 20 && text.size() < 600 && is_utf8(text), "no short line of UTF-8", text);
    for (const char c : text) expect(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "no single line", text);
    return false;
  }
}

void check(const Golden &golden) {
  for (const GoldenPicture &one : golden.pictures) {
    const auto full = [](const Bitmap &map, size_t channels) { return map.pixels.size() == map.size.pixels() * channels; };
    expect(full(one.frame, 3) && full(one.reference, 1) && full(one.made, 1), "a picture of another size", golden.model_sha256);
  }
}

void file(const uint8_t *data, size_t size) {
  taken([&] {
    const Archive archive(data, size);
    expect(archive.model_size() <= size, "a model beyond the file", "");
    sha256(data, archive.model_size());
    taken([&] { parse_contract(archive.text("segedge.contract.json").value_or("{}")); });
    taken([&] { check(parse_golden(archive.text("segedge.golden.json").value_or("{}"))); });
  });
  taken([&] { check_tflite(data, size); });
}

std::string base64(const uint8_t *data, size_t size) {
  std::string out;
  for (size_t at = 0; at < size; at += 3) {
    uint32_t held = 0;
    for (size_t k = 0; k < 3; k++) held = held << 8 | (at + k < size ? data[at + k] : 0u);
    for (size_t k = 0; k < 4; k++)
      out +=
          at + k <= size ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[held >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

// One picture of which one part is given, the others are of one pixel.
void png(const uint8_t *data, size_t size) {
  const std::string given = base64(data, size);
  const std::string colour = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC";
  for (const bool frame : {true, false}) {
    const std::string mask = frame ? "" : given;
    const std::string text = "{\"format\": \"segedge.golden\", \"version\": 1, \"model_sha256\": \"" + std::string(64, '0') +
                             "\", \"pictures\": [{\"name\": \"a\", \"frame\": \"" + (frame ? given : colour) +
                             "\", \"reference\": \"" + mask + "\", \"made\": \"" + mask + "\"}]}";
    taken([&] { check(parse_golden(text)); });
  }
}

void text(const uint8_t *data, size_t size) {
  const std::string words(reinterpret_cast<const char *>(data), size);
  taken([&] { parse_contract(words); });
  taken([&] { check(parse_golden(words)); });
  size_t used = 0;
  try {
    const std::string out = inflate(data, size, kMostText, used);
    expect(out.size() <= kMostText && used <= size, "too much inflated", std::to_string(out.size()));
  } catch (const std::runtime_error &) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size >= 8 && std::memcmp(data + 4, "TFL3", 4) == 0)
    file(data, size);
  else if (size >= 4 && std::memcmp(data, "\x89PNG", 4) == 0)
    png(data, size);
  else
    text(data, size);
  return 0;
}
