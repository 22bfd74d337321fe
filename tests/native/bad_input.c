/* bad_input SMALL.tflite MODEL.tflite LITERT.so OLDER.so LACKING.so [debug]: everything that can be handed over wrongly, one
 * function a row, those of files in bad_files.c. Each refusal has its status and one line that names what was found and what
 * was expected. Prints the rows that failed; ends with 1 where one did. SMALL is cut at every length, MODEL at some hundreds;
 * OLDER is a library of LiteRT before 2.2, LACKING one without LiteRtRunCompiledModel; `debug`: the core was built without
 * NDEBUG. */
#include "bad_input.h"

#define WIDTH 8u
#define HEIGHT 4u

file_t small_file, large_file;
const char *litert, *older, *lacking, *row;
segedge_session *session;
static bool debug;
static int failures;

/* room for a frame of every format with its strides, and for what is written */
static uint8_t pixels[512], alpha[128], out[512];
static float mask[64];
static const uint8_t black[3];

void fail(const char *what, const char *found) {
  printf("%s: %s: %s\n", row, what, found);
  failures++;
}

void check_text(const char *text, const char *found, const char *expected) {
  const size_t length = strlen(text);
  if (length < 20 || length > 600 || strpbrk(text, "\n\r\t")) fail("no short single line", text);
  if (!strstr(text, found)) fail(found, text);
  if (!strstr(text, expected)) fail(expected, text);
}

void argument(segedge_status status, const char *found, const char *expected) {
  if (status != SEGEDGE_ARGUMENT) fail("another status than expected", segedge_error(session));
  check_text(segedge_error(session), found, expected);
}

segedge_options options_of(const char *library, const char *contract) {
  segedge_options options = {0};
  options.size = sizeof(options);
  options.threads = 1;
  options.litert = library;
  options.contract = contract;
  return options;
}

/* A model that is not opened; its session is closed. */
void not_opened(const uint8_t *data, size_t size, const segedge_options *options, segedge_status wanted, const char *found,
                const char *expected) {
  segedge_session *refusing = NULL;
  const segedge_status status = segedge_open_buffer(data, size, options, &refusing);
  if (!refusing) fail("no session to ask", "NULL");
  if (status != wanted) fail("another status than expected", segedge_error(refusing));
  check_text(segedge_error(refusing), found, expected);
  if (segedge_reset(refusing) != SEGEDGE_ARGUMENT) fail("it can be used", segedge_error(refusing));
  check_text(segedge_error(refusing), "the session was not opened", "see the error of segedge_open_file");
  segedge_close(&refusing);
}

static segedge_frame frame_of(uint32_t format) {
  const segedge_frame frame = {
      format, WIDTH, HEIGHT, {pixels, pixels + 200, pixels + 300}, {format == SEGEDGE_I420 ? WIDTH : 4 * WIDTH, WIDTH, WIDTH}};
  return frame;
}

static segedge_status run_mask(const segedge_frame *frame) { return segedge_mask(session, frame, mask, WIDTH * sizeof(float)); }
static segedge_status run_alpha(const segedge_frame *frame) {
  return segedge_alpha(session, frame, SEGEDGE_FAST, alpha, WIDTH);
}
static segedge_status composite_of(const segedge_frame *frame) {
  return segedge_composite(session, frame, alpha, WIDTH, NULL, black, SEGEDGE_BGR, out, 3 * WIDTH);
}
static segedge_status composite_over(const segedge_frame *background) {
  const segedge_frame frame = frame_of(SEGEDGE_BGR);
  return segedge_composite(session, &frame, alpha, WIDTH, background, NULL, SEGEDGE_BGR, out, 3 * WIDTH);
}
static segedge_status (*const takers[])(const segedge_frame *) = {run_mask, run_alpha, composite_of, composite_over};

