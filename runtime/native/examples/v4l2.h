// A camera that Linux knows (V4L2), and its frames as the core takes them. All that goes wrong is a std::runtime_error.
#pragma once

#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <segedge.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

constexpr int kPatienceMs = 5000;

[[noreturn]] inline void fail(const std::string &text) { throw std::runtime_error(text); }
inline std::string reason() { return std::strerror(errno); }

// What the core takes, and YUYV, which most webcams give; the first that a camera has is taken.
struct Layout {
  const char *fourcc;
  segedge_format format;
  uint32_t pixel_bytes;  // of the first plane
  bool swapped;          // V before U
};
constexpr Layout kLayouts[] = {
    {"NV12", SEGEDGE_NV12, 1, false}, {"NV21", SEGEDGE_NV21, 1, false}, {"YU12", SEGEDGE_I420, 1, false},
    {"YV12", SEGEDGE_I420, 1, true},  {"YUYV", SEGEDGE_NV12, 2, false}, {"RGB3", SEGEDGE_RGB, 3, false},
    {"BGR3", SEGEDGE_BGR, 3, false},  {"AB24", SEGEDGE_RGBA, 4, false}, {"XB24", SEGEDGE_RGBA, 4, false},
    {"AR24", SEGEDGE_BGRA, 4, false}, {"XR24", SEGEDGE_BGRA, 4, false}};
inline bool is_yuv(const Layout &layout) { return layout.format >= SEGEDGE_NV12; }

inline std::string known_layouts() {
  std::string names;
  for (const Layout &layout : kLayouts) names += std::string(names.empty() ? "" : ", ") + layout.fourcc;
  return names;
}

// How frames lie in memory, their planes one after the other; `stride` of the first.
struct Shape {
  Layout layout;
  uint32_t width, height, stride, flags;

  size_t chroma_stride() const { return (size_t{stride} + 1) / 2 * 2; }
  size_t chroma_rows() const { return (size_t{height} + 1) / 2; }
  size_t bytes() const {
    const uint64_t chroma = layout.pixel_bytes == 1 ? uint64_t{chroma_stride()} * chroma_rows() : 0;
    const uint64_t whole = uint64_t{stride} * height + chroma;
    if (whole > SIZE_MAX / 2) fail("a frame of " + std::to_string(whole) + " bytes is more than this machine's memory");
    return static_cast<size_t>(whole);
  }
};

// YUYV as NV12: the chroma of two rows becomes one, the mean of both.
inline Shape planes_of_yuyv(const Shape &from, const uint8_t *bytes, std::vector<uint8_t> &planes) {
  const Shape to = {kLayouts[0], from.width, from.height, from.width, from.flags};
  planes.resize(to.bytes());
  uint8_t *luma = planes.data(), *chroma = luma + size_t{to.stride} * to.height;
  for (size_t y = 0; y < to.height; y++, luma += to.stride) {
    const uint8_t *row = bytes + y * from.stride, *next = y + 1 < to.height ? row + from.stride : row;
    for (size_t x = 0; x < to.width; x++) luma[x] = row[2 * x];
    if (y % 2) continue;
    for (size_t x = 0; x < to.width; x++) chroma[x] = static_cast<uint8_t>((row[2 * x + 1] + next[2 * x + 1] + 1) / 2);
    chroma += to.chroma_stride();
  }
  return to;
}

inline segedge_frame frame_of(Shape shape, const uint8_t *bytes, std::vector<uint8_t> &planes) {
  if (shape.layout.pixel_bytes == 2) {
    shape = planes_of_yuyv(shape, bytes, planes);
    bytes = planes.data();
  }
  segedge_frame frame = {shape.layout.format | shape.flags, shape.width, shape.height, {bytes}, {shape.stride}};
  if (!is_yuv(shape.layout)) return frame;
  const size_t stride = shape.layout.format == SEGEDGE_I420 ? shape.chroma_stride() / 2 : shape.chroma_stride();
  frame.strides[1] = frame.strides[2] = stride;
  frame.planes[1] = bytes + size_t{shape.stride} * shape.height;
  frame.planes[2] = frame.planes[1] + stride * shape.chroma_rows();
  if (shape.layout.swapped) std::swap(frame.planes[1], frame.planes[2]);
  return frame;
}

