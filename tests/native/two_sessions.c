/* two_sessions MODEL.tflite: two threads open, run, test and close sessions of their own; for ThreadSanitizer to watch. Ends
 * with 1 where a call fails or a self-test is not the same. */
#include <pthread.h>
#include <segedge.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const char *model;
  uint32_t width;
  int failed;
} work_t;

static segedge_status run(segedge_session *session, const segedge_frame *frame, uint8_t *pixels, uint8_t *alpha) {
  const uint8_t colour[3] = {1, 2, 3};
  segedge_result result = {sizeof(result), 0, 0, 0, 0, 0, 0};
  segedge_status status = SEGEDGE_OK;
  for (int k = 0; k < 4 && status == SEGEDGE_OK; k++) {
    status = segedge_alpha(session, frame, SEGEDGE_BALANCED, alpha, frame->width);
    if (status == SEGEDGE_OK)
      status = segedge_composite(session, frame, alpha, frame->width, NULL, colour, SEGEDGE_RGB, pixels, frame->strides[0]);
  }
  if (status == SEGEDGE_OK) status = segedge_self_test(session, &result);
  return status == SEGEDGE_OK && !result.same ? SEGEDGE_FILE : status;
}

static void *work(void *given) {
  work_t *mine = given;
  /* one thread each: the sanitizer does not see how LiteRT's own ones wait for each other */
  const segedge_options options = {sizeof(options), 1, 0, NULL, NULL};
  const uint32_t width = mine->width, height = 150;
  uint8_t *pixels = calloc((size_t)width * height, 3), *alpha = calloc(width, height);
  const segedge_frame frame = {SEGEDGE_RGB, width, height, {pixels, NULL, NULL}, {(size_t)width * 3, 0, 0}};
  for (int round = 0; round < 3; round++) {
    segedge_session *session = NULL;
    if (segedge_open_file(mine->model, &options, &session) != SEGEDGE_OK || run(session, &frame, pixels, alpha) != SEGEDGE_OK) {
      fprintf(stderr, "%s\n", segedge_error(session));
      mine->failed = 1;
    }
    segedge_close(&session);
  }
  free(pixels);
  free(alpha);
  return NULL;
}

int main(int count, char **words) {
  if (count != 2) return 2;
  pthread_t threads[2];
  work_t works[2] = {{words[1], 200, 0}, {words[1], 320, 0}};
  for (int k = 0; k < 2; k++)
    if (pthread_create(&threads[k], NULL, work, &works[k]) != 0) return 1;
  for (int k = 0; k < 2; k++) pthread_join(threads[k], NULL);
  return works[0].failed || works[1].failed;
}
