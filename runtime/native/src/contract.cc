#include "contract.h"

#include <algorithm>

#include "error.h"
#include "json.h"

namespace segedge {
namespace {

constexpr double kMostSide = 8192, kLeastStd = 1e-9, kLeastScale = 1e-12, kMostScale = 1e6;

// In the order of Kind; the last two are for classes, which have no zero point.
constexpr struct {
  const char *name;
  size_t bytes;
  double least, most;
} kKinds[] = {{"float32", 4, 0, 0},        {"int8", 1, -128, 127}, {"uint8", 1, 0, 255},
              {"int16", 2, -32768, 32767}, {"int32", 4, 0, 0},     {"int64", 8, 0, 0}};

void read_tensor(Field &f, Tensor &tensor, bool classes) {
  tensor.width = f["width"].integer(1, kMostSide);
  tensor.height = f["height"].integer(1, kMostSide);
  tensor.planar = f["layout"].choice({"NHWC", "NCHW"}) == "NCHW";
  const Field dtype = f["dtype"];
  const std::string &name =
      classes ? dtype.choice({"int8", "uint8", "int32", "int64"}) : dtype.choice({"float32", "int8", "uint8", "int16"});
  size_t kind = 0;
  while (name != kKinds[kind].name) kind++;
  tensor.kind = static_cast<Kind>(kind);
  tensor.quantized = tensor.kind != Kind::float32 && !classes;
  if (!tensor.quantized) return;
  tensor.scale = f["scale"].number(kLeastScale, kMostScale);
  tensor.zero_point = f["zero_point"].integer(kKinds[kind].least, kKinds[kind].most);
}

InputSpec read_input(Field f) {
  InputSpec spec;
  read_tensor(f, spec, false);
  const std::vector<double> range = f["value_range"].numbers(2);
  f["value_range"].must_be(range[0] < range[1], "low < high");
  spec.low = range[0];
  spec.high = range[1];
  const Field mean = f["mean"], std = f["std"];
  if (mean.given()) spec.mean = mean.numbers(3);
  if (std.given()) spec.std = std.numbers(3);
  const bool large = *std::min_element(spec.std.begin(), spec.std.end()) >= kLeastStd;
  std.must_be(mean.given() == std.given() && large, "mean and std, both or none, std at least 1e-09");
  spec.bgr = f["color"].choice({"rgb", "bgr"}) == "bgr";
  spec.letterbox = f["resize"].choice({"stretch", "letterbox"}) == "letterbox";
  spec.interpolation = f["interpolation"].choice({"bilinear", "area", "nearest"});
  f.finish();
  return spec;
}

OutputSpec read_output(Field f) {
  OutputSpec spec;
  spec.meaning = f["meaning"].choice({"probability", "logits", "classes"});
  const bool classes = spec.meaning == "classes";
  read_tensor(f, spec, classes);
  spec.classes = f["channels"].integer(1, 1024);
  spec.channels = classes ? 1 : spec.classes;
  spec.person = f["person_channel"].integer(0, spec.classes - 1);
  const size_t labels = f["labels"].texts(Value::list);
  f["labels"].must_be(labels == 0 || labels == static_cast<size_t>(spec.classes),
                      std::to_string(spec.classes) + " or none of them");
  f.finish();
  return spec;
}

void check_source(Field f) {
  for (const char *key : {"checkpoint", "architecture", "preprocessing"}) f[key].string();
  f["sha256"].digest();
  f["parameters"].number(0, 1e12, true);
  for (const char *key : {"mean", "std"})
    if (!f[key].is(Value::null)) f[key].numbers(3);
  f["color"].choice({"rgb", "bgr"});
  f.finish();
}

// Float32 or float16?
bool read_precision(Field f) {
  f["calibration_count"].integer(0, 1e9);
  if (!f["calibration_sha256"].is(Value::null)) f["calibration_sha256"].digest();
  f["tools"].texts(Value::object);
  f["float_layers"].texts(Value::list);
  if (f["recipe"].given()) f["recipe"].must_be(f["recipe"].is(Value::object), "an object {…}");
  if (f["converter"].given()) f["converter"].string();
  if (f["refused"].given()) f["refused"].texts(Value::object);
  const std::string &precision = f["precision"].string();
  f.finish();
  return precision == "float32" || precision == "float16";
}

void check_parity(Field f) {
  f["pictures"].integer(1, 1e9);
  for (const char *key : {"picture_source", "bound"}) f[key].string();
  for (const char *key : {"max_difference", "mean_difference", "mask_iou", "changed_pixels", "boundary_f"}) f[key].number(0, 1);
  f["within_bound"].must_be(f["within_bound"].is(Value::boolean), "true or false");
  f.finish();
}

}  // namespace

size_t bytes_of(Kind kind) { return kKinds[static_cast<int>(kind)].bytes; }

Contract parse_contract(const std::string &text) {
  try {
    const Value data = parse_json(text);
    Field f(data);
    f["format"].choice({"segedge.contract"});
    f["version"].integer(1, 1);
    Contract contract;
    contract.input = read_input(f["input"]);
    contract.output = read_output(f["output"]);
    contract.threshold = f["threshold"].number(0, 1);
    contract.exact = contract.output.kind == Kind::float32;
    if (f["source"].given()) check_source(f["source"]);
    if (f["conversion"].given()) contract.exact = read_precision(f["conversion"]);
    if (f["parity"].given()) check_parity(f["parity"]);
    f.finish();
    return contract;
  } catch (const std::runtime_error &error) {
    throw Error(SEGEDGE_CONTRACT, std::string("contract: ") + error.what() +
                                      "; correct it (docs/contract.md), or export the file again with this segedge");
  }
}

}  // namespace segedge
