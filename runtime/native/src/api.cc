// The C interface: arguments are checked here, and what goes wrong inside becomes a status and a text.
#include <sys/stat.h>

#include <cstdio>
#include <thread>

#include "archive.h"
#include "golden.h"
#include "inflate.h"
#include "litert.h"
#include "refine.h"
#include "tensors.h"

using namespace segedge;

namespace {

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

std::string contract_of(const Archive &archive, const char *given) {
  if (given) return given;
  const std::optional<std::string> found = archive.text("segedge.contract.json");
  if (!found)
    throw Error(SEGEDGE_CONTRACT,
                "the file holds no contract, so nobody knows its colours, range or output: it is cut off, or of "
                "another exporter; copy it again, or give a contract (docs/contract.md)");
  return *found;
}

// A model file, loaded, and one stream of frames.
struct Session {
  Session(Memory given, const segedge_options &options)
      : file(std::move(given)),
        archive(file.data.get(), file.size),
        text(contract_of(archive, options.contract)),
        contract(parse_contract(text)),
        threads(options.threads),
        network(open_litert(options.litert ? options.litert : "", file, threads, contract)),
        preprocess(contract.input),
        refiner(options.feather) {}

  void run(const Picture &picture) {
    coarse.values.clear();
    preprocess.run(picture, network->input.data.get());
    network->run();
    probabilities = probability(contract.output, network->output.data.get());
    coarse = on_region(probabilities, on_output(fit_region(contract.input, picture.size()), contract));
  }

  const Memory file;
  const Archive archive;
  const std::string text;
  const Contract contract;
  const uint32_t threads;
  const std::unique_ptr<Network> network;
  Preprocessor preprocess;
  Refiner refiner;
  Plane<float> probabilities, coarse;  // of the last frame; the latter is empty where it failed
};

}  // namespace

struct segedge_session {
  std::unique_ptr<Session> session;
  std::string error;
  bool closed = false;  // in builds without NDEBUG
};

constexpr char kClosed[] = "the session is closed, expected an open one; open another";

namespace {

// Nothing to allocate, so that it can say that there is no memory.
segedge_status failed(segedge_session *session, segedge_status status, const char *text) {
  try {
    session->error = text;
  } catch (...) {
    session->error.clear();
  }
  return status;
}

template <class Work>
segedge_status guarded(segedge_session *session, const Work &work) {
  if (!session) return SEGEDGE_ARGUMENT;
  session->error.clear();
  try {
    work();
    return SEGEDGE_OK;
  } catch (const Error &error) {
    return failed(session, error.status, error.what());
  } catch (const std::bad_alloc &) {
    return failed(session, SEGEDGE_MEMORY, "no memory left for a model or frame of this size; take a smaller one");
  } catch (const std::exception &error) {
    return failed(session, SEGEDGE_FILE, error.what());
  }
}

template <class Work>
segedge_status on(segedge_session *session, const Work &work) {
  return guarded(session, [&] {
    if (session->closed) throw argument_error(kClosed);
    if (!session->session) throw argument_error("the session was not opened; see the error of segedge_open_file");
    work(*session->session);
  });
}

template <class Struct>
void check_size(const Struct *given, const char *name) {
  if (!given || given->size != sizeof(Struct))
    throw unexpected(name, given ? "a size of " + std::to_string(given->size) : "NULL",
                     "size to be " + std::to_string(sizeof(Struct)) + ", sizeof(segedge_" + name + ")");
}

void check_apart(const char *name, const Span &out, const Picture &picture) {
  if (picture.overlaps(out))
    throw argument_error(std::string(name) + ": overlaps a picture that is read; take memory of its own");
}

template <class Load>
segedge_status open(const segedge_options *options, segedge_session **session, const Load &load) {
  if (!session) return SEGEDGE_ARGUMENT;
  *session = new (std::nothrow) segedge_session;
  if (!*session) return SEGEDGE_MEMORY;
  return guarded(*session, [&] {
    if (options) check_size(options, "options");
    segedge_options given = options ? *options : segedge_options{sizeof(segedge_options), 0, 0, nullptr, nullptr};
    if (given.threads > SEGEDGE_MAX_THREADS)
      throw unexpected("threads", std::to_string(given.threads), "1 to 256, or 0 for this machine's cores, at most 4");
    if (given.feather > SEGEDGE_MAX_FEATHER) throw unexpected("feather", std::to_string(given.feather), "0 to 64 pixels");
    if (!given.threads) given.threads = std::clamp(std::thread::hardware_concurrency(), 1u, 4u);
    (*session)->session = std::make_unique<Session>(load(), given);
  });
}

}  // namespace

const char *segedge_version(void) { return "0.1.0"; }

segedge_status segedge_open_file(const char *path, const segedge_options *options, segedge_session **session) {
  return open(options, session, [&] {
    if (!path) throw unexpected("path", "NULL", "the path of a .tflite file");
    return read_file(path);
  });
}

segedge_status segedge_open_buffer(const void *data, size_t size, const segedge_options *options, segedge_session **session) {
  return open(options, session, [&] {
    if (!data) throw unexpected("data", "NULL", "the bytes of a .tflite file");
    Memory copy(size);
    std::copy_n(static_cast<const uint8_t *>(data), size, copy.data.get());
    return copy;
  });
}

const char *segedge_error(const segedge_session *session) {
  return session ? session->error.c_str() : "the session is NULL; open one";
}

segedge_status segedge_describe(segedge_session *session, segedge_info *info) {
  return on(session, [&](const Session &opened) {
    check_size(info, "info");
    const Size input = size_of(opened.contract.input), output = size_of(opened.contract.output);
    *info = {sizeof(segedge_info),      input.width,        input.height, output.width, output.height, opened.threads,
             opened.contract.threshold, opened.text.c_str()};
  });
}