class Camera {
 public:
  // `width` and `height` are what is wished for: the driver decides.
  Camera(const std::string &path, uint32_t width, uint32_t height) : Camera(path) {
    fd_ = open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd_ < 0) fail(path + ": cannot be opened: " + reason() + "; v4l2-ctl --list-devices names the cameras");
    v4l2_capability found = {};
    need(VIDIOC_QUERYCAP, &found, "is no camera");
    const uint32_t can = found.capabilities & V4L2_CAP_DEVICE_CAPS ? found.device_caps : found.capabilities;
    if (!(can & V4L2_CAP_VIDEO_CAPTURE) || !(can & V4L2_CAP_STREAMING))
      fail(path + ": is no camera that streams with one memory for all planes; take another device, or --stdin");
    negotiate(width, height);
    map();
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    need(VIDIOC_STREAMON, &type,
         "does not start (a camera on the board's ribbon needs libcamerify, or rpicam-vid and --stdin)");
    streaming_ = true;
  }
  Camera(const Camera &) = delete;
  Camera &operator=(const Camera &) = delete;
  ~Camera() {
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (streaming_) call(VIDIOC_STREAMOFF, &type);
    for (const Mapped &buffer : buffers_) munmap(buffer.memory, buffer.bytes);
    if (fd_ >= 0) close(fd_);
  }

  const Shape &shape() const { return shape_; }
  uint32_t dropped() const { return dropped_; }

  // The newest frame, valid until the next call; older ones go back to the driver. NULL: `stopped` became 1.
  const uint8_t *next(const volatile std::sig_atomic_t &stopped) {
    give_back(0);
    for (bool late = false; !stopped;) {
      pollfd waiting = {fd_, POLLIN, 0};
      const int found = poll(&waiting, 1, kPatienceMs);
      if (found < 0 && errno == EINTR) continue;
      if (found <= 0) fail(path_ + ": gave no frame within 5 seconds; is another program using it?");
      v4l2_buffer newest = {};
      for (v4l2_buffer buffer = {}; take(buffer);) {
        held_.push_back(buffer.index);
        newest = buffer;
      }
      if (held_.empty() && waiting.revents & (POLLERR | POLLHUP)) fail(path_ + ": stopped; was it unplugged?");
      // a camera without an empty buffer stands still, and its newest frame may be old: then the next one is taken
      const bool starved = !late && buffers_.size() > 2 && held_.size() + 1 >= buffers_.size();
      late = late || starved;
      give_back(starved ? 0 : 1);
      if (held_.empty()) continue;
      if (seen_ && newest.sequence > last_) dropped_ += newest.sequence - last_ - 1;
      seen_ = true;
      last_ = newest.sequence;
      return static_cast<const uint8_t *>(buffers_[newest.index].memory);
    }
    return nullptr;
  }

 private:
  struct Mapped {
    void *memory;
    size_t bytes;
  };

  explicit Camera(const std::string &path) : path_(path) {}  // done before the other one throws, so that it is destroyed

  int call(unsigned long request, void *argument) const {
    for (;;)
      if (const int done = ioctl(fd_, request, argument); done >= 0 || errno != EINTR) return done;
  }

  void need(unsigned long request, void *argument, const char *what) const {
    if (call(request, argument) < 0) say_why(what);
  }

  [[noreturn]] void say_why(const char *what) const {
    const char *hint = errno == ENODEV ? "; was it unplugged?" : errno == EBUSY ? "; another program uses it" : "";
    fail(path_ + ": " + what + ": " + reason() + hint);
  }

  void negotiate(uint32_t width, uint32_t height) {
    std::string offered;
    v4l2_fmtdesc each = {};
    for (each.type = V4L2_BUF_TYPE_VIDEO_CAPTURE; call(VIDIOC_ENUM_FMT, &each) == 0; each.index++)
      offered += (offered.empty() ? "" : ", ") + std::string(reinterpret_cast<const char *>(&each.pixelformat), 4);
    for (const Layout &layout : kLayouts)
      if (offered.find(layout.fourcc) != std::string::npos && set(layout, width, height)) return;
    const bool pressed = offered.find("MJPG") != std::string::npos;
    fail(path_ + ": gives " + (offered.empty() ? "nothing" : offered) + ", expected one of " + known_layouts() +
         (pressed ? "; MJPG is not decoded here: let ffmpeg read the camera, and take --stdin" : "; take --stdin"));
  }

  bool set(const Layout &layout, uint32_t width, uint32_t height) {
    v4l2_format format = {};
    format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    v4l2_pix_format &pix = format.fmt.pix;
    pix.width = width;
    pix.height = height;
    pix.field = V4L2_FIELD_NONE;
    pix.priv = V4L2_PIX_FMT_PRIV_MAGIC;
    std::memcpy(&pix.pixelformat, layout.fourcc, 4);
    need(VIDIOC_S_FMT, &format, "takes no format");
    if (std::memcmp(&pix.pixelformat, layout.fourcc, 4) != 0) return false;
    const uint64_t least = uint64_t{pix.width} * layout.pixel_bytes;
    if (pix.width - 1 >= SEGEDGE_MAX_SIDE || pix.height - 1 >= SEGEDGE_MAX_SIDE || pix.bytesperline < least ||
        pix.bytesperline > 8 * SEGEDGE_MAX_SIDE)
      fail(path_ + ": its driver gives " + std::to_string(pix.width) + "x" + std::to_string(pix.height) + " in rows of " +
           std::to_string(pix.bytesperline) + " bytes, expected at least " + std::to_string(least));
    shape_ = {layout, pix.width, pix.height, pix.bytesperline, is_yuv(layout) ? flags(pix) : 0};
    return true;
  }

  // What the driver leaves open is as V4L2's macros say.
  static uint32_t flags(const v4l2_pix_format &pix) {
    uint32_t encoding = pix.ycbcr_enc, range = pix.quantization, found = 0;
    if (!encoding) encoding = V4L2_MAP_YCBCR_ENC_DEFAULT(pix.colorspace);
    if (!range) range = V4L2_MAP_QUANTIZATION_DEFAULT(false, pix.colorspace, encoding);
    if (range == V4L2_QUANTIZATION_FULL_RANGE) found |= SEGEDGE_FULL_RANGE;
    if (encoding != V4L2_YCBCR_ENC_601 && encoding != V4L2_YCBCR_ENC_XV601) found |= SEGEDGE_BT709;
    return found;
  }

  static v4l2_buffer numbered(uint32_t index) {
    v4l2_buffer buffer = {};
    buffer.index = index;
    buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    buffer.memory = V4L2_MEMORY_MMAP;
    return buffer;
  }

  void map() {
    v4l2_requestbuffers wanted = {};
    wanted.count = 4;
    wanted.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    wanted.memory = V4L2_MEMORY_MMAP;
    need(VIDIOC_REQBUFS, &wanted, "gives no buffers");
    for (uint32_t index = 0; index < wanted.count; index++) {
      v4l2_buffer buffer = numbered(index);
      need(VIDIOC_QUERYBUF, &buffer, "does not describe a buffer");
      if (buffer.length < shape_.bytes())
        fail(path_ + ": gives buffers of " + std::to_string(buffer.length) + " bytes, expected the " +
             std::to_string(shape_.bytes()) + " of a frame");
      void *memory = mmap(nullptr, buffer.length, PROT_READ, MAP_SHARED, fd_, static_cast<off_t>(buffer.m.offset));
      if (memory == MAP_FAILED) fail(path_ + ": a buffer cannot be mapped: " + reason());
      buffers_.push_back({memory, buffer.length});
      held_.push_back(index);
    }
    give_back(0);
  }

  // All that are held but so many of the newest.
  void give_back(size_t but) {
    for (; held_.size() > but; held_.erase(held_.begin())) {
      v4l2_buffer buffer = numbered(held_.front());
      need(VIDIOC_QBUF, &buffer, "takes no buffer back");
    }
  }

  // A whole frame that is ready; a damaged one goes back at once.
  bool take(v4l2_buffer &buffer) const {
    for (;;) {
      buffer = numbered(0);
      if (call(VIDIOC_DQBUF, &buffer) < 0) {
        if (errno == EAGAIN) return false;
        say_why("gives no frame");
      }
      if (buffer.index >= buffers_.size()) fail(path_ + ": gives a buffer that it does not have");
      if (!(buffer.flags & V4L2_BUF_FLAG_ERROR) && buffer.bytesused >= shape_.bytes()) return true;
      need(VIDIOC_QBUF, &buffer, "takes no buffer back");
    }
  }

  std::string path_;
  int fd_ = -1;
  bool streaming_ = false, seen_ = false;
  uint32_t last_ = 0, dropped_ = 0;
  Shape shape_ = {};
  std::vector<Mapped> buffers_;
  std::vector<uint32_t> held_;  // by us, the newest last
};
