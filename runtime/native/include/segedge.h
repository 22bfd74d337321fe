/* segedge: a person's soft mask from a camera's frame, without Python. docs/native.md shows it in use.
 *
 * A session is one model file with its interpreter, and one stream of frames. Sessions share nothing: each may run in a
 * thread of its own, one thread at a time. No function throws, exits or keeps a pointer that it was
 * given, and none prints; LiteRT itself may print a line on standard error.
 */
#ifndef SEGEDGE_H
#define SEGEDGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define SEGEDGE_API __declspec(dllexport)
#else
#define SEGEDGE_API __attribute__((visibility("default")))
#endif

#define SEGEDGE_MAX_SIDE 32768u /* of a frame, in pixels */
#define SEGEDGE_MAX_THREADS 256u
#define SEGEDGE_MAX_FEATHER 64u /* pixels of the frame */

typedef struct segedge_session segedge_session;

/* Enumerations are passed as uint32_t: in C++ any other number would be undefined behaviour. */
typedef enum segedge_status {
  SEGEDGE_OK = 0,
  SEGEDGE_ARGUMENT = 1, /* a pointer, size, stride or option that cannot be */
  SEGEDGE_FILE = 2,     /* the model file is missing, cut off or damaged */
  SEGEDGE_CONTRACT = 3, /* it holds no contract, or one that is not valid or not this model's */
  SEGEDGE_LIBRARY = 4,  /* LiteRT's library is missing, of another version, or refuses the model */
  SEGEDGE_MEMORY = 5    /* no memory left */
} segedge_status;

/* Planes, and bytes of a pixel in their order. NV12 and NV21 have two planes (Y; UV or VU), I420 three (Y; U; V), the
 * chroma of half the size, rounded up. They are BT.601 in the limited range, 16 to 235, as OpenCV's COLOR_YUV2BGR_NV12
 * takes them, unless a flag is added: most cameras of phones give the full range. */
typedef enum segedge_format {
  SEGEDGE_BGR = 0,
  SEGEDGE_RGB = 1,
  SEGEDGE_RGBA = 2, /* alpha is not looked at */
  SEGEDGE_BGRA = 3,
  SEGEDGE_NV12 = 4,
  SEGEDGE_NV21 = 5,
  SEGEDGE_I420 = 6,
  SEGEDGE_FULL_RANGE = 0x100, /* of YUV: 0 to 255 */
  SEGEDGE_BT709 = 0x200       /* of YUV, instead of BT.601 */
} segedge_format;

/* A frame, top row first. `strides`: bytes from one row to the next, at least as many as a row has. */
typedef struct segedge_frame {
  uint32_t format; /* segedge_format, for YUV with its flags */
  uint32_t width, height;
  const uint8_t *planes[3];
  size_t strides[3];
} segedge_frame;

/* The chain from the network's mask to alpha: docs/refinement.md. */
typedef enum segedge_preset { SEGEDGE_FAST = 0, SEGEDGE_BALANCED = 1 } segedge_preset;

typedef struct segedge_options {
  size_t size;          /* sizeof(segedge_options): later versions append */
  uint32_t threads;     /* of the interpreter, 1 to SEGEDGE_MAX_THREADS; 0: this machine's cores, at most 4 */
  uint32_t feather;     /* alpha grows by a ramp of about so many pixels, 0 to SEGEDGE_MAX_FEATHER */
  const char *litert;   /* path of LiteRT's library, 2.2 or 2.3; "linked": its functions are in the program already, for it
                           is linked with them; NULL: $SEGEDGE_LITERT, else what the loader finds as libLiteRt.so, on
                           Apple's systems libLiteRt.dylib */
  const char *contract; /* JSON for a model that carries none; wins over the embedded one; NULL: the file's own */
} segedge_options;

typedef struct segedge_info {
  size_t size; /* sizeof(segedge_info), set by the caller */
  uint32_t input_width, input_height, output_width, output_height, threads;
  double threshold;     /* for those who want a hard mask; nothing here applies it */
  const char *contract; /* JSON, the session's own */
} segedge_info;

