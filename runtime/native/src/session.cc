#include "session.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>

#include "error.h"
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

const Memory &checked(const Memory &memory) {
  check_tflite(memory.data.get(), memory.size);
  return memory;
}

}  // namespace

Memory read_file(const std::string &path) {
  struct stat facts;
  const bool is_file = stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);  // to open a pipe would wait
  const std::unique_ptr<std::FILE, int (*)(std::FILE *)> file(is_file ? std::fopen(path.c_str(), "rb") : nullptr, std::fclose);
  if (!file) throw file_error(path + ": cannot be opened, expected a .tflite file; check the path");
  Memory memory(static_cast<size_t>(facts.st_size));
  if (std::fread(memory.data.get(), 1, memory.size, file.get()) != memory.size)
    throw file_error(path + ": cannot be read to its end; check the disk");
  return memory;
}

Session::Session(Memory file, const segedge_options &options)
    : file_(std::move(file)),
      archive_(file_.data.get(), file_.size),
      text_(contract_of(archive_, options.contract)),
      contract_(parse_contract(text_)),
      threads_(options.threads),
      feather_(options.feather),
      network_(options.litert ? options.litert : "", checked(file_), threads_, contract_),
      preprocess_(contract_.input) {}

void Session::run(const Picture &picture) {
  coarse_.values.clear();
  preprocess_.run(picture, network_.input().data.get());
  network_.run();
  probability_ = probability(contract_.output, network_.output().data.get());
  coarse_ = on_region(probability_, on_output(fit_region(contract_.input, picture.size()), contract_));
}

void Session::mask(const Picture &picture, Rows<float> out) {
  run(picture);
  const Scaler<float> scale = scaler(source_of(coarse_), picture.size(), "bilinear");
  for (size_t y = 0; y < picture.size().height; y++) scale(y, out.row(y));
}

void Session::alpha(const Picture &picture, segedge_preset preset, Rows<uint8_t> out) {
  run(picture);
  refiner_.run(preset, coarse_, picture, out);
  if (feather_) feather(out, picture.size(), feather_);
}

void Session::self_test(segedge_result &result) {
  const std::optional<std::string> text = archive_.text("segedge.golden.json");
  if (!text)
    throw file_error(
        "the file holds no golden pictures, so it cannot test itself; export the checkpoint again with this segexport");
  const Golden golden = parse_golden(*text);
  result.altered = sha256(file_.data.get(), archive_.model_size()) != golden.model_sha256;
  result.same = !result.altered;
  result.pictures = static_cast<uint32_t>(golden.pictures.size());
  result.least_iou = result.least_iou_pytorch = 1;
  result.mean_difference = 0;
  for (const GoldenPicture &one : golden.pictures) {
    const Size frame = one.frame.size;
    const segedge_frame picture = {
        SEGEDGE_RGB, frame.width, frame.height, {one.frame.pixels.data()}, {3 * size_t{frame.width}}};
    run(Picture(&picture, "golden picture"));
    Size size = probability_.size;
    const std::vector<float> mask = as_stored(probability_.values, size);
    if (size != one.made.size)
      throw file_error("the golden pictures belong to a network of another size; export the file again");
    const Nearness made = nearness(one.made, mask);
    result.same = result.same && is_same(made, contract_.exact);
    result.least_iou = std::min(result.least_iou, made.iou);
    result.least_iou_pytorch = std::min(result.least_iou_pytorch, nearness(one.reference, mask).iou);
    result.mean_difference = std::max(result.mean_difference, made.mean_difference);
  }
}

void Session::inspect(segedge_step step, const void *&data, size_t &bytes) const {
  if (coarse_.values.empty()) throw argument_error("no frame has run yet; call segedge_mask or segedge_alpha before");
  const Memory &tensor = step == SEGEDGE_INPUT ? network_.input() : network_.output();
  const std::vector<float> &floats = step == SEGEDGE_PROBABILITY ? probability_.values : coarse_.values;
  const bool is_tensor = step == SEGEDGE_INPUT || step == SEGEDGE_OUTPUT;
  data = is_tensor ? static_cast<const void *>(tensor.data.get()) : floats.data();
  bytes = is_tensor ? tensor.size : floats.size() * sizeof(float);
}

}  // namespace segedge