static void without_a_session(void) {
  const segedge_frame frame = frame_of(SEGEDGE_BGR);
  segedge_info info = {0};
  segedge_result result = {0};
  const void *data = NULL;
  size_t bytes = 0;
  const segedge_status all[] = {
      segedge_describe(NULL, &info),
      segedge_mask(NULL, &frame, mask, WIDTH * sizeof(float)),
      segedge_alpha(NULL, &frame, SEGEDGE_FAST, alpha, WIDTH),
      segedge_reset(NULL),
      segedge_composite(NULL, &frame, alpha, WIDTH, NULL, black, SEGEDGE_BGR, out, 3 * WIDTH),
      segedge_self_test(NULL, &result),
      segedge_inspect(NULL, SEGEDGE_INPUT, &data, &bytes),
      segedge_open_file(small_file.path, NULL, NULL),
      segedge_open_buffer(small_file.bytes, small_file.size, NULL, NULL),
  };
  for (size_t k = 0; k < COUNT(all); k++)
    if (all[k] != SEGEDGE_ARGUMENT) fail("a call without a session is taken", segedge_error(NULL));
  check_text(segedge_error(NULL), "the session is NULL", "open one");
  segedge_close(NULL);
}

static void null(void) {
  const segedge_frame frame = frame_of(SEGEDGE_BGR);
  const void *data = NULL;
  size_t bytes = 0;
  argument(segedge_describe(session, NULL), "info: got NULL", "expected size to be");
  argument(segedge_self_test(session, NULL), "result: got NULL", "expected size to be");
  argument(segedge_inspect(session, SEGEDGE_INPUT, NULL, &bytes), "data or bytes is NULL", "expected where to write them");
  argument(segedge_inspect(session, SEGEDGE_INPUT, &data, NULL), "data or bytes is NULL", "expected where to write them");
  argument(segedge_mask(session, &frame, NULL, 32), "mask: got NULL", "expected memory to write to");
  argument(segedge_alpha(session, &frame, SEGEDGE_FAST, NULL, 8), "alpha: got NULL", "expected memory");
  argument(segedge_composite(session, &frame, NULL, 8, NULL, black, SEGEDGE_BGR, out, 24), "alpha: got NULL",
           "expected memory");
  argument(segedge_composite(session, &frame, alpha, 8, NULL, black, SEGEDGE_BGR, NULL, 24), "out: got NULL",
           "expected memory");
  argument(segedge_composite(session, &frame, alpha, 8, NULL, NULL, SEGEDGE_BGR, out, 24),
           "background and colour are both NULL", "expected one of them");
  for (size_t k = 0; k + 1 < COUNT(takers); k++) argument(takers[k](NULL), "frame: got NULL", "expected a frame");
}

static void planes_of_null(void) {
  const uint32_t formats[] = {SEGEDGE_BGR,  SEGEDGE_RGB,  SEGEDGE_RGBA, SEGEDGE_BGRA,
                              SEGEDGE_NV12, SEGEDGE_NV21, SEGEDGE_I420, SEGEDGE_NV12 | SEGEDGE_FULL_RANGE};
  for (size_t f = 0; f < COUNT(formats); f++) {
    const uint32_t kind = formats[f] & 0xFF;
    const int planes = kind == SEGEDGE_I420 ? 3 : kind >= SEGEDGE_NV12 ? 2 : 1;
    for (int plane = 0; plane < planes; plane++) {
      segedge_frame frame = frame_of(formats[f]);
      const char *names[] = {"plane 0: got NULL", "plane 1: got NULL", "plane 2: got NULL"};
      frame.planes[plane] = NULL;
      for (size_t k = 0; k < COUNT(takers); k++) argument(takers[k](&frame), names[plane], "expected");
    }
  }
}

