package segedge;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A person's soft mask from a camera's frame: segedge.h for Java and Kotlin, on a desktop's virtual machine and on Android. One
 * model file with its interpreter, and one stream of frames. Close it.
 *
 * <p>Pictures are direct buffers, read and written where they lie. Threads that share a session wait for each other; sessions
 * share nothing. What cannot be done is a {@link Failure}.
 */
public final class Segedge implements AutoCloseable {
  /** Formats of a frame; of the last three, with {@code |} and a flag, if it is so. */
  public static final int BGR = 0, RGB = 1, RGBA = 2, BGRA = 3, NV12 = 4, NV21 = 5, I420 = 6;

  /** YUV from 0 to 255, as Android's cameras give it, and in the colours of BT.709 instead of BT.601. */
  public static final int FULL_RANGE = 0x100, BT709 = 0x200;

  /** The chain from the network's mask to alpha. */
  public static final int FAST = 0, BALANCED = 1;

  /** {@code segedge_status}, without the one for success. */
  public enum Status { ARGUMENT, FILE, CONTRACT, LIBRARY, MEMORY }

  /** One line: what failed, what was found, what was expected, what to do. */
  public static final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1;
    public final Status status;

    Failure(Status status, String text) {
      super(text);
      this.status = status;
    }
  }

  /** How to open a model; all of it may stay as it is. */
  public static final class Options {
    /** Of the interpreter; 0: the machine's cores, at most 4. */
    public int threads;

    /** Of alpha's edge, in pixels, 0 to 64. */
    public int feather;

    /** The path of libLiteRt.so; null: what the loader finds under that name. */
    public String litert;

    /** JSON for a model that carries none. */
    public String contract;
  }

  /** {@code segedge_info}. */
  public static final class Info {
    public final int inputWidth, inputHeight, outputWidth, outputHeight, threads;
    public final double threshold;

    /** JSON. */
    public final String contract;

    Info(double[] numbers, String contract) {
      inputWidth = (int) numbers[0];
      inputHeight = (int) numbers[1];
      outputWidth = (int) numbers[2];
      outputHeight = (int) numbers[3];
      threads = (int) numbers[4];
      threshold = numbers[5];
      this.contract = contract;
    }
  }

  /** {@code segedge_result}: of a file that tested itself. */
  public static final class Result {
    public final boolean same, altered;
    public final int pictures;
    public final double leastIou, leastIouPytorch, meanDifference;

    Result(double[] numbers) {
      same = numbers[0] != 0;
      altered = numbers[1] != 0;
      pictures = (int) numbers[2];
      leastIou = numbers[3];
      leastIouPytorch = numbers[4];
      meanDifference = numbers[5];
    }
  }

  /** A picture in direct buffers, each from its position on, top row first; kept, not copied. */
  public static final class Frame {
    public final int width, height;
    final ByteBuffer[] planes;
    final int[] layout; // format, width, height, then of each plane where it begins in its buffer and its stride

    /** BGR, RGB, RGBA or BGRA; {@code stride}: bytes from one row to the next. */
    public Frame(int format, int width, int height, ByteBuffer pixels, int stride) {
      this(format, width, height, new ByteBuffer[] {pixels}, stride);
    }

    /** Any format: NV12 and NV21 have two planes (Y; UV or VU), I420 three (Y; U; V). */
    public Frame(int format, int width, int height, ByteBuffer[] planes, int... strides) {
      this(format, width, height, planes, strides, null);
    }

    /**
     * The planes of Android's YUV_420_888, as {@code Image} and {@code ImageProxy} give them: I420, or, where two bytes lie
     * between the pixels of U and V, NV12 or NV21, by which of them comes first.
     */
    public static Frame ofYuv420(
        int flags, int width, int height, ByteBuffer y, int yStride, ByteBuffer u, ByteBuffer v, int stride, int pixelStride) {
      if (pixelStride == 1) return new Frame(I420 | flags, width, height, new ByteBuffer[] {y, u, v}, yStride, stride, stride);
      checkBuffer("U", u, 1);
      checkBuffer("V", v, 1);
      final long apart = nativeBetween(u, u.position(), v, v.position());
      check(pixelStride == 2 && Math.abs(apart) == 1,
          "frame: U and V are " + apart + " bytes apart, their pixels " + pixelStride + ", expected 1 and 2; copy them");
      final boolean first = apart == 1;
      final ByteBuffer[] planes = {y, first ? u : v};
      return new Frame((first ? NV12 : NV21) | flags, width, height, planes, new int[] {yStride, stride}, first ? v : u);
    }

    /** {@code beside}: where the last byte of the pairs is, if it is not in their own buffer. */
    private Frame(int format, int width, int height, ByteBuffer[] planes, int[] strides, ByteBuffer beside) {
      final int kind = format & 0xff, count = kind == I420 ? 3 : kind >= NV12 ? 2 : 1;
      check(kind <= I420, "frame: got format " + format + ", expected one of Segedge's");
      check(width > 0 && height > 0 && width <= 32768 && height <= 32768,
          "frame: got " + width + "x" + height + ", expected 1 to 32768 pixels on a side");
      check(planes != null && strides != null && planes.length == count && strides.length == count,
          "frame: expected " + count + " planes, and a stride for each");
      this.width = width;
      this.height = height;
      this.planes = Arrays.copyOf(planes, 3);
      layout = new int[] {format, width, height, 0, 0, 0, 0, 0, 0};
      for (int k = 0; k < count; k++) {
        final String name = "plane " + k;
        final int half = (width + 1) / 2, rows = k > 0 ? (height + 1) / 2 : height;
        final int row = k > 0 ? (kind == I420 ? half : 2 * half) : kind >= NV12 ? width : width * (kind >= RGBA ? 4 : 3);
        check(
            strides[k] >= row, name + ": got a stride of " + strides[k] + " bytes, expected at least the " + row + " of a row");
        final long bytes = (rows - 1L) * strides[k] + row;
        checkBuffer(name, planes[k], k > 0 && beside != null && beside.remaining() >= bytes - 1 ? bytes - 1 : bytes);
        layout[3 + 2 * k] = planes[k].position();
        layout[4 + 2 * k] = strides[k];
      }
      if (beside != null) this.planes[2] = beside; // not to be freed before the frame
    }
  }

  private long session;

  static {
    System.loadLibrary("segedge_jni"); // which brings libsegedge
  }

  private Segedge(String path, ByteBuffer model, Options options) {
    final Options given = options == null ? new Options() : options;
    final int[] status = new int[1];
    final int begin = model == null ? 0 : model.position(), size = model == null ? 0 : model.remaining();
    session = nativeOpen(
        utf8(path), model, begin, size, given.threads, given.feather, utf8(given.litert), utf8(given.contract), status);
    try {
      succeed(status[0]);
    } catch (Failure failure) {
      close();
      throw failure;
    }
  }

  /** A {@code .tflite} file with the contract inside; {@code options} may be null. */
  public static Segedge openFile(String path, Options options) {
    check(path != null, "path: got null, expected that of a .tflite file");
    return new Segedge(path, null, options);
  }

  /** The bytes of one, from the position on: a mapped asset, {@code ByteBuffer.wrap(bytes)}; they are copied. */
  public static Segedge openBuffer(ByteBuffer model, Options options) {
    check(model != null, "model: got null, expected the bytes of a .tflite file");
    final ByteBuffer direct = model.isDirect() ? model : ByteBuffer.allocateDirect(model.remaining()).put(model.duplicate());
    if (direct != model) direct.flip();
    return new Segedge(null, direct, options);
  }

  public static String version() { return text(0, VERSION); }

  public synchronized Info describe() {
    final double[] numbers = new double[6];
    succeed(nativeDescribe(opened(), numbers));
    return new Info(numbers, text(session, CONTRACT));
  }

  /** The mask at the frame's size, 0 (background) to 1 (person), row after row; forgets nothing and keeps nothing. */
  public float[] mask(Frame frame) {
    final float[] mask = new float[pixels(frame)];
    final ByteBuffer direct = ByteBuffer.allocateDirect(4 * mask.length).order(ByteOrder.nativeOrder());
    mask(frame, direct.asFloatBuffer());
    direct.asFloatBuffer().get(mask);
    return mask;
  }

  /** The same into a direct buffer in the machine's byte order, from its position on. */
  public synchronized void mask(Frame frame, FloatBuffer mask) {
    final int pixels = pixels(frame);
    check(mask != null && mask.isDirect() && !mask.isReadOnly(), "mask: expected a direct buffer that can be written to");
    check(mask.order() == ByteOrder.nativeOrder(), "mask: expected the byte order ByteOrder.nativeOrder()");
    check(mask.remaining() >= pixels, "mask: got " + mask.remaining() + " floats from its position on, expected " + pixels);
    succeed(nativeMask(opened(), frame.planes, frame.layout, mask, mask.position()));
  }

  /** Refined alpha, 0 to 255, into a direct buffer, row after row. A stream: BALANCED remembers the frame before. */
  public synchronized void alpha(Frame frame, int preset, ByteBuffer alpha) {
    checkOutput("alpha", alpha, pixels(frame));
    succeed(nativeAlpha(opened(), frame.planes, frame.layout, preset, alpha, alpha.position()));
  }

  /** Forgets the frame before: another stream, or a jump in this one, follows. */
  public synchronized void reset() { succeed(nativeReset(opened())); }

  /**
   * The frame over a picture, which is scaled to cover it, into {@code out} of the same size, which may be the frame itself and
   * is BGR, RGB, RGBA or BGRA.
   */
  public synchronized void composite(Frame frame, ByteBuffer alpha, Frame background, Frame out) {
    check(background != null, "background: got null, expected a frame");
    composite(frame, alpha, background.planes, background.layout, 0, out);
  }

  /** The frame over a colour, 0xRRGGBB. */
  public synchronized void composite(Frame frame, ByteBuffer alpha, int colour, Frame out) {
    composite(frame, alpha, null, null, colour, out);
  }

  private void composite(Frame frame, ByteBuffer alpha, ByteBuffer[] planes, int[] layout, int colour, Frame out) {
    checkBuffer("alpha", alpha, pixels(frame));
    check(out != null && out.width == frame.width && out.height == frame.height, "out: expected a frame of the frame's size");
    checkOutput("out", out.planes[0], 0);
    succeed(nativeComposite(
        opened(), frame.planes, frame.layout, alpha, alpha.position(), planes, layout, colour, out.planes, out.layout));
  }

  /** Runs the golden pictures inside the file: does it give the same masks here? Call it once after installing. */
  public synchronized Result selfTest() {
    final double[] numbers = new double[6];
    succeed(nativeSelfTest(opened(), numbers));
    return new Result(numbers);
  }

  /** Frees the model; twice does nothing. */
  @Override
  public synchronized void close() {
    nativeClose(session);
    session = 0;
  }

  private long opened() {
    check(session != 0, "the session is closed; open another one");
    return session;
  }

  private void succeed(int status) {
    if (status != 0) throw new Failure(Status.values()[status - 1], session == 0 ? "no memory left" : text(session, ERROR));
  }

  private static void check(boolean holds, String otherwise) {
    if (!holds) throw new Failure(Status.ARGUMENT, otherwise);
  }

  private static void checkBuffer(String name, ByteBuffer buffer, long bytes) {
    check(buffer != null && buffer.isDirect(), name + ": expected a direct buffer, ByteBuffer.allocateDirect makes one");
    check(buffer.remaining() >= bytes,
        name + ": got " + buffer.remaining() + " bytes from the buffer's position on, expected " + bytes);
  }

  private static void checkOutput(String name, ByteBuffer buffer, long bytes) {
    checkBuffer(name, buffer, bytes);
    check(!buffer.isReadOnly(), name + ": got a read-only buffer, expected one to write to");
  }

  private static int pixels(Frame frame) {
    check(frame != null, "frame: got null, expected a frame");
    check((long) frame.width * frame.height < 1 << 29, "frame: too large for Java's buffers");
    return frame.width * frame.height;
  }

  private static byte[] utf8(String text) {
    check(text == null || text.indexOf(0) < 0, "a text for segedge holds a character of code 0");
    return text == null ? null : (text + '\0').getBytes(StandardCharsets.UTF_8);
  }

  private static final int VERSION = 0, ERROR = 1, CONTRACT = 2;

  private static String text(long session, int which) { return new String(nativeText(session, which), StandardCharsets.UTF_8); }

  // segedge_jni.c. Objects that are passed stay alive during the call, and with them the memory of their buffers.

  private static native long nativeOpen(byte[] path, ByteBuffer model, int begin, int size, int threads, int feather,
      byte[] litert, byte[] contract, int[] status);

  private static native byte[] nativeText(long session, int which);

  private static native int nativeDescribe(long session, double[] numbers);

  private static native int nativeMask(long session, ByteBuffer[] planes, int[] layout, FloatBuffer mask, int at);

  private static native int nativeAlpha(long session, ByteBuffer[] planes, int[] layout, int preset, ByteBuffer alpha, int at);

  private static native int nativeReset(long session);

  private static native int nativeComposite(long session, ByteBuffer[] planes, int[] layout, ByteBuffer alpha, int at,
      ByteBuffer[] backgroundPlanes, int[] backgroundLayout, int colour, ByteBuffer[] outPlanes, int[] outLayout);

  private static native int nativeSelfTest(long session, double[] numbers);

  private static native void nativeClose(long session);

  private static native long nativeBetween(ByteBuffer first, int firstAt, ByteBuffer second, int secondAt);
}
