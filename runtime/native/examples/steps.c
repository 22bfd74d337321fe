/* segedge_steps MODEL.tflite: every step of a frame, for `segexport check-port`, on a board or an emulator that has no Python.
 *
 * A line of standard input is a command, its words apart by single spaces, no spaces inside:
 *   mask WIDTH HEIGHT FRAME INPUT OUTPUT PROBABILITY ALPHA     files of raw bytes, the frame in RGB
 *   alpha PRESET WIDTH HEIGHT FRAME COARSE ALPHA               PRESET: 0 or 1
 *   composite WIDTH HEIGHT FRAME ALPHA OUT [WIDTH HEIGHT BACKGROUND]   over green, or a picture
 *   reset
 *   test                                                       the self-test, on standard output
 */
#include <segedge.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int write_file(const char *path, const void *data, size_t bytes) {
  FILE *file = fopen(path, "wb");
  if (!file) return 0;
  const int written = fwrite(data, 1, bytes, file) == bytes;
  return fclose(file) == 0 && written;
}

static int write_step(segedge_session *session, uint32_t step, const char *path) {
  const void *data = NULL;
  size_t bytes = 0;
  return segedge_inspect(session, step, &data, &bytes) == SEGEDGE_OK && write_file(path, data, bytes);
}

static uint8_t *read_file(const char *path, size_t bytes) {
  uint8_t *data = malloc(bytes);
  FILE *file = fopen(path, "rb");
  if (data && (!file || fread(data, 1, bytes, file) != bytes)) {
    free(data);
    data = NULL;
  }
  if (file) fclose(file);
  return data;
}

/* From three words: width, height, file. Its plane is NULL where that cannot be. */
static segedge_frame read_frame(char **words) {
  const unsigned long width = strtoul(words[0], NULL, 10), height = strtoul(words[1], NULL, 10);
  segedge_frame frame = {SEGEDGE_RGB, (uint32_t)width, (uint32_t)height, {NULL, NULL, NULL}, {3 * width, 0, 0}};
  if (width - 1 < SEGEDGE_MAX_SIDE && height - 1 < SEGEDGE_MAX_SIDE) frame.planes[0] = read_file(words[2], 3 * width * height);
  return frame;
}

static int composite(segedge_session *session, char **words, int count) {
  static const uint8_t green[3] = {0, 255, 0};
  const segedge_frame frame = read_frame(words), none = {0, 0, 0, {NULL, NULL, NULL}, {0, 0, 0}};
  const segedge_frame background = count == 8 ? read_frame(words + 5) : none;
  const size_t width = frame.width, pixels = width * frame.height;
  uint8_t *alpha = read_file(words[3], pixels), *out = malloc(3 * pixels);
  const int fine = alpha && out &&
                   segedge_composite(session, &frame, alpha, width, count == 8 ? &background : NULL, green, SEGEDGE_RGB, out,
                                     3 * width) == SEGEDGE_OK &&
                   write_file(words[4], out, 3 * pixels);
  free((void *)frame.planes[0]);
  free((void *)background.planes[0]);
  free(alpha);
  free(out);
  return fine;
}

/* `words` behind the command: width, height, the frame's file; then the files of the steps. */
static int run(segedge_session *session, uint32_t preset, int is_mask, char **words, int count) {
  if (count != (is_mask ? 7 : 5)) return 0;
  const segedge_frame frame = read_frame(words);
  const size_t width = frame.width, pixels = width * frame.height;
  uint8_t *alpha = malloc(4 * pixels);
  int fine = alpha && frame.planes[0];
  if (fine && is_mask) {
    fine = segedge_mask(session, &frame, (float *)(void *)alpha, 4 * width) == SEGEDGE_OK;
    for (uint32_t step = SEGEDGE_INPUT; step <= SEGEDGE_PROBABILITY; step++)
      fine = fine && write_step(session, step, words[3 + step]);
    fine = fine && write_file(words[6], alpha, 4 * pixels);
  } else if (fine) {
    fine = segedge_alpha(session, &frame, preset, alpha, width) == SEGEDGE_OK &&
           write_step(session, SEGEDGE_COARSE, words[3]) && write_file(words[4], alpha, pixels);
  }
  free((void *)frame.planes[0]);
  free(alpha);
  return fine;
}

static int test(segedge_session *session) {
  segedge_result result = {sizeof(result), 0, 0, 0, 0, 0, 0};
  if (segedge_self_test(session, &result) != SEGEDGE_OK) return 0;
  printf("same %d altered %d pictures %u iou %.9g pytorch %.9g difference %.9g\n", result.same, result.altered, result.pictures,
         result.least_iou, result.least_iou_pytorch, result.mean_difference);
  return 1;
}

int main(int count, char **words) {
  segedge_session *session = NULL;
  if (count != 2) return 2;
  int fine = segedge_open_file(words[1], NULL, &session) == SEGEDGE_OK;
  char line[8192];
  while (fine && fgets(line, sizeof(line), stdin)) {
    char *found[16];
    int number = 0;
    for (char *word = strtok(line, " \n"); word && number < 16; word = strtok(NULL, " \n")) found[number++] = word;
    if (number == 1 && strcmp(found[0], "reset") == 0)
      fine = segedge_reset(session) == SEGEDGE_OK;
    else if (number == 1 && strcmp(found[0], "test") == 0)
      fine = test(session);
    else if (number > 4 && strcmp(found[0], "mask") == 0)
      fine = run(session, 0, 1, found + 1, number - 1);
    else if (number > 5 && strcmp(found[0], "alpha") == 0)
      fine = run(session, found[1][0] == '1', 0, found + 2, number - 2);
    else if ((number == 6 || number == 9) && strcmp(found[0], "composite") == 0)
      fine = composite(session, found + 1, number - 1);
    else
      fine = 0;
  }
  if (!fine) fprintf(stderr, "%s: %s\n", words[1], segedge_error(session));
  segedge_close(&session);
  return fine ? 0 : 1;
}
