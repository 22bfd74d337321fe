// The C interface: arguments are checked here, and what goes wrong inside becomes a status and a text.
#include <thread>

#include "compose.h"
#include "error.h"
#include "session.h"

using namespace segedge;

struct segedge_session {
  std::unique_ptr<Session> session;
  std::string error;
  bool closed = false;  // in builds without NDEBUG
};

constexpr char kClosed[] = "the session is closed, expected an open one; open another";

namespace {

// Nothing to allocate, so that it can say that there is no memory.
void say(segedge_session *session, const char *text) {
  try {
    session->error = text;
  } catch (...) {
    session->error.clear();
  }
}

template <class Work>
segedge_status guarded(segedge_session *session, const Work &work) {
  if (!session) return SEGEDGE_ARGUMENT;
  session->error.clear();
  try {
    work();
    return SEGEDGE_OK;
  } catch (const Error &error) {
    say(session, error.what());
    return error.status;
  } catch (const std::bad_alloc &) {
    say(session, "no memory left for a model or frame of this size; take a smaller one");
    return SEGEDGE_MEMORY;
  } catch (const std::exception &error) {
    say(session, error.what());
    return SEGEDGE_FILE;
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
    throw argument_error(std::string(name) + ": got " + (given ? "a size of " + std::to_string(given->size) : "NULL") +
                         ", expected size to be " + std::to_string(sizeof(Struct)) + ", sizeof(segedge_" + name + ")");
}

int threads_of(const segedge_options &options) {
  if (options.threads > SEGEDGE_MAX_THREADS)
    throw argument_error("threads: got " + std::to_string(options.threads) +
                         ", expected 1 to 256, or 0 for this machine's cores, at most 4");
  const unsigned cores = std::max(1u, std::min(4u, std::thread::hardware_concurrency()));
  return static_cast<int>(options.threads ? options.threads : cores);
}

struct Span {
  const uint8_t *begin, *end;
  bool overlaps(const Span &other) const { return std::less<>()(begin, other.end) && std::less<>()(other.begin, end); }
};

Span span_of(const void *out, size_t stride, size_t row_bytes, Size size, const char *name) {
  const std::string who = name;
  const size_t rows = static_cast<size_t>(size.height);
  if (!out) throw argument_error(who + ": got NULL, expected memory to write to");
  if (stride < row_bytes || stride > (SIZE_MAX >> 1) / rows)
    throw argument_error(who + ": got a stride of " + std::to_string(stride) + " bytes, expected at least the " +
                         std::to_string(row_bytes) + " of a row");
  const uint8_t *begin = static_cast<const uint8_t *>(out);
  return {begin, begin + (rows - 1) * stride + row_bytes};
}

void check_apart(const Span &out, const Picture &picture, const char *name) {
  for (int plane = 0; plane < picture.planes(); plane++)
    if (out.overlaps({picture.begin(plane), picture.end(plane)}))
      throw argument_error(std::string(name) + ": overlaps a picture that is read; take memory of its own");
}

template <class Load>
segedge_status open(const segedge_options *options, segedge_session **session, const Load &load) {
  if (!session) return SEGEDGE_ARGUMENT;
  *session = new (std::nothrow) segedge_session;
  if (!*session) return SEGEDGE_MEMORY;
  return guarded(*session, [&] {
    const segedge_options none = {sizeof(segedge_options), 0, 0, nullptr, nullptr};
    if (options) check_size(options, "options");
    const segedge_options &given = options ? *options : none;
    const int threads = threads_of(given);
    if (given.feather > SEGEDGE_MAX_FEATHER)
      throw argument_error("feather: got " + std::to_string(given.feather) + ", expected 0 to 64 pixels");
    (*session)->session = std::make_unique<Session>(load(), given, threads);
  });
}

}  // namespace

const char *segedge_version(void) { return "0.1.0"; }

segedge_status segedge_open_file(const char *path, const segedge_options *options, segedge_session **session) {
  return open(options, session, [&] {
    if (!path) throw argument_error("path: got NULL, expected the path of a .tflite file");
    return Memory::of_file(path);
  });
}

segedge_status segedge_open_buffer(const void *data, size_t size, const segedge_options *options, segedge_session **session) {
  return open(options, session, [&] {
    if (!data) throw argument_error("data: got NULL, expected the bytes of a .tflite file");
    return Memory::copy_of(data, size);
  });
}

const char *segedge_error(const segedge_session *session) {
  return session ? session->error.c_str() : "the session is NULL; open one";
}

segedge_status segedge_describe(segedge_session *session, segedge_info *info) {
  return on(session, [&](const Session &opened) {
    check_size(info, "info");
    const Contract &contract = opened.contract();
    const auto side = [](int value) { return static_cast<uint32_t>(value); };
    *info = {sizeof(segedge_info),        side(contract.input.width),    side(contract.input.height),
             side(contract.output.width), side(contract.output.height),  side(opened.threads()),
             contract.threshold,          opened.contract_text().c_str()};
  });
}

segedge_status segedge_mask(segedge_session *session, const segedge_frame *frame, float *mask, size_t stride) {
  return on(session, [&](Session &opened) {
    const Picture picture(frame, "frame");
    if (reinterpret_cast<uintptr_t>(mask) % alignof(float) || stride % alignof(float))
      throw argument_error("mask: its rows do not begin where a float may lie; align them to 4 bytes");
    check_apart(span_of(mask, stride, sizeof(float) * static_cast<size_t>(picture.size().width), picture.size(), "mask"),
                picture, "mask");
    opened.mask(picture, mask, stride);
  });
}

segedge_status segedge_alpha(segedge_session *session, const segedge_frame *frame, uint32_t preset, uint8_t *alpha,
                             size_t stride) {
  return on(session, [&](Session &opened) {
    const Picture picture(frame, "frame");
    if (preset > SEGEDGE_BALANCED)
      throw argument_error("preset: got " + std::to_string(preset) + ", expected 0 (fast) or 1 (balanced)");
    check_apart(span_of(alpha, stride, static_cast<size_t>(picture.size().width), picture.size(), "alpha"), picture, "alpha");
    opened.alpha(picture, static_cast<segedge_preset>(preset), alpha, stride);
  });
}

segedge_status segedge_reset(segedge_session *session) {
  return on(session, [](Session &opened) { opened.reset(); });
}

segedge_status segedge_composite(segedge_session *session, const segedge_frame *frame, const uint8_t *alpha,
                                 size_t alpha_stride, const segedge_frame *background, const uint8_t *colour,
                                 uint32_t out_format, uint8_t *out, size_t out_stride) {
  return on(session, [&](const Session &) {
    const Picture over(frame, "frame");
    const Size size = over.size();
    if (!background && !colour) throw argument_error("background and colour are both NULL, expected one of them");
    if (out_format > SEGEDGE_BGRA)
      throw argument_error("out: got format " + std::to_string(out_format) + ", expected BGR, RGB, RGBA or BGRA (0 to 3)");
    const Span weights = span_of(alpha, alpha_stride, static_cast<size_t>(size.width), size, "alpha");
    const Span to = span_of(out, out_stride, bytes_of_pixel(out_format) * static_cast<size_t>(size.width), size, "out");
    const bool in_place = frame->format == out_format && frame->planes[0] == out && frame->strides[0] == out_stride;
    if (!in_place) check_apart(to, over, "out");
    if (to.overlaps(weights)) throw argument_error("out: overlaps alpha; take memory of its own");
    if (!background) return compose(over, alpha, alpha_stride, nullptr, colour, out_format, out, out_stride);
    const Picture behind(background, "background");
    check_apart(to, behind, "out");
    compose(over, alpha, alpha_stride, &behind, colour, out_format, out, out_stride);
  });
}

segedge_status segedge_self_test(segedge_session *session, segedge_result *result) {
  return on(session, [&](Session &opened) {
    check_size(result, "result");
    opened.self_test(*result);
  });
}

segedge_status segedge_inspect(segedge_session *session, uint32_t step, const void **data, size_t *bytes) {
  return on(session, [&](Session &opened) {
    if (!data || !bytes) throw argument_error("data or bytes is NULL, expected where to write them");
    if (step > SEGEDGE_COARSE) throw argument_error("step: got " + std::to_string(step) + ", expected 0 to 3");
    opened.inspect(static_cast<segedge_step>(step), *data, *bytes);
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
    say(*session, kClosed);
  }
#endif
  *session = nullptr;
}
