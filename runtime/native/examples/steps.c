/* segedge_steps MODEL.tflite: every step of a frame, for `segexport check-port`, on a board or an emulator that has no Python.
 *
 * A line of standard input is a command, its words apart by single spaces, no spaces inside:
 *   mask WIDTH HEIGHT FRAME INPUT OUTPUT PROBABILITY ALPHA     files of raw bytes, the frame in RGB
 *   alpha PRESET WIDTH HEIGHT FRAME COARSE ALPHA               PRESET: 0 or 1
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

/* `words` behind the command: width, height, the frame's file; then the files of the steps. */
static int run(segedge_session *session, uint32_t preset, int is_mask, char **words, int count) {
  const unsigned long width = strtoul(words[0], NULL, 10), height = strtoul(words[1], NULL, 10);
  if (width - 1 >= SEGEDGE_MAX_SIDE || height - 1 >= SEGEDGE_MAX_SIDE || count != (is_mask ? 7 : 5)) return 0;
  const size_t pixels = (size_t)width * height;
  uint8_t *bytes = malloc(3 * pixels), *alpha = malloc(4 * pixels);
  FILE *file = fopen(words[2], "rb");
  int fine = bytes && alpha && file && fread(bytes, 3, pixels, file) == pixels;
  if (file) fclose(file);
  const segedge_frame frame = {SEGEDGE_RGB, (uint32_t)width, (uint32_t)height, {bytes, NULL, NULL}, {3 * width, 0, 0}};
  if (fine && is_mask) {
    fine = segedge_mask(session, &frame, (float *)(void *)alpha, 4 * width) == SEGEDGE_OK;
    for (uint32_t step = SEGEDGE_INPUT; step <= SEGEDGE_PROBABILITY; step++)
      fine = fine && write_step(session, step, words[3 + step]);
    fine = fine && write_file(words[6], alpha, 4 * pixels);
  } else if (fine) {
    fine = segedge_alpha(session, &frame, preset, alpha, width) == SEGEDGE_OK &&
           write_step(session, SEGEDGE_COARSE, words[3]) && write_file(words[4], alpha, pixels);
  }
  free(bytes);
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
    else
      fine = 0;
  }
  if (!fine) fprintf(stderr, "%s: %s\n", words[1], segedge_error(session));
  segedge_close(&session);
  return fine ? 0 : 1;
}
