#include "contract.h"

#include <algorithm>

#include "error.h"
#include "json.h"

namespace segedge {
namespace {

constexpr double kMostSide = 8192, kLeastStd = 1e-9, kLeastScale = 1e-12, kMostScale = 1e6;

Kind kind_of(const std::string &name) {
  static constexpr const char *kNames[] = {"float32", "int8", "uint8", "int16", "int32", "int64"};
  int at = 0;
  while (name != kNames[at]) at++;
  return static_cast<Kind>(at);
}

void read_quantization(Fields &f, Tensor &tensor) {
  tensor.quantized = tensor.kind != Kind::float32;
  if (!tensor.quantized) return;
  tensor.scale = f.number("scale", kLeastScale, kMostScale);
  const double low = tensor.kind == Kind::uint8 ? 0 : tensor.kind == Kind::int8 ? -128 : -32768;
  const double high = tensor.kind == Kind::uint8 ? 255 : tensor.kind == Kind::int8 ? 127 : 32767;
  tensor.zero_point = f.integer("zero_point", low, high);
}

void read_size(Fields &f, Tensor &tensor) {
  tensor.width = f.integer("width", 1, kMostSide);
  tensor.height = f.integer("height", 1, kMostSide);
  tensor.planar = f.choice("layout", {"NHWC", "NCHW"}) == "NCHW";
}

InputSpec read_input(Fields &f) {
  InputSpec spec;
  spec.kind = kind_of(f.choice("dtype", {"float32", "int8", "uint8", "int16"}));
  const std::vector<double> range = f.numbers("value_range", 2);
  if (!(range[0] < range[1])) f.fail("value_range", "low < high");
  spec.low = range[0];
  spec.high = range[1];
  const bool mean = f.has("mean"), std = f.has("std");
  if (mean) spec.mean = f.numbers("mean", 3);
  if (std) spec.std = f.numbers("std", 3);
  if (mean != std || *std::min_element(spec.std.begin(), spec.std.end()) < kLeastStd)
    f.fail("std", "mean and std, both or none, std at least 1e-09");
  read_size(f, spec);
  spec.bgr = f.choice("color", {"rgb", "bgr"}) == "bgr";
  spec.letterbox = f.choice("resize", {"stretch", "letterbox"}) == "letterbox";
  spec.interpolation = f.choice("interpolation", {"bilinear", "area", "nearest"});
  read_quantization(f, spec);
  return spec;
}

OutputSpec read_output(Fields &f) {
  OutputSpec spec;
  spec.meaning = f.choice("meaning", {"probability", "logits", "classes"});
  const bool classes = spec.meaning == "classes";
  spec.classes = f.integer("channels", 1, 1024);
  spec.channels = classes ? 1 : spec.classes;
  spec.kind = kind_of(classes ? f.choice("dtype", {"int8", "uint8", "int32", "int64"})
                              : f.choice("dtype", {"float32", "int8", "uint8", "int16"}));
  const size_t labels = f.strings("labels");
  if (labels != 0 && labels != static_cast<size_t>(spec.classes))
    f.fail("labels", std::to_string(spec.classes) + " or none of them");
  read_size(f, spec);
  spec.person = f.integer("person_channel", 0, spec.classes - 1);
  if (!classes) read_quantization(f, spec);
  return spec;
}

void check_source(Fields &f) {
  for (const char *key : {"checkpoint", "architecture", "preprocessing"}) f.string(key);
  f.digest("sha256");
  f.count("parameters", 1e12);
  for (const char *key : {"mean", "std"})
    if (f.raw(key).kind != Value::null) f.numbers(key, 3);
  f.choice("color", {"rgb", "bgr"});
}

std::string read_precision(Fields &f) {
  f.count("calibration_count", 1e9);
  if (f.raw("calibration_sha256").kind != Value::null) f.digest("calibration_sha256");
  f.string_map("tools");
  f.strings("float_layers");
  if (f.has("recipe")) f.any_object("recipe");
  if (f.has("converter")) f.string("converter");
  if (f.has("refused")) f.string_map("refused");
  return f.string("precision");
}

void check_parity(Fields &f) {
  if (f.integer("pictures", 0, 1e9) == 0) f.fail("pictures", "a whole number from 1 to 1e+09");
  for (const char *key : {"picture_source", "bound"}) f.string(key);
  for (const char *key : {"max_difference", "mean_difference", "mask_iou", "changed_pixels", "boundary_f"}) f.number(key, 0, 1);
  f.boolean("within_bound");
}

Contract read(const std::string &text) {
  const Value data = parse_json(text);
  Fields f(data);
  f.header("segedge.contract", 1);
  Contract contract;
  contract.input = read_input(f.part("input"));
  contract.output = read_output(f.part("output"));
  contract.threshold = f.number("threshold", 0, 1);
  contract.exact = contract.output.kind == Kind::float32;
  if (f.has("source")) check_source(f.part("source"));
  if (f.has("conversion")) {
    const std::string precision = read_precision(f.part("conversion"));
    contract.exact = precision == "float32" || precision == "float16";
  }
  if (f.has("parity")) check_parity(f.part("parity"));
  f.finish();
  return contract;
}

}  // namespace

size_t bytes_of(Kind kind) {
  static constexpr size_t kBytes[] = {4, 1, 1, 2, 4, 8};
  return kBytes[static_cast<int>(kind)];
}

Contract parse_contract(const std::string &text) {
  try {
    return read(text);
  } catch (const JsonError &error) {
    throw Error(SEGEDGE_CONTRACT, std::string("contract: ") + error.what() +
                                      "; correct it (docs/contract.md), or export the file again with this segedge");
  }
}

}  // namespace segedge
