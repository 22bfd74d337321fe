// Of the two C interfaces that there are, LiteRt… is taken: it is the one that libLiteRt.so exports. Of the classic
// TfLiteInterpreter… functions the wheel's library (2.3.0) exports not one; they would have to be built for every board.
//
// Declared here is only what is used, from litert/c/*.h of google-ai-edge/LiteRT (Apache-2.0), commit f677904 of August
// 2026; the same in v2.2.0.
#include "litert.h"

#include <dlfcn.h>

#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

#include "error.h"

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

}  // namespace

struct TensorType {
  int32_t element;
  Layout layout;
};

namespace {

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

}  // namespace

// The functions, by the names that they have behind "LiteRt".
struct LiteRt::Library {
  int (*CreateEnvironment)(int, const void *, Handle *);
  void (*DestroyEnvironment)(Handle);
  int (*CreateModelFromBuffer)(Handle, const void *, size_t, Handle *);
  void (*DestroyModel)(Handle);
  int (*CreateOptions)(Handle *);
  void (*DestroyOptions)(Handle);
  int (*SetOptionsHardwareAccelerators)(Handle, int);
  int (*CreateOpaqueOptions)(const char *, void *, void (*)(void *), Handle *);
  int (*AddOpaqueOptions)(Handle, Handle);
  int (*CreateCompiledModel)(Handle, Handle, Handle, Handle *);
  void (*DestroyCompiledModel)(Handle);
  int (*CompiledModelResizeInputTensor)(Handle, size_t, size_t, const int32_t *, size_t);
  int (*GetCompiledModelOutputTensorLayouts)(Handle, size_t, size_t, Layout *, bool);
  int (*RunCompiledModel)(Handle, size_t, size_t, Handle *, size_t, Handle *);
  int (*GetMainModelSubgraphIndex)(Handle, size_t *);
  int (*GetModelSubgraph)(Handle, size_t, Handle *);
  int (*GetNumSubgraphInputs)(Handle, size_t *);
  int (*GetNumSubgraphOutputs)(Handle, size_t *);
  int (*GetSubgraphInput)(Handle, size_t, Handle *);
  int (*GetSubgraphOutput)(Handle, size_t, Handle *);
  int (*GetRankedTensorType)(Handle, TensorType *);
  int (*GetQuantizationTypeId)(Handle, int *);
  int (*GetPerTensorQuantization)(Handle, Quantization *);
  int (*CreateTensorBufferFromHostMemory)(const TensorType *, void *, size_t, void (*)(void *), Handle *);
  void (*DestroyTensorBuffer)(Handle);

