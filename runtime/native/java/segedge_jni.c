/* segedge.h for Segedge.java. Nothing is thrown from here but Java's own lack of memory: what fails is a status, and the class
 * checks that buffers are direct and large enough. Texts are bytes in UTF-8, for JNI's own strings are not. */
#include <jni.h>
#include <segedge.h>
#include <string.h>

_Static_assert(SEGEDGE_BGR == 0 && SEGEDGE_RGB == 1 && SEGEDGE_RGBA == 2 && SEGEDGE_BGRA == 3 && SEGEDGE_NV12 == 4 &&
                   SEGEDGE_NV21 == 5 && SEGEDGE_I420 == 6 && SEGEDGE_FULL_RANGE == 0x100 && SEGEDGE_BT709 == 0x200 &&
                   SEGEDGE_FAST == 0 && SEGEDGE_BALANCED == 1 && SEGEDGE_ARGUMENT == 1 && SEGEDGE_MEMORY == 5 &&
                   SEGEDGE_MAX_SIDE == 32768,
               "Segedge.java has the same numbers");

#define METHOD(type, name) JNIEXPORT type JNICALL Java_segedge_Segedge_native##name

static segedge_session *opened(jlong session) { return (segedge_session *)(intptr_t)session; }

static uint8_t *memory(JNIEnv *env, jobject buffer, size_t at) {
  uint8_t *begin = buffer ? (*env)->GetDirectBufferAddress(env, buffer) : NULL;
  return begin ? begin + at : NULL;
}

/* Holds no reference: the array of planes does. */
static void frame_of(JNIEnv *env, jobjectArray planes, jintArray layout, segedge_frame *frame) {
  jint numbers[9] = {0};
  (*env)->GetIntArrayRegion(env, layout, 0, 9, numbers);
  memset(frame, 0, sizeof(*frame));
  frame->format = (uint32_t)numbers[0];
  frame->width = (uint32_t)numbers[1];
  frame->height = (uint32_t)numbers[2];
  for (int k = 0; k < 3; k++) {
    jobject plane = (*env)->GetObjectArrayElement(env, planes, k);
    frame->planes[k] = memory(env, plane, (size_t)numbers[3 + 2 * k]);
    frame->strides[k] = (size_t)numbers[4 + 2 * k];
    (*env)->DeleteLocalRef(env, plane);
  }
}

static jbyte *bytes_of(JNIEnv *env, jbyteArray array) {
  return array && !(*env)->ExceptionCheck(env) ? (*env)->GetByteArrayElements(env, array, NULL) : NULL;
}

static void release(JNIEnv *env, jbyteArray array, jbyte *bytes) {
  if (bytes) (*env)->ReleaseByteArrayElements(env, array, bytes, JNI_ABORT);
}

METHOD(jlong, Open)
(JNIEnv *env, jclass type, jbyteArray path, jobject model, jint begin, jint size, jint threads, jint feather, jbyteArray litert,
 jbyteArray contract, jintArray status) {
  segedge_session *session = NULL;
  jbyte *path_text = bytes_of(env, path), *litert_text = bytes_of(env, litert), *contract_text = bytes_of(env, contract);
  if (!(*env)->ExceptionCheck(env)) {
    segedge_options options = {.size = sizeof(options),
                               .threads = (uint32_t)threads,
                               .feather = (uint32_t)feather,
                               .litert = (const char *)litert_text,
                               .contract = (const char *)contract_text};
    const jint found = (jint)(model ? segedge_open_buffer(memory(env, model, (size_t)begin), (size_t)size, &options, &session)
                                    : segedge_open_file((const char *)path_text, &options, &session));
    (*env)->SetIntArrayRegion(env, status, 0, 1, &found);
  }
  release(env, path, path_text);
  release(env, litert, litert_text);
  release(env, contract, contract_text);
  (void)type;
  return (jlong)(intptr_t)session;
}

