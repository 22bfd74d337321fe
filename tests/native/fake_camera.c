/* A camera for programs that are started with LD_PRELOAD: the path in FAKE_CAMERA opens as a V4L2 device.
 *
 * FAKE_FORMATS: what it offers, "NV12,YUYV". FAKE_SHAPE: what it sets, whatever is wished for: width, height, bytesperline,
 * sizeimage, quantization and ycbcr_enc. FAKE_FRAMES: a file of frames of sizeimage bytes. FAKE_BURST: so many come between
 * two polls. FAKE_END, after the last one: "unplugged", "silent" or "signal" (SIGINT). FAKE_ODD: "busy"; "another" format
 * than was wished for; "small" buffers; no start, as of a "bare" sensor; the first frame "damaged" or "short"; every call
 * interrupted once, "again". FAKE_LOG: a file for what was given back. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUFFERS = 8 };
static int camera = -1, frames = -1, interrupted, ended;
static struct v4l2_pix_format shape;
static struct {
  uint8_t *memory;
  uint32_t sequence;
} buffers[BUFFERS];
static uint32_t count, waiting[BUFFERS], queued, ready, sequence;

static const char *said(const char *name) {
  const char *value = getenv(name);
  return value ? value : "";
}
static int odd(const char *what) { return strcmp(said("FAKE_ODD"), what) == 0; }
static void note(const char *what) {
  FILE *log = fopen(said("FAKE_LOG"), "a");
  if (log) {
    fprintf(log, "%s\n", what);
    fclose(log);
  }
}
static int failed(int code) {
  errno = code;
  return -1;
}
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (strcmp(path, said("FAKE_CAMERA")) != 0) return REAL(open)(path, flags, mode);
  frames = REAL(open)(said("FAKE_FRAMES"), O_RDONLY);
  return camera = REAL(open)("/dev/null", O_RDWR);
}

int close(int file) {
  if (file == camera) note("close");
  return REAL(close)(file);
}

void *mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset) {
  if (file != camera || file < 0) return REAL(mmap)(at, bytes, protection, flags, file, offset);
  return buffers[offset / 4096].memory;
}

int munmap(void *at, size_t bytes) {
  for (uint32_t index = 0; index < count; index++) {
    if (buffers[index].memory == at) {
      note("munmap");
      return 0;
    }
  }
  return REAL(munmap)(at, bytes);
}

/* One frame into the buffer that has waited longest, or, where none waits, past the camera; 0 at the end. */
static int one_comes(void) {
  static uint8_t lost[1 << 22];
  uint8_t *to = queued > ready ? buffers[waiting[ready]].memory : lost;
  if (read(frames, to, shape.sizeimage) != (ssize_t)shape.sizeimage) return !(ended = 1);
  if (queued > ready) buffers[waiting[ready++]].sequence = sequence;
  sequence++;
  return 1;
}

/* under another name, since <poll.h> tells the compiler that poll() only writes to `asked` */
int fake_poll(struct pollfd *asked, nfds_t many, int timeout) __asm__("poll");
int fake_poll(struct pollfd *asked, nfds_t many, int timeout) {
  if (many != 1 || asked->fd != camera || camera < 0) return REAL(poll)(asked, many, timeout);
  if (odd("again") && (interrupted = !interrupted)) return failed(EINTR);
  asked->revents = POLLIN;
  int came = one_comes();
  for (int burst = atoi(said("FAKE_BURST")); burst > 1 && one_comes(); burst--) came = 1;
  if (came) return 1;
  if (strcmp(said("FAKE_END"), "silent") == 0) return 0;
  if (strcmp(said("FAKE_END"), "signal") == 0) {
    raise(SIGINT);
    return failed(EINTR);
  }
  asked->revents = POLLERR;
  return 1;
}

static int set(struct v4l2_format *format) {
  struct v4l2_pix_format *pix = &format->fmt.pix;
  if (odd("busy")) return failed(EBUSY);
  if (odd("another")) memcpy(&pix->pixelformat, "MJPG", 4);
  if (sscanf(said("FAKE_SHAPE"), "%u %u %u %u %u %u", &pix->width, &pix->height, &pix->bytesperline, &pix->sizeimage,
             &pix->quantization, &pix->ycbcr_enc) != 6)
    return failed(EINVAL);
  pix->colorspace = V4L2_COLORSPACE_SRGB;
  shape = *pix;
  return 0;
}

static int queue(struct v4l2_buffer *buffer) {
  if (buffer->index >= count) return failed(EINVAL);
  for (uint32_t k = 0; k < queued; k++)
    if (waiting[k] == buffer->index) return failed(EINVAL);
  waiting[queued++] = buffer->index;
  return 0;
}

static int dequeue(struct v4l2_buffer *buffer) {
  if (!ready) return failed(ended && strcmp(said("FAKE_END"), "unplugged") == 0 ? ENODEV : EAGAIN);
  buffer->index = waiting[0];
  buffer->sequence = buffers[buffer->index].sequence;
  buffer->bytesused = shape.sizeimage;
  if (odd("damaged") && buffer->sequence == 0) buffer->flags |= V4L2_BUF_FLAG_ERROR;
  if (odd("short") && buffer->sequence == 0) buffer->bytesused = 1;
  memmove(waiting, waiting + 1, sizeof waiting - sizeof *waiting);
  ready--;
  queued--;
  return 0;
}

static int request(struct v4l2_requestbuffers *wanted) {
  count = wanted->count < BUFFERS ? wanted->count : BUFFERS;
  for (uint32_t index = 0; index < count; index++) buffers[index].memory = calloc(1, shape.sizeimage);
  wanted->count = count;
  return 0;
}

int ioctl(int file, unsigned long what, ...) {
  va_list rest;
  va_start(rest, what);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  if (file != camera || file < 0) return REAL(ioctl)(file, what, argument);
  if (odd("again") && (interrupted = !interrupted)) return failed(EINTR);
  struct v4l2_buffer *buffer = argument;
  switch (what) {
    case VIDIOC_QUERYCAP:
      ((struct v4l2_capability *)argument)->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
      return 0;
    case VIDIOC_ENUM_FMT: {
      struct v4l2_fmtdesc *format = argument;
      if (format->index >= strlen(said("FAKE_FORMATS")) / 5 + 1 || !*said("FAKE_FORMATS")) return failed(EINVAL);
      memcpy(&format->pixelformat, said("FAKE_FORMATS") + (size_t)5 * format->index, 4);
      return 0;
    }
    case VIDIOC_S_FMT: return set(argument);
    case VIDIOC_REQBUFS: return request(argument);
    case VIDIOC_QUERYBUF:
      buffer->length = odd("small") ? 1 : shape.sizeimage;
      buffer->m.offset = buffer->index * 4096;
      return 0;
    case VIDIOC_QBUF: return queue(buffer);
    case VIDIOC_DQBUF: return dequeue(buffer);
    case VIDIOC_STREAMON: return odd("bare") ? failed(EINVAL) : 0;
    case VIDIOC_STREAMOFF: note("streamoff"); return 0;
    default: return failed(ENOTTY);
  }
}
