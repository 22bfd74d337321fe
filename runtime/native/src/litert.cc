// Of the two C interfaces that there are, LiteRt… is taken: it is the one that libLiteRt.so exports. Of the classic
// TfLiteInterpreter… functions the wheel's library (2.3.0) exports not one; they would have to be built for every board.
//
// Declared here is only what is used, from litert/c/*.h of google-ai-edge/LiteRT (Apache-2.0), commit f677904 of August
// 2026; the same in v2.2.0.
#include "litert.h"

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <new>

#include "error.h"
#include "flatbuffer.h"

namespace segedge {
namespace {

using Handle = void *;
constexpr int kOk = 0, kCpu = 1;  // LiteRtStatus; kLiteRtHwAcceleratorCpu
constexpr int kAutoRegister = 24, kLeastSeverity = 25, kInt = 2,
              kErrors = 3;     // LiteRtEnvOptionTag, LiteRtAnyType, LiteRtLogSeverity
constexpr int kPerTensor = 1;  // LiteRtQuantizationTypeId
#ifdef __APPLE__
constexpr char kName[] = "libLiteRt.dylib";
#else
constexpr char kName[] = "libLiteRt.so";
#endif
constexpr size_t kAlignment = 64,
                 kBeyond = 64;  // LITERT_HOST_MEMORY_BUFFER_ALIGNMENT; XNNPACK reads some bytes past the end

struct Layout {  // LiteRtLayout
  unsigned rank : 7, has_strides : 1;
  int32_t dimensions[8];
  uint32_t strides[8];
};
struct Quantization {  // LiteRtQuantizationPerTensor
  float scale;
  int64_t zero_point;
};

struct EnvironmentOption {  // LiteRtEnvOption, with its LiteRtAny
  int32_t tag;
  alignas(8) int32_t type;
  int64_t value;
};
static_assert(sizeof(EnvironmentOption) == 24 && offsetof(EnvironmentOption, type) == 8,
              "as litert_environment_options.h asserts");

struct TensorType {  // LiteRtRankedTensorType
  int32_t element;
  Layout layout;
};
static_assert(sizeof(TensorType) == 72, "as litert_model_types.h asserts");

TensorType type_of(const Tensor &spec) {
  static constexpr int kElements[] = {1, 9, 3, 7, 2, 4};  // LiteRtElementType of float32, int8, uint8, int16, int32, int64
  const int nchw[4] = {1, spec.channels, spec.height, spec.width}, nhwc[4] = {1, spec.height, spec.width, spec.channels};
  TensorType type{};
  type.element = kElements[static_cast<int>(spec.kind)];
  type.layout.rank = 4;
  std::memcpy(type.layout.dimensions, spec.planar ? nchw : nhwc, sizeof(nchw));
  return type;
}

bool same_shape(const TensorType &a, const TensorType &b) {
  return std::memcmp(a.layout.dimensions, b.layout.dimensions, 4 * sizeof(int32_t)) == 0;
}

std::string shape_of(const TensorType &type) {
  std::string text = "(";
  for (unsigned k = 0; k < type.layout.rank && k < 8; k++) text += (k ? ", " : "") + std::to_string(type.layout.dimensions[k]);
  return text + ") of element type " + std::to_string(type.element);
}

[[noreturn]] void mismatch(const std::string &which, const TensorType &found, const TensorType &wanted) {
  throw Error(SEGEDGE_CONTRACT, "the model's " + which + " is " + shape_of(found) + ", the contract says " + shape_of(wanted) +
                                    "; the contract belongs to another model or needs correcting");
}

[[noreturn]] void library_error(const std::string &text) { throw Error(SEGEDGE_LIBRARY, text); }

struct Library {
  explicit Library(const std::string &given) {
    const char *named = std::getenv("SEGEDGE_LITERT");
    path = !given.empty() ? given : named && *named ? named : kName;
    const bool linked = path == "linked";
    // never unloaded: it starts threads and registers with the C library, neither of which it takes back
    handle.reset(dlopen(linked ? nullptr : path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE));
    if (linked) path = "what is linked into this program";
    if (!handle) {
      const char *why = dlerror();
      library_error("LiteRT: " + path + " cannot be opened (" + (why ? why : "no reason given") + "); expected " + kName +
                    " 2.2 or 2.3, out of the ai-edge-litert wheel, the AAR or LiteRT's C++ SDK");
    }
    // exported since 2.2; before, LiteRtCreateModelFromBuffer took no environment under the same name
    if (!dlsym(handle.get(), "kLiteRtRuntimeBuiltin"))
      library_error("LiteRT: " + path +
                    " is older than 2.2 or no LiteRT, expected 2.2 or 2.3; take the library of another wheel");
  }