segedge_status segedge_mask(segedge_session *session, const segedge_frame *frame, float *mask, size_t stride) {
  return on(session, [&](Session &opened) {
    const Picture picture(frame, "frame");
    if (reinterpret_cast<uintptr_t>(mask) % alignof(float) || stride % alignof(float))
      throw argument_error("mask: its rows do not begin where a float may lie; align them to 4 bytes");
    const Size size = picture.size();
    check_apart("mask", span_of("mask", mask, stride, {4 * size.width, size.height}), picture);
    opened.run(picture);
    resize(source_of(opened.coarse), size, "bilinear", Rows<float>{mask, stride / sizeof(float)});
  });
}

segedge_status segedge_alpha(segedge_session *session, const segedge_frame *frame, uint32_t preset, uint8_t *alpha,
                             size_t stride) {
  return on(session, [&](Session &opened) {
    const Picture picture(frame, "frame");
    if (preset > SEGEDGE_BALANCED) throw unexpected("preset", std::to_string(preset), "0 (fast) or 1 (balanced)");
    check_apart("alpha", span_of("alpha", alpha, stride, picture.size()), picture);
    opened.run(picture);
    opened.refiner.run(static_cast<segedge_preset>(preset), opened.coarse, picture, {alpha, stride});
  });
}

segedge_status segedge_reset(segedge_session *session) {
  return on(session, [](Session &opened) { opened.refiner.reset(); });
}

segedge_status segedge_composite(segedge_session *session, const segedge_frame *frame, const uint8_t *alpha,
                                 size_t alpha_stride, const segedge_frame *background, const uint8_t *colour,
                                 uint32_t out_format, uint8_t *out, size_t out_stride) {
  return on(session, [&](const Session &) {
    const Picture over(frame, "frame");
    const Size size = over.size();
    if (!background && !colour) throw argument_error("background and colour are both NULL, expected one of them");
    if (out_format > SEGEDGE_BGRA)
      throw unexpected("out", "format " + std::to_string(out_format), "BGR, RGB, RGBA or BGRA (0 to 3)");
    const Format &format = kFormats[out_format];
    const Span weights = span_of("alpha", alpha, alpha_stride, size);
    const Span to = span_of("out", out, out_stride, {format.step * size.width, size.height});
    const bool in_place = frame->format == out_format && frame->planes[0] == out && frame->strides[0] == out_stride;
    if (!in_place) check_apart("out", to, over);
    if (to.overlaps(weights)) throw argument_error("out: overlaps alpha; take memory of its own");
    std::optional<Picture> behind;
    if (background) check_apart("out", to, behind.emplace(background, "background"));
    compose(over, {alpha, alpha_stride}, behind ? &*behind : nullptr, colour, format, {out, out_stride});
  });
}

segedge_status segedge_self_test(segedge_session *session, segedge_result *result) {
  return on(session, [&](Session &opened) {
    check_size(result, "result");
    const std::optional<std::string> text = opened.archive.text("segedge.golden.json");
    if (!text)
      throw file_error(
          "the file holds no golden pictures, so it cannot test itself; export the checkpoint again with this segexport");
    const Golden golden = parse_golden(*text);
    result->altered = sha256(opened.file.data.get(), opened.archive.model_size()) != golden.model_sha256;
    result->same = !result->altered;
    result->pictures = static_cast<uint32_t>(golden.pictures.size());
    result->least_iou = result->least_iou_pytorch = 1;
    result->mean_difference = 0;
    for (const GoldenPicture &one : golden.pictures) {
      const Size frame = one.frame.size;
      const segedge_frame picture = {
          SEGEDGE_RGB, frame.width, frame.height, {one.frame.pixels.data()}, {3 * size_t{frame.width}}};
      opened.run(Picture(&picture, "golden picture"));
      const Plane<float> mask = as_stored(opened.probabilities);
      if (mask.size != one.made.size)
        throw file_error("the golden pictures belong to a network of another size; export the file again");
      const Nearness made = nearness(one.made, mask.values);
      result->same = result->same && is_same(made, opened.contract.exact);
      result->least_iou = std::min(result->least_iou, made.iou);
      result->least_iou_pytorch = std::min(result->least_iou_pytorch, nearness(one.reference, mask.values).iou);
      result->mean_difference = std::max(result->mean_difference, made.mean_difference);
    }
  });
}

segedge_status segedge_inspect(segedge_session *session, uint32_t step, const void **data, size_t *bytes) {
  return on(session, [&](const Session &opened) {
    if (!data || !bytes) throw argument_error("data or bytes is NULL, expected where to write them");
    if (step > SEGEDGE_COARSE) throw unexpected("step", std::to_string(step), "0 to 3");
    if (opened.coarse.values.empty()) throw argument_error("no frame has run yet; call segedge_mask or segedge_alpha before");
    if (step == SEGEDGE_INPUT || step == SEGEDGE_OUTPUT) {
      const Memory &tensor = step == SEGEDGE_INPUT ? opened.network->input : opened.network->output;
      *data = tensor.data.get();
      *bytes = tensor.size;
    } else {
      const std::vector<float> &floats = step == SEGEDGE_PROBABILITY ? opened.probabilities.values : opened.coarse.values;
      *data = floats.data();
      *bytes = floats.size() * sizeof(float);
    }
  });
}

void segedge_close(segedge_session **session) {
  if (!session) return;
#ifdef NDEBUG
  delete *session;
#else  // what is left of it tells whoever still has its address
  if (*session) {
    (*session)->session.reset();
    (*session)->closed = true;
    failed(*session, SEGEDGE_OK, kClosed);
  }
#endif
  *session = nullptr;
}
