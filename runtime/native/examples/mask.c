/* segedge_mask MODEL.tflite PICTURE.ppm MASK.pgm: a person's alpha, 0 to 255. SEGEDGE_LITERT may name LiteRT's library.
 */
#include <segedge.h>
#include <stdio.h>
#include <stdlib.h>

/* A binary PPM of 8 bits, without comments; NULL if it is something else. */
static uint8_t *read_ppm(const char *path, uint32_t *width, uint32_t *height) {
  FILE *file = fopen(path, "rb");
  uint8_t *pixels = NULL;
  if (file && fscanf(file, "P6 %5u %5u 255", width, height) == 2 && fgetc(file) != EOF && *width && *height) {
    const size_t bytes = (size_t)*width * *height * 3;
    pixels = malloc(bytes);
    if (pixels && fread(pixels, 1, bytes, file) != bytes) {
      free(pixels);
      pixels = NULL;
    }
  }
  if (file) fclose(file);
  return pixels;
}

static int write_pgm(const char *path, const uint8_t *pixels, uint32_t width, uint32_t height) {
  FILE *file = fopen(path, "wb");
  if (!file) return 0;
  const int written = fprintf(file, "P5\n%u %u\n255\n", width, height) > 0 && fwrite(pixels, width, height, file) == height;
  return fclose(file) == 0 && written;
}

int main(int count, char **words) {
  if (count != 4) {
    fprintf(stderr, "usage: %s MODEL.tflite PICTURE.ppm MASK.pgm\n", words[0]);
    return 2;
  }
  uint32_t width = 0, height = 0;
  uint8_t *pixels = read_ppm(words[2], &width, &height);
  if (!pixels) {
    fprintf(stderr, "%s: no binary PPM of 8 bits without comments\n", words[2]);
    return 1;
  }
  uint8_t *alpha = malloc((size_t)width * height);
  segedge_session *session = NULL;
  segedge_status status = segedge_open_file(words[1], NULL, &session);
  if (status == SEGEDGE_OK) {
    const segedge_frame frame = {SEGEDGE_RGB, width, height, {pixels, NULL, NULL}, {(size_t)width * 3, 0, 0}};
    status = segedge_alpha(session, &frame, SEGEDGE_BALANCED, alpha, width);
  }
  if (status != SEGEDGE_OK) fprintf(stderr, "%s: %s\n", words[1], segedge_error(session));
  segedge_close(&session);
  if (status == SEGEDGE_OK && !write_pgm(words[3], alpha, width, height)) {
    fprintf(stderr, "%s: cannot be written\n", words[3]);
    status = SEGEDGE_FILE;
  }
  free(alpha);
  free(pixels);
  return status == SEGEDGE_OK ? 0 : 1;
}