  void *find(const char *name) const {
    void *found = dlsym(handle.get(), name);
    if (!found)
      library_error("LiteRT: " + path + " has no " + name + ", expected 2.2 or 2.3; take the library of another wheel");
    return found;
  }

  std::string path;
  std::unique_ptr<void, int (*)(void *)> handle{nullptr, dlclose};
};

// A function of LiteRT that gives a status. Called, it throws Error unless that is kOk.
template <class... Arguments>
struct Call {
  const char *name;
  int (*function)(Arguments...);
  Call(const Library &library, const char *name)
      : name(name), function(reinterpret_cast<int (*)(Arguments...)>(library.find(name))) {}
  void operator()(Arguments... arguments) const {
    const int status = function(arguments...);
    if (status != kOk)
      library_error(std::string("LiteRT refuses the model: ") + name + " gives status " + std::to_string(status) +
                    "; the file is damaged or from another converter, copy it again or export it again with segexport");
  }
};

// What LiteRT makes, destroyed by a function of LiteRT.
struct Owned {
  Owned(const Library &library, const char *name) : destroy(reinterpret_cast<void (*)(Handle)>(library.find(name))) {}
  ~Owned() {
    if (handle) destroy(handle);
  }
  void (*const destroy)(Handle);
  Handle handle = nullptr;
};

struct LiteRt : Network {
  LiteRt(const std::string &path, const Memory &file, uint32_t threads, const Contract &contract) : library(path) {
    // no search for GPUs and NPUs, and no word about it on standard error
    const EnvironmentOption quiet[] = {{kAutoRegister, kInt, kCpu}, {kLeastSeverity, kInt, kErrors}};
    CreateEnvironment(2, quiet, &environment.handle);
    CreateModelFromBuffer(environment.handle, file.data.get(), file.size, &model.handle);
    size_t index = 0, inputs = 0, outputs = 0;
    Handle graph = nullptr, tensor = nullptr;
    GetMainModelSubgraphIndex(model.handle, &index);
    GetModelSubgraph(model.handle, index, &graph);
    GetNumSubgraphInputs(graph, &inputs);
    GetNumSubgraphOutputs(graph, &outputs);
    if (inputs != 1 || outputs != 1)
      throw Error(SEGEDGE_CONTRACT, "the model has " + std::to_string(inputs) + " inputs and " + std::to_string(outputs) +
                                        " outputs, expected one image in, one mask out");
    GetSubgraphInput(graph, 0, &tensor);
    const TensorType from = checked("input", tensor, contract.input), wanted_from = type_of(contract.input);
    GetSubgraphOutput(graph, 0, &tensor);
    TensorType to = checked("output", tensor, contract.output);
    const TensorType wanted_to = type_of(contract.output);
    set_options(threads);
    CreateCompiledModel(environment.handle, model.handle, options.handle, &compiled.handle);
    if (!same_shape(from, wanted_from)) {  // a model that takes any size is stored with some
      if (CompiledModelResizeInputTensor.function(compiled.handle, 0, 0, wanted_from.layout.dimensions, 4) != kOk)
        mismatch("input", from, wanted_from);
      GetCompiledModelOutputTensorLayouts(compiled.handle, 0, 1, &to.layout, true);
    }
    if (!same_shape(to, wanted_to)) mismatch("output", to, wanted_to);
    make_buffer(contract.input, input, from_buffer);
    make_buffer(contract.output, output, to_buffer);
  }

  void run() override { RunCompiledModel(compiled.handle, 0, 1, &from_buffer.handle, 1, &to_buffer.handle); }

  void set_options(uint32_t threads) {
    const std::string text = "num_threads = " + std::to_string(threads) + "\n";  // TOML, as litert_cpu_options.cc writes it
    Handle opaque = nullptr;
    CreateOptions(&options.handle);
    SetOptionsHardwareAccelerators(options.handle, kCpu);
    char *payload = strdup(text.c_str());
    if (!payload) throw std::bad_alloc();
    CreateOpaqueOptions("xnnpack", payload, std::free, &opaque);
    AddOpaqueOptions(options.handle, opaque);
  }