static void sizes_of_a_frame(void) {
  const struct {
    uint32_t width, height;
    const char *found;
  } cases[] = {{0, 4, "got 0x4"},
               {8, 0, "got 8x0"},
               {0, 0, "got 0x0"},
               {HUGE_SIDE, 4, "got 2147483648x4"},
               {8, HUGE_SIDE, "got 8x2147483648"},
               {HUGE_SIDE, HUGE_SIDE, "got 2147483648x2147483648"},
               {ALL_BITS, 4, "got 4294967295x4"},
               {8, ALL_BITS, "got 8x4294967295"},
               {SEGEDGE_MAX_SIDE + 1, 4, "got 32769x4"}};
  for (size_t c = 0; c < COUNT(cases); c++) {
    segedge_frame frame = frame_of(SEGEDGE_BGR);
    frame.width = cases[c].width;
    frame.height = cases[c].height;
    for (size_t k = 0; k < COUNT(takers); k++)
      argument(takers[k](&frame), cases[c].found, "expected 1 to 32768 pixels on a side");
  }
}

static void strides_of_a_frame(void) {
  const struct {
    uint32_t format;
    int plane;
    size_t stride;
    const char *found, *expected;
  } cases[] = {{SEGEDGE_BGR, 0, 0, "plane 0: got a stride of 0 bytes", "at least the 24 of a row"},
               {SEGEDGE_BGR, 0, 23, "plane 0: got a stride of 23 bytes", "at least the 24 of a row"},
               {SEGEDGE_BGR, 0, (SIZE_MAX >> 2) + 1, "plane 0: got a stride of", "at least the 24 of a row"},
               {SEGEDGE_RGB, 0, SIZE_MAX, "plane 0: got a stride of", "at least the 24 of a row"},
               {SEGEDGE_RGBA, 0, 31, "plane 0: got a stride of 31 bytes", "at least the 32 of a row"},
               {SEGEDGE_BGRA, 0, 31, "plane 0: got a stride of 31 bytes", "at least the 32 of a row"},
               {SEGEDGE_NV12, 0, 7, "plane 0: got a stride of 7 bytes", "at least the 8 of a row"},
               {SEGEDGE_NV12, 1, 7, "plane 1: got a stride of 7 bytes", "at least the 8 of a row"},
               {SEGEDGE_NV21, 1, 0, "plane 1: got a stride of 0 bytes", "at least the 8 of a row"},
               {SEGEDGE_I420, 1, 3, "plane 1: got a stride of 3 bytes", "at least the 4 of a row"},
               {SEGEDGE_I420, 2, 3, "plane 2: got a stride of 3 bytes", "at least the 4 of a row"},
               {SEGEDGE_I420, 2, SIZE_MAX, "plane 2: got a stride of", "at least the 4 of a row"}};
  for (size_t c = 0; c < COUNT(cases); c++) {
    segedge_frame frame = frame_of(cases[c].format);
    frame.strides[cases[c].plane] = cases[c].stride;
    for (size_t k = 0; k < COUNT(takers); k++) argument(takers[k](&frame), cases[c].found, cases[c].expected);
  }
}

static void strides_of_what_is_written(void) {
  const segedge_frame frame = frame_of(SEGEDGE_BGR);
  const size_t wrong[] = {0, 7, (SIZE_MAX >> 1) & ~(size_t)3, SIZE_MAX & ~(size_t)3};
  for (size_t k = 0; k < 4; k++) {
    const char *of_alpha = "alpha: got a stride of", *of_out = "out: got a stride of";
    argument(segedge_alpha(session, &frame, SEGEDGE_FAST, alpha, wrong[k]), of_alpha, "at least the 8 of a row");
    argument(segedge_composite(session, &frame, alpha, wrong[k], NULL, black, SEGEDGE_BGR, out, 24), of_alpha,
             "the 8 of a row");
    argument(segedge_composite(session, &frame, alpha, 8, NULL, black, SEGEDGE_BGR, out, wrong[k]), of_out, "the 24 of a row");
    if (wrong[k] != 7)
      argument(segedge_mask(session, &frame, mask, wrong[k]), "mask: got a stride of", "at least the 32 of a row");
  }
  argument(segedge_mask(session, &frame, mask, 28), "mask: got a stride of 28 bytes", "at least the 32 of a row");
  argument(segedge_composite(session, &frame, alpha, 8, NULL, black, SEGEDGE_BGRA, out, 31), "out: got a stride of 31",
           "the 32");
  argument(segedge_mask(session, &frame, mask, 33), "do not begin where a float may lie", "align them to 4 bytes");
  argument(segedge_mask(session, &frame, (float *)(void *)(out + 1), 32), "do not begin where a float may lie", "align them");
}

