// segedge_camera MODEL.tflite: a camera's frames over another background, as a row of PPM pictures on standard output,
// each with its size. Frames come from V4L2, or as they are from standard input. docs/native.md shows it in use.
#include <getopt.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>

#include "v4l2.h"

namespace {

constexpr char kUsage[] =
    "usage: segedge_camera [options] MODEL.tflite | ffplay -f ppm_pipe -\n"
    "  -d, --device PATH      the camera: /dev/video0\n"
    "  -i, --stdin FORMAT     frames of NV12, I420, YUYV, RGB3, ... from standard input, without padding\n"
    "  -s, --size WxH         640x480; a camera may take another\n"
    "  -b, --background B     a colour as RRGGBB, 00ff00, or a PPM\n"
    "  -n, --frames N         ends after so many\n"
    "  -t, --threads N        of the interpreter\n"
    "  -f, --full-range       YUV is 0 to 255, though the camera does not say so\n"
    "  -7, --bt709            YUV is BT.709, though the camera does not say so\n";

volatile std::sig_atomic_t stopped = 0;

struct Options {
  std::string device = "/dev/video0", input, background = "00ff00", model;
  uint32_t width = 640, height = 480, frames = UINT32_MAX, threads = 0, flags = 0;
};

bool read_words(int count, char **words, Options &to) {
  const option names[] = {{"device", 1, nullptr, 'd'},     {"stdin", 1, nullptr, 'i'},  {"size", 1, nullptr, 's'},
                          {"background", 1, nullptr, 'b'}, {"frames", 1, nullptr, 'n'}, {"threads", 1, nullptr, 't'},
                          {"full-range", 0, nullptr, 'f'}, {"bt709", 0, nullptr, '7'},  {}};
  bool right = true;
  char rest = 0;
  for (int name; (name = getopt_long(count, words, "d:i:s:b:n:t:f7", names, nullptr)) != -1;) switch (name) {
      case 'd': to.device = optarg; break;
      case 'i': to.input = optarg; break;
      case 's': right &= std::sscanf(optarg, "%5ux%5u%c", &to.width, &to.height, &rest) == 2; break;
      case 'b': to.background = optarg; break;
      case 'n': right &= std::sscanf(optarg, "%9u%c", &to.frames, &rest) == 1; break;
      case 't': right &= std::sscanf(optarg, "%9u%c", &to.threads, &rest) == 1; break;
      case 'f': to.flags |= SEGEDGE_FULL_RANGE; break;
      case '7': to.flags |= SEGEDGE_BT709; break;
      default: right = false;
    }
  if (optind + 1 == count) to.model = words[optind];
  return right && !to.model.empty() && to.width - 1 < SEGEDGE_MAX_SIDE && to.height - 1 < SEGEDGE_MAX_SIDE;
}

// How C++ holds a session: it closes itself.
struct Close {
  void operator()(segedge_session *session) const { segedge_close(&session); }
};
using Session = std::unique_ptr<segedge_session, Close>;

void check(const Session &session, segedge_status status) {
  if (status != SEGEDGE_OK) fail(segedge_error(session.get()));
}

Session open_session(const Options &options) {
  segedge_options given = {};
  given.size = sizeof given;
  given.threads = options.threads;
  segedge_session *opened = nullptr;
  const segedge_status status = segedge_open_file(options.model.c_str(), &given, &opened);
  Session session(opened);
  check(session, status);
  return session;
}

// A colour, or a picture that lies in `pixels`.
struct Background {
  uint8_t colour[3] = {};
  std::vector<uint8_t> pixels;
  segedge_frame picture = {};