typedef struct segedge_result {
  size_t size;     /* sizeof(segedge_result), set by the caller */
  int32_t same;    /* 1: the file gives the masks here that it gave where it was made */
  int32_t altered; /* 1: the model's bytes are not those that made the masks */
  uint32_t pictures;
  double least_iou;         /* of the worst picture, with the mask as made; 0 to 1 */
  double least_iou_pytorch; /* with PyTorch's mask */
  double mean_difference;   /* of the worst picture, of the probability as made; 0 to 1 */
} segedge_result;

/* What the last segedge_mask or segedge_alpha of a session was made of. */
typedef enum segedge_step {
  SEGEDGE_INPUT = 0,       /* the input tensor, in the contract's layout and dtype */
  SEGEDGE_OUTPUT = 1,      /* the output tensor, likewise */
  SEGEDGE_PROBABILITY = 2, /* float of the output's size, 0 to 1, with NaN where the network gives it */
  SEGEDGE_COARSE = 3       /* float, without a letterbox's border and NaN */
} segedge_step;

/* "0.1.0" */
SEGEDGE_API const char *segedge_version(void);

/* Loads a model. `*session` is set even on failure, for its error text, and is to be closed; NULL only if there is no
 * memory. `options` may be NULL. A buffer is copied. */
SEGEDGE_API segedge_status segedge_open_file(const char *path, const segedge_options *options, segedge_session **session);
SEGEDGE_API segedge_status segedge_open_buffer(const void *data, size_t size, const segedge_options *options,
                                               segedge_session **session);

/* One line: what failed, what was found, what was expected, what to do. "" after a success; valid until the session's
 * next call. */
SEGEDGE_API const char *segedge_error(const segedge_session *session);

SEGEDGE_API segedge_status segedge_describe(segedge_session *session, segedge_info *info);

/* The person's soft mask at the frame's size, 0 (background) to 1 (person); `stride` in bytes. Keeps nothing for the
 * next frame. */
SEGEDGE_API segedge_status segedge_mask(segedge_session *session, const segedge_frame *frame, float *mask, size_t stride);

/* Refined alpha at the frame's size, 0 to 255; `stride` in bytes. Frames are taken as a stream: SEGEDGE_BALANCED
 * remembers the frame before, and forgets it when the size or the preset changes. */
SEGEDGE_API segedge_status segedge_alpha(segedge_session *session, const segedge_frame *frame, uint32_t preset, uint8_t *alpha,
                                         size_t stride);

/* Forgets the frame before: another stream, or a jump in this one, follows. */
SEGEDGE_API segedge_status segedge_reset(segedge_session *session);

/* frame * alpha + background * (1 - alpha), the nearest byte, into `out`, which has the frame's size and is BGR, RGB,
 * RGBA or BGRA (whose alpha becomes 255). `background` is scaled to cover the frame; if it is NULL, `colour` (red, green, blue)
 * is taken. `out` may be the frame itself, and overlaps nothing else. */
SEGEDGE_API segedge_status segedge_composite(segedge_session *session, const segedge_frame *frame, const uint8_t *alpha,
                                             size_t alpha_stride, const segedge_frame *background, const uint8_t *colour,
                                             uint32_t out_format, uint8_t *out, size_t out_stride);

/* Runs the golden pictures inside the file: does it give the same masks here? Call it once after installing. */
SEGEDGE_API segedge_status segedge_self_test(segedge_session *session, segedge_result *result);

/* For tests of a port: where a step's values lie, valid until the session's next call. */
SEGEDGE_API segedge_status segedge_inspect(segedge_session *session, uint32_t step, const void **data, size_t *bytes);

/* Frees the session and sets it to NULL, so that closing twice does nothing. NULL is allowed. A library built without NDEBUG
 * keeps some bytes of it: a later call through a copy of the pointer gives SEGEDGE_ARGUMENT. */
SEGEDGE_API void segedge_close(segedge_session **session);

#ifdef __cplusplus
}
#endif
#endif
