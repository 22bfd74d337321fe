// replay FOLDER [COUNT]: every file of a corpus through the targets, then COUNT changed copies of them; for a compiler without
// libFuzzer. What is found ends the program, and the input that did it lies in the file "found".
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

void run(const Bytes &input) {
  std::ofstream("found", std::ios::binary)
      .write(reinterpret_cast<const char *>(input.data()), static_cast<std::streamsize>(input.size()));
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

// Cut, or some bytes another, or a piece of another file in the middle.
Bytes changed(const std::vector<Bytes> &files, std::mt19937 &random) {
  const auto below = [&random](size_t end) { return random() % std::max<size_t>(end, 1); };
  Bytes input = files[below(files.size())];
  const size_t kind = below(8);
  if (kind == 0) input.resize(below(input.size()));
  if (kind == 1) {
    const Bytes &other = files[below(files.size())];
    const size_t from = below(other.size()), to = std::min(other.size(), from + below(64));
    input.insert(input.begin() + static_cast<std::ptrdiff_t>(below(input.size())),
                 other.begin() + static_cast<std::ptrdiff_t>(from), other.begin() + static_cast<std::ptrdiff_t>(to));
  }
  for (size_t count = kind < 2 || input.empty() ? 0 : size_t{1} << below(4); count-- > 0;) {
    uint8_t &byte = input[below(input.size())];
    const uint8_t values[] = {0, 1, 127, 255, static_cast<uint8_t>(byte ^ 1 << below(8)), static_cast<uint8_t>(random())};
    byte = values[below(6)];
  }
  return input;
}

}  // namespace

int main(int count, char **words) {
  if (count < 2) return 2;
  std::vector<std::filesystem::path> paths;
  for (const auto &one : std::filesystem::directory_iterator(words[1])) paths.push_back(one.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> files;
  for (const auto &path : paths) {
    std::ifstream file(path, std::ios::binary);
    files.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    run(files.back());
  }
  if (files.empty()) return 2;
  std::mt19937 random(1);
  const int copies = count > 2 ? std::atoi(words[2]) : 0;
  for (int k = 0; k < copies; k++) run(changed(files, random));
  std::remove("found");
  std::printf("%zu files and %d changed copies went through\n", files.size(), copies);
  return 0;
}