  explicit Library(const std::string &given) {
    const char *named = std::getenv("SEGEDGE_LITERT");
    std::string path = !given.empty() ? given : named && *named ? named : kName;
    const bool linked = path == "linked";
    // never unloaded: it starts threads and registers with the C library, neither of which it takes back
    handle_ = dlopen(linked ? nullptr : path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (linked) path = "what is linked into this program";
    if (!handle_) {
      const char *why = dlerror();
      library_error("LiteRT: " + path + " cannot be opened (" + (why ? why : "no reason given") + "); expected " + kName +
                    " 2.2 or 2.3, out of the ai-edge-litert wheel, the AAR or LiteRT's C++ SDK");
    }
    // exported since 2.2; before, LiteRtCreateModelFromBuffer took no environment under the same name
    if (!dlsym(handle_, "kLiteRtRuntimeBuiltin"))
      library_error("LiteRT: " + path +
                    " is older than 2.2 or no LiteRT, expected 2.2 or 2.3; take the library of another wheel");
    load(path);
  }
  ~Library() {
    if (handle_) dlclose(handle_);
  }

 private:
  void load(const std::string &path) {
#define SEGEDGE_LOAD(name) find(name, "LiteRt" #name, path)
    SEGEDGE_LOAD(CreateEnvironment);
    SEGEDGE_LOAD(DestroyEnvironment);
    SEGEDGE_LOAD(CreateModelFromBuffer);
    SEGEDGE_LOAD(DestroyModel);
    SEGEDGE_LOAD(CreateOptions);
    SEGEDGE_LOAD(DestroyOptions);
    SEGEDGE_LOAD(SetOptionsHardwareAccelerators);
    SEGEDGE_LOAD(CreateOpaqueOptions);
    SEGEDGE_LOAD(AddOpaqueOptions);
    SEGEDGE_LOAD(CreateCompiledModel);
    SEGEDGE_LOAD(DestroyCompiledModel);
    SEGEDGE_LOAD(CompiledModelResizeInputTensor);
    SEGEDGE_LOAD(GetCompiledModelOutputTensorLayouts);
    SEGEDGE_LOAD(RunCompiledModel);
    SEGEDGE_LOAD(GetMainModelSubgraphIndex);
    SEGEDGE_LOAD(GetModelSubgraph);
    SEGEDGE_LOAD(GetNumSubgraphInputs);
    SEGEDGE_LOAD(GetNumSubgraphOutputs);
    SEGEDGE_LOAD(GetSubgraphInput);
    SEGEDGE_LOAD(GetSubgraphOutput);
    SEGEDGE_LOAD(GetRankedTensorType);
    SEGEDGE_LOAD(GetQuantizationTypeId);
    SEGEDGE_LOAD(GetPerTensorQuantization);
    SEGEDGE_LOAD(CreateTensorBufferFromHostMemory);
    SEGEDGE_LOAD(DestroyTensorBuffer);
#undef SEGEDGE_LOAD
  }

  template <class Function>
  void find(Function &function, const char *name, const std::string &path) {
    void *found = dlsym(handle_, name);
    if (!found)
      library_error("LiteRT: " + path + " has no " + name + ", expected 2.2 or 2.3; take the library of another wheel");
    std::memcpy(&function, &found, sizeof(function));
  }

  void *handle_ = nullptr;
};

void *aligned_memory(size_t bytes) {
  void *memory = nullptr;
  if (bytes > SIZE_MAX - 2 * kAlignment || posix_memalign(&memory, kAlignment, bytes + kBeyond) != 0) throw std::bad_alloc();
  std::memset(static_cast<char *>(memory) + bytes, 0, kBeyond);
  return memory;
}

void LiteRt::Free::operator()(void *memory) const { std::free(memory); }

LiteRt::LiteRt(const std::string &library, const void *model, size_t size, int threads, const Contract &contract)
    : library_(std::make_unique<Library>(library)) {
  try {
    open(model, size, threads, contract);
  } catch (...) {
    close();
    throw;
  }
}

LiteRt::~LiteRt() { close(); }

void LiteRt::close() {
  for (Buffer *buffer : {&input_, &output_})
    if (buffer->handle) library_->DestroyTensorBuffer(buffer->handle);
  if (compiled_) library_->DestroyCompiledModel(compiled_);
  if (options_) library_->DestroyOptions(options_);
  if (model_) library_->DestroyModel(model_);
  if (environment_) library_->DestroyEnvironment(environment_);
}

void LiteRt::check(const char *call, int status) const {
  if (status != kOk)
    library_error(std::string("LiteRT refuses the model: LiteRt") + call + " gives status " + std::to_string(status) +
                  "; the file is damaged or from another converter, copy it again or export it again with segexport");
}

void LiteRt::make_options(int threads) {
  const std::string text = "num_threads = " + std::to_string(threads) + "\n";  // TOML, as litert_cpu_options.cc writes it
  Handle opaque = nullptr;
  check("CreateOptions", library_->CreateOptions(&options_));
  char *payload = static_cast<char *>(std::malloc(text.size() + 1));
  if (!payload) throw std::bad_alloc();
  std::memcpy(payload, text.c_str(), text.size() + 1);
  check("SetOptionsHardwareAccelerators", library_->SetOptionsHardwareAccelerators(options_, kCpu));
  check("CreateOpaqueOptions", library_->CreateOpaqueOptions("xnnpack", payload, std::free, &opaque));
  check("AddOpaqueOptions", library_->AddOpaqueOptions(options_, opaque));
}

void LiteRt::open(const void *model, size_t size, int threads, const Contract &contract) {
  // no search for GPUs and NPUs, and no word about it on standard error
  const EnvironmentOption options[] = {{kAutoRegister, kInt, kCpu}, {kLeastSeverity, kInt, kErrors}};
  check("CreateEnvironment", library_->CreateEnvironment(2, options, &environment_));
  check("CreateModelFromBuffer", library_->CreateModelFromBuffer(environment_, model, size, &model_));
  size_t index = 0, inputs = 0, outputs = 0;
  Handle graph = nullptr;
  check("GetMainModelSubgraphIndex", library_->GetMainModelSubgraphIndex(model_, &index));
  check("GetModelSubgraph", library_->GetModelSubgraph(model_, index, &graph));
  check("GetNumSubgraphInputs", library_->GetNumSubgraphInputs(graph, &inputs));
  check("GetNumSubgraphOutputs", library_->GetNumSubgraphOutputs(graph, &outputs));
  if (inputs != 1 || outputs != 1)
    throw Error(SEGEDGE_CONTRACT, "the model has " + std::to_string(inputs) + " inputs and " + std::to_string(outputs) +
                                      " outputs, expected one image in, one mask out");
  const TensorType wanted_input = type_of(contract.input), wanted_output = type_of(contract.output);
  const TensorType input = checked(graph, "input", contract.input, wanted_input);
  TensorType output = checked(graph, "output", contract.output, wanted_output);
  make_options(threads);
  check("CreateCompiledModel", library_->CreateCompiledModel(environment_, model_, options_, &compiled_));
  if (!same_shape(input, wanted_input)) {  // a model that takes any size is stored with some
    if (library_->CompiledModelResizeInputTensor(compiled_, 0, 0, wanted_input.layout.dimensions, 4) != kOk)
      mismatch("input", input, wanted_input);
    check("GetCompiledModelOutputTensorLayouts",
          library_->GetCompiledModelOutputTensorLayouts(compiled_, 0, 1, &output.layout, true));
  }
  if (!same_shape(output, wanted_output)) mismatch("output", output, wanted_output);
  make_buffer(contract.input, input_);
  make_buffer(contract.output, output_);
}

// The model's tensor, of the contract's dtype and quantization.
TensorType LiteRt::checked(void *graph, const std::string &which, const Tensor &spec, const TensorType &wanted) {
  Handle tensor = nullptr;
  TensorType type{};
  check("GetSubgraph", (which == "input" ? library_->GetSubgraphInput : library_->GetSubgraphOutput)(graph, 0, &tensor));
  check("GetRankedTensorType", library_->GetRankedTensorType(tensor, &type));
  if (type.element != wanted.element || type.layout.rank != 4) mismatch(which, type, wanted);
  int kind = 0;
  Quantization found{};
  check("GetQuantizationTypeId", library_->GetQuantizationTypeId(tensor, &kind));
  if (spec.quantized && kind == kPerTensor) {
    check("GetPerTensorQuantization", library_->GetPerTensorQuantization(tensor, &found));
    const double scale = static_cast<double>(found.scale);
    if (scale > 0 && (std::abs(scale - spec.scale) > 1e-5 * scale || found.zero_point != spec.zero_point))
      throw Error(SEGEDGE_CONTRACT, "the model's " + which + " has scale " + std::to_string(scale) + " and zero point " +
                                        std::to_string(found.zero_point) + ", the contract says " + std::to_string(spec.scale) +
                                        " and " + std::to_string(spec.zero_point) + "; correct the contract");
  }
  return type;
}

void LiteRt::make_buffer(const Tensor &spec, Buffer &buffer) {
  const TensorType type = type_of(spec);
  const uint64_t bytes = bytes_of(spec.kind) * static_cast<uint64_t>(spec.width) * static_cast<uint64_t>(spec.height) *
                         static_cast<uint64_t>(spec.channels);
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();  // where a size_t has 32 bits
  buffer.bytes = static_cast<size_t>(bytes);
  buffer.memory.reset(aligned_memory(buffer.bytes));
  std::memset(buffer.memory.get(), 0, buffer.bytes);
  check("CreateTensorBufferFromHostMemory",
        library_->CreateTensorBufferFromHostMemory(&type, buffer.memory.get(), buffer.bytes, nullptr, &buffer.handle));
}

void LiteRt::run() {
  const int status = library_->RunCompiledModel(compiled_, 0, 1, &input_.handle, 1, &output_.handle);
  if (status != kOk)
    library_error("LiteRT fails to run the model: status " + std::to_string(status) + "; copy or export it again");
}

}  // namespace segedge