static void numbers_that_name_nothing(void) {
  const uint32_t formats[] = {
      SEGEDGE_I420 + 1,    HUGE_SIDE, ALL_BITS, SEGEDGE_BGR | SEGEDGE_FULL_RANGE, SEGEDGE_RGB | SEGEDGE_BT709,
      SEGEDGE_NV12 | 0x400};
  const void *data = NULL;
  size_t bytes = 0;
  const segedge_frame frame = frame_of(SEGEDGE_BGR);
  for (size_t f = 0; f < COUNT(formats); f++) {
    const segedge_frame other = frame_of(formats[f]);
    for (size_t k = 0; k < COUNT(takers); k++) argument(takers[k](&other), "got format", "expected");
    argument(segedge_composite(session, &frame, alpha, 8, NULL, black, formats[f], out, 32), "out: got format", "expected BGR");
  }
  argument(segedge_composite(session, &frame, alpha, 8, NULL, black, SEGEDGE_NV12, out, 32), "out: got format 4",
           "expected BGR");
  argument(segedge_alpha(session, &frame, 2, alpha, 8), "preset: got 2", "expected 0 (fast) or 1 (balanced)");
  argument(segedge_alpha(session, &frame, HUGE_SIDE, alpha, 8), "preset: got 2147483648", "expected 0 (fast)");
  argument(segedge_alpha(session, &frame, ALL_BITS, alpha, 8), "preset: got 4294967295", "expected 0 (fast)");
  argument(segedge_inspect(session, 4, &data, &bytes), "step: got 4", "expected 0 to 3");
  argument(segedge_inspect(session, ALL_BITS, &data, &bytes), "step: got 4294967295", "expected 0 to 3");
  segedge_reset(session);
}

static void no_frame_has_run(void) {
  segedge_session *fresh = NULL;
  const segedge_options options = options_of(litert, NULL);
  const void *data = NULL;
  size_t bytes = 0;
  if (segedge_open_buffer(small_file.bytes, small_file.size, &options, &fresh) != SEGEDGE_OK)
    fail("open", segedge_error(fresh));
  if (segedge_inspect(fresh, SEGEDGE_COARSE, &data, &bytes) != SEGEDGE_ARGUMENT) fail("it gives a step", segedge_error(fresh));
  check_text(segedge_error(fresh), "no frame has run yet", "call segedge_mask or segedge_alpha");
  segedge_close(&fresh);
}