  explicit Background(const std::string &text) {
    char rest = 0;
    if (text.size() == 6 && std::sscanf(text.c_str(), "%2hhx%2hhx%2hhx%c", &colour[0], &colour[1], &colour[2], &rest) == 3)
      return;
    std::ifstream file(text, std::ios::binary);
    std::string magic;
    uint32_t width = 0, height = 0, most = 0;
    file >> magic >> width >> height >> most;
    file.get();
    const bool right = file && magic == "P6" && most == 255 && width - 1 < SEGEDGE_MAX_SIDE && height - 1 < SEGEDGE_MAX_SIDE;
    pixels.resize(right ? size_t{3} * width * height : 0);
    if (!right || !file.read(reinterpret_cast<char *>(pixels.data()), static_cast<std::streamsize>(pixels.size())))
      fail(text + ": is neither a colour, RRGGBB, nor a binary PPM of 8 bits without comments");
    picture = {SEGEDGE_RGB, width, height, {pixels.data()}, {size_t{3} * width}};
  }
};

// How many of the bytes `move` (read or write) moved before the other end closed, or a signal said to stop.
template <class Move>
size_t all(int file, short ready, size_t bytes, const Move &move) {
  size_t done = 0;
  while (done < bytes && !stopped) {
    const ssize_t count = move(done, bytes - done);
    if (count == 0 || (count < 0 && errno == EPIPE)) break;
    if (count < 0 && errno != EAGAIN && errno != EINTR) fail((file ? "standard output: " : "standard input: ") + reason());
    pollfd waiting = {file, ready, 0};
    if (count < 0 && errno == EAGAIN) poll(&waiting, 1, kPatienceMs);
    done += static_cast<size_t>(std::max<ssize_t>(count, 0));
  }
  return done;
}

// Where frames come from, one at a time; NULL is the end.
struct Source {
  Shape shape;
  std::function<const uint8_t *()> next;
  std::function<uint32_t()> dropped;
};

Source from_camera(const Options &options) {
  const auto camera = std::make_shared<Camera>(options.device, options.width, options.height);
  return {camera->shape(), [camera] { return camera->next(stopped); }, [camera] { return camera->dropped(); }};
}

Source from_stdin(const Options &options) {
  const std::string name = options.input == "I420" ? "YU12" : options.input;
  for (const Layout &layout : kLayouts) {
    if (name != layout.fourcc) continue;
    if (layout.pixel_bytes == 2 && options.width % 2) fail("--size: YUYV has pixels in pairs, expected an even width");
    const Shape shape = {layout, options.width, options.height, options.width * layout.pixel_bytes, 0};
    const auto next = [bytes = std::vector<uint8_t>(shape.bytes())]() mutable -> const uint8_t * {
      const auto more = [&](size_t at, size_t count) { return read(STDIN_FILENO, bytes.data() + at, count); };
      const size_t found = all(STDIN_FILENO, POLLIN, bytes.size(), more);
      if (found && found < bytes.size() && !stopped)
        fail("standard input: ends after " + std::to_string(found) + " bytes of a frame, expected " +
             std::to_string(bytes.size()) + "; are --size and the format right?");
      return found == bytes.size() ? bytes.data() : nullptr;
    };
    return {shape, next, [] { return 0u; }};
  }
  fail("--stdin: got " + name + ", expected one of " + known_layouts());
}

void run(const Options &options) {
  if (isatty(STDOUT_FILENO)) fail("standard output is a terminal; end the line with | ffplay -f ppm_pipe -");
  const Session session = open_session(options);
  const Background background(options.background);
  Source source = options.input.empty() ? from_camera(options) : from_stdin(options);
  Shape &shape = source.shape;
  if (is_yuv(shape.layout)) shape.flags |= options.flags;
  std::fprintf(stderr, "segedge_camera: %ux%u %s%s%s\n", shape.width, shape.height, shape.layout.fourcc,
               shape.flags & SEGEDGE_BT709 ? ", BT.709" : "", shape.flags & SEGEDGE_FULL_RANGE ? ", full range" : "");

  const std::string header = "P6\n" + std::to_string(shape.width) + " " + std::to_string(shape.height) + "\n255\n";
  const size_t width = shape.width, pixels = width * shape.height;
  std::vector<uint8_t> planes, alpha(pixels), out(header.begin(), header.end());
  out.resize(header.size() + 3 * pixels);
  using Clock = std::chrono::steady_clock;
  Clock::duration worked{};
  Clock::time_point said = Clock::now();
  uint32_t written = 0, since = 0;
  const auto report = [&] {
    const std::chrono::duration<double> passed = Clock::now() - said, busy = worked;
    std::fprintf(stderr, "segedge_camera: %u frames, %.1f a second, %.1f ms each, %u dropped\n", written,
                 since / passed.count(), 1e3 * busy.count() / std::max(since, 1u), source.dropped());
    said = Clock::now(), worked = {}, since = 0;
  };
  while (written < options.frames) {
    const uint8_t *bytes = source.next();
    if (!bytes) break;
    const Clock::time_point begun = Clock::now();
    const segedge_frame frame = frame_of(shape, bytes, planes);
    check(session, segedge_alpha(session.get(), &frame, SEGEDGE_BALANCED, alpha.data(), width));
    check(session, segedge_composite(session.get(), &frame, alpha.data(), width,
                                     background.pixels.empty() ? nullptr : &background.picture, background.colour, SEGEDGE_RGB,
                                     out.data() + header.size(), 3 * width));
    worked += Clock::now() - begun;
    const auto more = [&](size_t at, size_t count) { return write(STDOUT_FILENO, out.data() + at, count); };
    if (all(STDOUT_FILENO, POLLOUT, out.size(), more) < out.size()) break;  // whoever looked has closed it
    written++, since++;
    if (Clock::now() - said > std::chrono::seconds(2)) report();
  }
  report();
}

}  // namespace

int main(int count, char **words) {
  Options options;
  if (!read_words(count, words, options)) return std::fputs(kUsage, stderr), 2;
  struct sigaction action = {};
  action.sa_handler = [](int) { stopped = 1; };  // without SA_RESTART: what waits for a frame returns
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    run(options);
  } catch (const std::exception &error) {
    return std::fprintf(stderr, "segedge_camera: %s\n", error.what()), 1;
  }
  return 0;
}
