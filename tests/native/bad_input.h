/* What the rows of bad_input.c and bad_files.c share. */
#ifndef BAD_INPUT_H
#define BAD_INPUT_H

#include <segedge.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUGE_SIDE 0x80000000u /* 2^31 */
#define ALL_BITS 0xFFFFFFFFu
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RUN(name) (row = #name, name())

typedef struct {
  const char *path;
  uint8_t *bytes;
  size_t size;
} file_t;

extern file_t small_file, large_file;
extern const char *litert, *older, *lacking, *row; /* libraries; which row runs */
extern segedge_session *session;                   /* of small_file, open */

void fail(const char *what, const char *found);
void check_text(const char *text, const char *found, const char *expected);
void argument(segedge_status status, const char *found, const char *expected); /* a call of `session` that was refused */
segedge_options options_of(const char *library, const char *contract);

/* A model that is not opened, nor its session used. */
void not_opened(const uint8_t *data, size_t size, const segedge_options *options, segedge_status wanted, const char *found,
                const char *expected);

void bad_files(void); /* the rows of bad_files.c */

#endif
