/* The rows of bad_input.c that open something: files, contracts, options, libraries. */
#include "bad_input.h"

static void null_for_what_is_opened(void) {
  segedge_session *refusing = NULL;
  if (segedge_open_file(NULL, NULL, &refusing) != SEGEDGE_ARGUMENT) fail("a path of NULL is taken", segedge_error(refusing));
  check_text(segedge_error(refusing), "path: got NULL", "expected the path of a .tflite file");
  segedge_close(&refusing);
  not_opened(NULL, 64, NULL, SEGEDGE_ARGUMENT, "data: got NULL", "expected the bytes of a .tflite file");
  not_opened(NULL, 0, NULL, SEGEDGE_ARGUMENT, "data: got NULL", "expected the bytes of a .tflite file");
}

static void structs_of_another_version(void) {
  const size_t sizes[] = {0, 4, sizeof(segedge_options) + 8, HUGE_SIDE, SIZE_MAX};
  for (size_t k = 0; k < COUNT(sizes); k++) {
    segedge_options options = options_of(litert, NULL);
    segedge_info info = {0};
    segedge_result result = {0};
    char found[64];
    options.size = sizes[k];
    info.size = result.size = sizes[k] == sizeof(info) ? 1 : sizes[k];
    snprintf(found, sizeof(found), "options: got a size of %zu", sizes[k]);
    not_opened(small_file.bytes, small_file.size, &options, SEGEDGE_ARGUMENT, found, "sizeof(segedge_options)");
    argument(segedge_describe(session, &info), "info: got a size of", "sizeof(segedge_info)");
    argument(segedge_self_test(session, &result), "result: got a size of", "sizeof(segedge_result)");
  }
}

static void options_out_of_range(void) {
  const uint32_t wrong[] = {257, HUGE_SIDE, ALL_BITS};
  for (size_t k = 0; k < 3; k++) {
    segedge_options many = options_of(litert, NULL), wide = options_of(litert, NULL);
    char found[64];
    many.threads = wide.feather = wrong[k];
    snprintf(found, sizeof(found), "threads: got %u", wrong[k]);
    not_opened(small_file.bytes, small_file.size, &many, SEGEDGE_ARGUMENT, found, "expected 1 to 256");
    snprintf(found, sizeof(found), "feather: got %u", wrong[k]);
    not_opened(small_file.bytes, small_file.size, &wide, SEGEDGE_ARGUMENT, found, "expected 0 to 64");
  }
}

/* Where the archive begins. */
static size_t archive_of(const file_t *file) {
  size_t at = 0;
  while (at + 4 < file->size && memcmp(file->bytes + at, "PK\3\4", 4) != 0) at++;
  return at;
}

/* In memory of its own, so that a sanitizer sees what is read behind it. With a contract given, the model alone is whole. */
static void cut(const file_t *file, size_t end, const char *contract) {
  const segedge_options options = options_of(litert, contract);
  const size_t archive = archive_of(file);
  uint8_t *bytes = malloc(end ? end : 1);
  if (!bytes) abort();
  memcpy(bytes, file->bytes, end);
  if (end < 16)
    not_opened(bytes, end, &options, SEGEDGE_FILE, "cut off: ", "copy it again");
  else if (!contract)
    not_opened(bytes, end, &options, SEGEDGE_CONTRACT, "the file holds no contract", "copy it again");
  else if (end < archive - 64 || end > archive + 3)
    not_opened(bytes, end, &options, SEGEDGE_FILE, "cut off or damaged", "copy the file again");
  free(bytes);
}

static void a_file_cut_anywhere(void) {
  segedge_info info = {0};
  info.size = sizeof(info);
  if (segedge_describe(session, &info) != SEGEDGE_OK) fail("describe", segedge_error(session));
  for (size_t end = 0; end < small_file.size; end++) {
    cut(&small_file, end, NULL);
    cut(&small_file, end, info.contract);
  }
  for (size_t k = 0; k < 300; k++) cut(&large_file, k < 250 ? large_file.size / 250 * k : large_file.size + k - 300, NULL);
}

static void a_size_that_no_memory_has(void) {
  const segedge_options options = options_of(litert, NULL);
  not_opened(small_file.bytes, SIZE_MAX, &options, SEGEDGE_MEMORY, "no memory left", "take a smaller one");
}

static void paths_that_are_no_file(void) {
  const char *paths[] = {"", "/nowhere/model.tflite", "/", "/dev/zero"};
  for (size_t k = 0; k < COUNT(paths); k++) {
    segedge_session *refusing = NULL;
    if (segedge_open_file(paths[k], NULL, &refusing) != SEGEDGE_FILE) fail("it is taken", segedge_error(refusing));
    check_text(segedge_error(refusing), paths[k], "expected a .tflite file");
    segedge_close(&refusing);
  }
}

static void a_contract_of_another_version(void) {
  segedge_info info = {0};
  char text[4096];
  info.size = sizeof(info);
  segedge_describe(session, &info);
  snprintf(text, sizeof(text), "%s", info.contract);
  char *version = strstr(text, "\"version\": 1");
  if (!version) fail("no version", text);
  if (!version) return;
  version[11] = '2';
  const segedge_options options = options_of(litert, text);
  not_opened(small_file.bytes, small_file.size, &options, SEGEDGE_CONTRACT, "version is 2", "expected 1");
}

static void a_contract_that_is_none(void) {
  const segedge_options options = options_of(litert, "{\"format\": \"other\", \"version\": 1}");
  not_opened(small_file.bytes, small_file.size, &options, SEGEDGE_CONTRACT, "format is 'other'", "expected 'segedge.contract'");
}

static void a_model_without_a_contract(void) {
  const segedge_options options = options_of(litert, NULL);
  not_opened(small_file.bytes, archive_of(&small_file), &options, SEGEDGE_CONTRACT, "holds no contract", "give a contract");
}

static void another_library(void) {
  const struct {
    const char *path, *found;
  } cases[] = {{older, "is older than 2.2 or no LiteRT"},
               {lacking, "has no LiteRtRunCompiledModel"},
               {"/nowhere/libLiteRt.so", "cannot be opened"},
               {small_file.path, "cannot be opened"}};
  for (size_t k = 0; k < 4; k++) {
    const segedge_options options = options_of(cases[k].path, NULL);
    not_opened(small_file.bytes, small_file.size, &options, SEGEDGE_LIBRARY, cases[k].found, "expected");
    not_opened(small_file.bytes, small_file.size, &options, SEGEDGE_LIBRARY, cases[k].path, "2.2 or 2.3");
  }
}

void bad_files(void) {
  RUN(null_for_what_is_opened), RUN(structs_of_another_version), RUN(options_out_of_range), RUN(a_file_cut_anywhere),
      RUN(a_size_that_no_memory_has);
  RUN(paths_that_are_no_file), RUN(a_contract_of_another_version), RUN(a_contract_that_is_none);
  RUN(a_model_without_a_contract), RUN(another_library);
}