/* Wholly, by one byte at either end, and row for row beside the picture's: memory of its own is asked for. */
static void what_overlaps(void) {
  const char *over = "overlaps a picture that is read", *own = "take memory of its own";
  const segedge_frame packed = {SEGEDGE_BGR, WIDTH, HEIGHT, {pixels + 128, NULL, NULL}, {24, 0, 0}};
  const segedge_frame apart = {SEGEDGE_BGR, WIDTH, HEIGHT, {pixels, NULL, NULL}, {64, 0, 0}};
  const segedge_frame planar = frame_of(SEGEDGE_I420);
  uint8_t *const frame = pixels + 128, *const end = frame + 24 * HEIGHT;
  uint8_t *const places[] = {frame, frame + 24, end - 1, frame - 8 * HEIGHT + 1};
  for (size_t k = 0; k < 4; k++) argument(segedge_alpha(session, &packed, SEGEDGE_BALANCED, places[k], 8), over, own);
  argument(segedge_alpha(session, &apart, SEGEDGE_FAST, pixels + 32, 64), over, own);
  argument(segedge_alpha(session, &planar, SEGEDGE_FAST, pixels + 300, 8), over, own);
  argument(segedge_mask(session, &packed, (float *)(void *)(pixels + 4), 32), over, own);
#define COMPOSITE(format, to, stride) segedge_composite(session, &packed, alpha, 8, NULL, black, format, to, stride)
  argument(COMPOSITE(SEGEDGE_BGR, frame + 3, 24), over, own);
  argument(COMPOSITE(SEGEDGE_BGR, frame - 24 * HEIGHT + 1, 24), over, own);
  argument(COMPOSITE(SEGEDGE_BGR, frame, 32), over, own);
  argument(COMPOSITE(SEGEDGE_RGB, frame, 24), over, own);
  argument(COMPOSITE(SEGEDGE_BGRA, frame, 32), over, own);
  argument(COMPOSITE(SEGEDGE_BGR, alpha, 24), "out: overlaps alpha", own);
  argument(COMPOSITE(SEGEDGE_BGR, alpha + 8 * HEIGHT - 1, 24), "out: overlaps alpha", own);
  argument(segedge_composite(session, &packed, alpha, 8, &packed, NULL, SEGEDGE_BGR, frame, 24), over, own);
  argument(segedge_composite(session, &packed, alpha, 8, &apart, NULL, SEGEDGE_BGR, pixels + 200, 24), over, own);
  if (COMPOSITE(SEGEDGE_BGR, frame, 24) != SEGEDGE_OK) fail("a composite in place is refused", segedge_error(session));
  if (segedge_alpha(session, &packed, SEGEDGE_FAST, end, 8) != SEGEDGE_OK) fail("memory next to it", segedge_error(session));
#undef COMPOSITE
}

static void nothing_was_written(void) {
  for (size_t k = 0; k < sizeof(out); k++)
    if (out[k] || alpha[k % sizeof(alpha)] || mask[k % COUNT(mask)] != 0) fail("a refused call has written", row);
}

/* Memory that ends where its last row does, so that a sanitizer sees what is read or written behind it. */
static void *exactly(size_t stride, uint32_t rows, size_t row_bytes) {
  void *memory = calloc(1, stride * (rows - 1) + row_bytes);
  if (!memory) abort();
  return memory;
}

static void in_memory_that_just_suffices(uint32_t format, uint32_t width, uint32_t height, size_t more) {
  const uint32_t kind = format & 0xFF, half = (width + 1) / 2, rows[] = {height, (height + 1) / 2, (height + 1) / 2};
  const size_t packed = kind == SEGEDGE_RGBA || kind == SEGEDGE_BGRA ? 4 : 3, chroma = kind == SEGEDGE_I420 ? half : 2 * half;
  const size_t bytes[] = {kind >= SEGEDGE_NV12 ? width : packed * width, chroma, chroma};
  const size_t aligned = sizeof(float) * (width + more);
  uint8_t *planes[3], *weights = exactly(width + more, height, width), *to = exactly(4 * width + more, height, 4 * width);
  float *soft = exactly(aligned, height, sizeof(float) * width);
  segedge_frame frame = {format, width, height, {NULL, NULL, NULL}, {0, 0, 0}};
  for (int k = 0; k < 3; k++) {
    frame.strides[k] = bytes[k] + more;
    frame.planes[k] = planes[k] = exactly(frame.strides[k], rows[k], bytes[k]);
  }
  for (uint32_t preset = SEGEDGE_FAST; preset <= SEGEDGE_BALANCED; preset++)
    if (segedge_alpha(session, &frame, preset, weights, width + more) != SEGEDGE_OK) fail("alpha", segedge_error(session));
  if (segedge_mask(session, &frame, soft, aligned) != SEGEDGE_OK) fail("mask", segedge_error(session));
  const segedge_status status =
      segedge_composite(session, &frame, weights, width + more, &frame, NULL, SEGEDGE_BGRA, to, 4 * width + more);
  if (status != SEGEDGE_OK) fail("composite", segedge_error(session));
  for (int k = 0; k < 3; k++) free(planes[k]);
  free(weights);
  free(to);
  free(soft);
}