METHOD(jbyteArray, Text)(JNIEnv *env, jclass type, jlong session, jint which) {
  segedge_info info = {.size = sizeof(info), .contract = ""};
  if (which == 2) segedge_describe(opened(session), &info);
  const char *text = which == 0 ? segedge_version() : which == 1 ? segedge_error(opened(session)) : info.contract;
  const jsize size = (jsize)strlen(text);
  jbyteArray bytes = (*env)->NewByteArray(env, size);
  if (bytes) (*env)->SetByteArrayRegion(env, bytes, 0, size, (const jbyte *)text);
  (void)type;
  return bytes;
}

METHOD(jint, Describe)(JNIEnv *env, jclass type, jlong session, jdoubleArray out) {
  segedge_info info = {.size = sizeof(info)};
  const segedge_status status = segedge_describe(opened(session), &info);
  const jdouble numbers[6] = {info.input_width,   info.input_height, info.output_width,
                              info.output_height, info.threads,      info.threshold};
  (*env)->SetDoubleArrayRegion(env, out, 0, 6, numbers);
  (void)type;
  return (jint)status;
}

METHOD(jint, Mask)
(JNIEnv *env, jclass type, jlong session, jobjectArray planes, jintArray layout, jobject mask, jint at) {
  segedge_frame frame;
  frame_of(env, planes, layout, &frame);
  void *out = memory(env, mask, sizeof(float) * (size_t)at);
  (void)type;
  return (jint)segedge_mask(opened(session), &frame, out, sizeof(float) * frame.width);
}

METHOD(jint, Alpha)
(JNIEnv *env, jclass type, jlong session, jobjectArray planes, jintArray layout, jint preset, jobject alpha, jint at) {
  segedge_frame frame;
  frame_of(env, planes, layout, &frame);
  (void)type;
  return (jint)segedge_alpha(opened(session), &frame, (uint32_t)preset, memory(env, alpha, (size_t)at), frame.width);
}

METHOD(jint, Reset)(JNIEnv *env, jclass type, jlong session) {
  (void)env;
  (void)type;
  return (jint)segedge_reset(opened(session));
}

METHOD(jint, Composite)
(JNIEnv *env, jclass type, jlong session, jobjectArray planes, jintArray layout, jobject alpha, jint at,
 jobjectArray background_planes, jintArray background_layout, jint colour, jobjectArray out_planes, jintArray out_layout) {
  segedge_frame frame, background, out;
  frame_of(env, planes, layout, &frame);
  frame_of(env, out_planes, out_layout, &out);
  if (background_planes) frame_of(env, background_planes, background_layout, &background);
  const uint8_t rgb[3] = {(uint8_t)(colour >> 16), (uint8_t)(colour >> 8), (uint8_t)colour};
  (void)type;
  return (jint)segedge_composite(opened(session), &frame, memory(env, alpha, (size_t)at), frame.width,
                                 background_planes ? &background : NULL, rgb, out.format, (uint8_t *)out.planes[0],
                                 out.strides[0]);
}

METHOD(jint, SelfTest)(JNIEnv *env, jclass type, jlong session, jdoubleArray out) {
  segedge_result result = {.size = sizeof(result)};
  const segedge_status status = segedge_self_test(opened(session), &result);
  const jdouble numbers[6] = {result.same,      result.altered,           result.pictures,
                              result.least_iou, result.least_iou_pytorch, result.mean_difference};
  (*env)->SetDoubleArrayRegion(env, out, 0, 6, numbers);
  (void)type;
  return (jint)status;
}

METHOD(void, Close)(JNIEnv *env, jclass type, jlong session) {
  segedge_session *closed = opened(session);
  segedge_close(&closed);
  (void)env;
  (void)type;
}

METHOD(jlong, Between)(JNIEnv *env, jclass type, jobject first, jint first_at, jobject second, jint second_at) {
  (void)type;
  return (jlong)((intptr_t)memory(env, second, (size_t)second_at) - (intptr_t)memory(env, first, (size_t)first_at));
}
