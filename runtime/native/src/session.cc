#include "session.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "error.h"
#include "feather.h"
#include "flatbuffer.h"
#include "golden.h"
#include "inflate.h"

namespace segedge {
namespace {

std::string contract_of(const Archive &archive, const char *given) {
  if (given) return given;
  const std::optional<std::string> found = archive.text("segedge.contract.json");
  if (!found)
    throw Error(SEGEDGE_CONTRACT,
                "the file holds no contract, so nobody knows its colours, range or output: it is cut off, or of "
                "another exporter; copy it again, "
                "or give a contract (docs/contract.md)");
  return *found;
}

const uint8_t *checked(const Memory &memory) {
  check_tflite(memory.bytes.get(), memory.size);
  return memory.bytes.get();
}

}  // namespace

Memory Memory::copy_of(const void *data, size_t size) {
  Memory memory{{static_cast<uint8_t *>(aligned_memory(size)), std::free}, size};
  if (size) std::memcpy(memory.bytes.get(), data, size);
  return memory;
}

Memory Memory::of_file(const std::string &path) {
  struct stat facts;
  const bool is_file = stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);  // to open a pipe would wait
  const std::unique_ptr<std::FILE, int (*)(std::FILE *)> file(is_file ? std::fopen(path.c_str(), "rb") : nullptr, std::fclose);
  if (!file) throw file_error(path + ": cannot be opened, expected a .tflite file; check the path");
  const size_t size = static_cast<size_t>(facts.st_size);
  Memory memory{{static_cast<uint8_t *>(aligned_memory(size)), std::free}, size};
  if (std::fread(memory.bytes.get(), 1, memory.size, file.get()) != memory.size)
    throw file_error(path + ": cannot be read to its end; check the disk");
  return memory;
}

Session::Session(Memory memory, const segedge_options &options, int threads)
    : memory_(std::move(memory)),
      archive_(memory_.bytes.get(), memory_.size),
      text_(contract_of(archive_, options.contract)),
      contract_(parse_contract(text_)),
      threads_(threads),
      feather_(static_cast<int>(options.feather)),
      network_(options.litert ? options.litert : "", checked(memory_), memory_.size, threads, contract_),
      preprocess_(contract_.input) {}

void Session::run(const Picture &picture) {
  has_run_ = false;
  preprocess_.run(picture, network_.input());
  network_.run();
  probability_ = probability(contract_.output, network_.output());
  const Region region = on_output(fit_region(contract_.input, picture.size()), contract_);
  coarse_ = on_region(probability_, contract_.output.width, region);
  coarse_size_ = region.size;
  has_run_ = true;
}

void Session::mask(const Picture &picture, float *out, size_t stride) {
  run(picture);
  const Size size = picture.size();
  FloatScaler scaler(coarse_.data(), coarse_size_, size);
  for (int y = 0; y < size.height; y++)
    std::memcpy(reinterpret_cast<char *>(out) + static_cast<size_t>(y) * stride, scaler.row(y),
                static_cast<size_t>(size.width) * sizeof(float));
}

void Session::alpha(const Picture &picture, segedge_preset preset, uint8_t *out, size_t stride) {
  run(picture);
  if (preset != preset_) refiner_.reset();
  preset_ = preset;
  const Size size = picture.size();
  if (preset != SEGEDGE_FAST) {
    luma_.resize(size.pixels());
    for (int y = 0; y < size.height; y++)
      picture.luma(y, luma_.data() + static_cast<size_t>(y) * static_cast<size_t>(size.width));
  }
  refiner_.run(preset, coarse_, coarse_size_, luma_, size, out, stride);
  if (feather_) feather(out, stride, size, feather_);
}

void Session::self_test(segedge_result &result) {
  const std::optional<std::string> text = archive_.text("segedge.golden.json");
  if (!text)
    throw file_error(
        "the file holds no golden pictures, so it cannot test itself; export the checkpoint again with this segexport");
  const Golden golden = parse_golden(*text);
  result.altered = sha256(memory_.bytes.get(), archive_.model_size()) != golden.model_sha256;
  result.same = !result.altered;
  result.pictures = static_cast<uint32_t>(golden.pictures.size());
  result.least_iou = result.least_iou_pytorch = 1;
  result.mean_difference = 0;
  for (const GoldenPicture &one : golden.pictures) {
    const Size frame = one.frame.size;
    const segedge_frame picture = {SEGEDGE_RGB,
                                   static_cast<uint32_t>(frame.width),
                                   static_cast<uint32_t>(frame.height),
                                   {one.frame.pixels.data(), nullptr, nullptr},
                                   {3 * static_cast<size_t>(frame.width), 0, 0}};
    run(Picture(&picture, "golden picture"));
    Size size = {contract_.output.width, contract_.output.height};
    const std::vector<float> mask = as_stored(probability_, size);
    if (size != one.made.size)
      throw file_error("the golden pictures belong to a network of another size; export the file again");
    const Nearness made = nearness(one.made, mask);
    result.same = result.same && is_same(made, contract_.exact);
    result.least_iou = std::min(result.least_iou, made.iou);
    result.least_iou_pytorch = std::min(result.least_iou_pytorch, nearness(one.reference, mask).iou);
    result.mean_difference = std::max(result.mean_difference, made.mean_difference);
  }
}

void Session::inspect(segedge_step step, const void *&data, size_t &bytes) {
  if (!has_run_) throw argument_error("no frame has run yet; call segedge_mask or segedge_alpha before");
  const std::vector<float> &floats = step == SEGEDGE_PROBABILITY ? probability_ : coarse_;
  data = step == SEGEDGE_INPUT ? network_.input() : step == SEGEDGE_OUTPUT ? network_.output() : floats.data();
  bytes = step == SEGEDGE_INPUT    ? network_.input_bytes()
          : step == SEGEDGE_OUTPUT ? network_.output_bytes()
                                   : floats.size() * sizeof(float);
}

}  // namespace segedge