  // The type of the model's tensor, which has the contract's dtype and quantization.
  TensorType checked(const std::string &which, Handle tensor, const Tensor &spec) const {
    TensorType type{};
    GetRankedTensorType(tensor, &type);
    if (type.element != type_of(spec).element || type.layout.rank != 4) mismatch(which, type, type_of(spec));
    int kind = 0;
    Quantization found{};
    GetQuantizationTypeId(tensor, &kind);
    if (spec.quantized && kind == kPerTensor) {
      GetPerTensorQuantization(tensor, &found);
      const double scale = static_cast<double>(found.scale);
      if (scale > 0 && (std::abs(scale - spec.scale) > 1e-5 * scale || found.zero_point != spec.zero_point))
        throw Error(SEGEDGE_CONTRACT, "the model's " + which + " has scale " + std::to_string(scale) + " and zero point " +
                                          std::to_string(found.zero_point) + ", the contract says " +
                                          std::to_string(spec.scale) + " and " + std::to_string(spec.zero_point) +
                                          "; correct the contract");
    }
    return type;
  }

  void make_buffer(const Tensor &spec, Memory &memory, Owned &buffer) const {
    const TensorType type = type_of(spec);
    uint64_t bytes = bytes_of(spec.kind);
    for (const int32_t side : type.layout.dimensions) bytes *= static_cast<uint64_t>(std::max(side, 1));
    if (bytes > SIZE_MAX / 2) throw std::bad_alloc();  // where a size_t has 32 bits
    memory = Memory(static_cast<size_t>(bytes));
    CreateTensorBufferFromHostMemory(&type, memory.data.get(), memory.size, nullptr, &buffer.handle);
  }

  const Library library;
#define SEGEDGE_CALL(name, ...) const Call<__VA_ARGS__> name{library, "LiteRt" #name}
  SEGEDGE_CALL(CreateEnvironment, int, const void *, Handle *);
  SEGEDGE_CALL(CreateModelFromBuffer, Handle, const void *, size_t, Handle *);
  SEGEDGE_CALL(CreateOptions, Handle *);
  SEGEDGE_CALL(SetOptionsHardwareAccelerators, Handle, int);
  SEGEDGE_CALL(CreateOpaqueOptions, const char *, void *, void (*)(void *), Handle *);
  SEGEDGE_CALL(AddOpaqueOptions, Handle, Handle);
  SEGEDGE_CALL(CreateCompiledModel, Handle, Handle, Handle, Handle *);
  SEGEDGE_CALL(CompiledModelResizeInputTensor, Handle, size_t, size_t, const int32_t *, size_t);
  SEGEDGE_CALL(GetCompiledModelOutputTensorLayouts, Handle, size_t, size_t, Layout *, bool);
  SEGEDGE_CALL(RunCompiledModel, Handle, size_t, size_t, Handle *, size_t, Handle *);
  SEGEDGE_CALL(GetMainModelSubgraphIndex, Handle, size_t *);
  SEGEDGE_CALL(GetModelSubgraph, Handle, size_t, Handle *);
  SEGEDGE_CALL(GetNumSubgraphInputs, Handle, size_t *);
  SEGEDGE_CALL(GetNumSubgraphOutputs, Handle, size_t *);
  SEGEDGE_CALL(GetSubgraphInput, Handle, size_t, Handle *);
  SEGEDGE_CALL(GetSubgraphOutput, Handle, size_t, Handle *);
  SEGEDGE_CALL(GetRankedTensorType, Handle, TensorType *);
  SEGEDGE_CALL(GetQuantizationTypeId, Handle, int *);
  SEGEDGE_CALL(GetPerTensorQuantization, Handle, Quantization *);
  SEGEDGE_CALL(CreateTensorBufferFromHostMemory, const TensorType *, void *, size_t, void (*)(void *), Handle *);
#undef SEGEDGE_CALL

  // destroyed from the last to the first
  Owned environment{library, "LiteRtDestroyEnvironment"}, model{library, "LiteRtDestroyModel"},
      options{library, "LiteRtDestroyOptions"}, compiled{library, "LiteRtDestroyCompiledModel"},
      from_buffer{library, "LiteRtDestroyTensorBuffer"}, to_buffer{library, "LiteRtDestroyTensorBuffer"};
};

}  // namespace

Memory::Memory(size_t size) : size(size), data(nullptr, std::free) {
  void *memory = nullptr;
  if (size > SIZE_MAX - 2 * kAlignment || posix_memalign(&memory, kAlignment, size + kBeyond) != 0) throw std::bad_alloc();
  data.reset(static_cast<uint8_t *>(memory));
  std::memset(data.get() + size, 0, kBeyond);
}

std::unique_ptr<Network> open_litert(const std::string &library, const Memory &model, uint32_t threads,
                                     const Contract &contract) {
  check_tflite(model.data.get(), model.size);
  return std::make_unique<LiteRt>(library, model, threads, contract);
}

}  // namespace segedge