static void nothing_is_read_or_written_beyond(void) {
  const uint32_t formats[] = {SEGEDGE_BGR,  SEGEDGE_RGB,  SEGEDGE_RGBA, SEGEDGE_BGRA,
                              SEGEDGE_NV12, SEGEDGE_NV21, SEGEDGE_I420, SEGEDGE_I420 | SEGEDGE_FULL_RANGE | SEGEDGE_BT709};
  for (size_t f = 0; f < COUNT(formats); f++)
    for (uint32_t width = 1; width <= 35; width += width < 6 ? 1 : 13)
      for (uint32_t height = 1; height <= 5; height++)
        in_memory_that_just_suffices(formats[f], width, height, 5 * (height % 2));
}

static void closed_twice(void) {
  segedge_session *twice = NULL;
  const segedge_options options = options_of(litert, NULL);
  segedge_open_buffer(small_file.bytes, small_file.size, &options, &twice);
  segedge_close(&twice);
  if (twice) fail("the pointer stays", segedge_error(NULL));
  segedge_close(&twice);
  if (segedge_reset(twice) != SEGEDGE_ARGUMENT) fail("it can be used", segedge_error(NULL));
}

static void used_after_it_was_closed(void) {
  const segedge_frame frame = frame_of(SEGEDGE_BGR);
  const segedge_options options = options_of(litert, NULL);
  segedge_session *first = NULL;
  if (!debug) return;
  segedge_open_buffer(small_file.bytes, small_file.size, &options, &first);
  segedge_session *copy = first, *const open = session;
  segedge_close(&first);
  check_text(segedge_error(copy), "the session is closed", "expected an open one; open another");
  session = copy;
  argument(segedge_reset(copy), "the session is closed", "expected an open one");
  for (size_t k = 0; k < COUNT(takers); k++) argument(takers[k](&frame), "the session is closed", "expected an open one");
  session = open;
  segedge_close(&copy);
  if (copy) fail("the copy stays", segedge_error(NULL));
}

/* Whatever was refused: the session still gives masks. */
static void still_in_use(void) {
  const segedge_frame frame = frame_of(SEGEDGE_NV12 | SEGEDGE_BT709);
  segedge_result result = {0};
  result.size = sizeof(result);
  for (size_t k = 0; k < COUNT(takers); k++)
    if (takers[k](&frame) != SEGEDGE_OK || *segedge_error(session)) fail("a good frame is refused", segedge_error(session));
  if (segedge_self_test(session, &result) != SEGEDGE_OK || result.pictures != 2) fail("self-test", segedge_error(session));
}

static file_t read_file(const char *path) {
  file_t file = {path, NULL, 0};
  FILE *from = fopen(path, "rb");
  if (!from) return file;
  fseek(from, 0, SEEK_END);
  file.size = (size_t)ftell(from);
  rewind(from);
  file.bytes = malloc(file.size);
  if (file.bytes) file.size = fread(file.bytes, 1, file.size, from);
  fclose(from);
  return file;
}

int main(int count, char **words) {
  if (count < 6) return 2;
  litert = words[3];
  older = words[4];
  lacking = words[5];
  debug = count > 6;
  small_file = read_file(words[1]);
  large_file = read_file(words[2]);
  if (!small_file.bytes || !large_file.bytes) return 2;
  const segedge_options options = options_of(litert, NULL);
  if (segedge_open_buffer(small_file.bytes, small_file.size, &options, &session) != SEGEDGE_OK) {
    printf("%s\n", segedge_error(session));
    return 2;
  }
  RUN(without_a_session), RUN(null), RUN(planes_of_null), RUN(sizes_of_a_frame), RUN(strides_of_a_frame);
  RUN(strides_of_what_is_written), RUN(numbers_that_name_nothing), RUN(no_frame_has_run), RUN(what_overlaps);
  RUN(nothing_was_written);
  bad_files();
  RUN(closed_twice), RUN(used_after_it_was_closed), RUN(nothing_is_read_or_written_beyond), RUN(still_in_use);
  segedge_close(&session);
  free(small_file.bytes);
  free(large_file.bytes);
  return failures != 0;
}
