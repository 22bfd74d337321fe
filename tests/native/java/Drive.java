import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import segedge.Segedge;
import segedge.Segedge.Frame;

/**
 * Everything that Segedge.java does: pictures out of a folder, results into it, a line for each misuse; test_java.py compares.
 */
final class Drive {
  private static final int WIDTH = 320, HEIGHT = 179, CHROMA = 336; // of chroma: bytes from one row to the next

  private static Path folder;

  public static void main(String[] words) throws Exception {
    folder = Paths.get(words[0]);
    final Segedge.Options options = new Segedge.Options();
    options.litert = words[1];
    options.threads = 2;
    for (int k = 2; k < words.length; k++) masks(words[k], "model" + (k - 2), options);
    opened(Paths.get(words[2]), options);
    try (Segedge session = Segedge.openFile(words[2], options)) {
      formats(session);
      composites(session);
      shared(session);
      misuse(session, words[2], options);
    }
    say("end", Segedge.version());
  }

  private static void say(String key, Object... values) {
    System.out.println(key + "\t" + Arrays.toString(values).replace('\n', ' '));
  }

  private static ByteBuffer read(String name) throws IOException { return direct(Files.readAllBytes(folder.resolve(name))); }

  private static ByteBuffer direct(byte[] bytes) {
    final ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length + 8);
    buffer.position(5); // frames begin at the position
    buffer.put(bytes).flip().position(5);
    return buffer;
  }

  private static void write(String name, ByteBuffer buffer) throws IOException {
    final byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    Files.write(folder.resolve(name), bytes);
  }

  private static void write(String name, float[] mask) throws IOException {
    final ByteBuffer bytes = ByteBuffer.allocate(4 * mask.length).order(ByteOrder.nativeOrder());
    bytes.asFloatBuffer().put(mask);
    write(name, bytes);
  }

  private static Frame bgr(String name) throws IOException {
    return new Frame(Segedge.BGR, WIDTH, HEIGHT, read(name), 3 * WIDTH);
  }

  private static ByteBuffer alpha(Segedge session, Frame frame, int preset) {
    final ByteBuffer alpha = ByteBuffer.allocateDirect(WIDTH * HEIGHT);
    session.alpha(frame, preset, alpha);
    return alpha;
  }

  private static void masks(String model, String name, Segedge.Options options) throws IOException {
    try (Segedge session = Segedge.openFile(model, options)) {
      final Segedge.Info info = session.describe();
      say(name + ".info", info.inputWidth, info.inputHeight, info.outputWidth, info.outputHeight, info.threads, info.threshold);
      Files.write(folder.resolve(name + ".contract"), info.contract.getBytes("UTF-8"));
      final Segedge.Result result = session.selfTest();
      say(name + ".test", result.same, result.altered, result.pictures, result.leastIou, result.leastIouPytorch,
          result.meanDifference);
      write(name + ".mask", session.mask(bgr("photo.bgr")));
      final ByteBuffer out = ByteBuffer.allocateDirect(4 * (WIDTH * HEIGHT + 3)).order(ByteOrder.nativeOrder());
      session.mask(bgr("photo.bgr"), (FloatBuffer) out.asFloatBuffer().position(3));
      out.position(12);
      write(name + ".direct", out);
      for (int k = 0; k < 4; k++) write(name + ".balanced" + k, alpha(session, bgr("moved" + k + ".bgr"), Segedge.BALANCED));
      session.reset();
      write(name + ".reset", alpha(session, bgr("moved3.bgr"), Segedge.BALANCED));
      write(name + ".fast", alpha(session, bgr("moved3.bgr"), Segedge.FAST));
    }
  }

  private static void opened(Path model, Segedge.Options options) throws IOException {
    final byte[] bytes = Files.readAllBytes(model);
    final Segedge.Options soft = new Segedge.Options();
    soft.litert = options.litert;
    soft.feather = 6;
    soft.contract = new String(Files.readAllBytes(folder.resolve("contract.json")), "UTF-8");
    try (Segedge heap = Segedge.openBuffer(ByteBuffer.wrap(bytes).asReadOnlyBuffer(), options);
         Segedge mapped = Segedge.openBuffer(direct(bytes), soft)) {
      write("heap.mask", heap.mask(bgr("photo.bgr")));
      write("feather.fast", alpha(mapped, bgr("photo.bgr"), Segedge.FAST));
      Files.write(folder.resolve("given.contract"), mapped.describe().contract.getBytes("UTF-8"));
    }
  }

  private static ByteBuffer part(ByteBuffer buffer, int from, int to) {
    final ByteBuffer view = buffer.duplicate();
    view.limit(buffer.position() + to).position(buffer.position() + from);
    return view.slice();
  }

  private static void formats(Segedge session) throws IOException {
    write("rgb.mask", session.mask(new Frame(Segedge.RGB, WIDTH, HEIGHT, read("photo.rgb"), 3 * WIDTH)));
    write("rgba.mask", session.mask(new Frame(Segedge.RGBA, WIDTH, HEIGHT, read("photo.rgba"), 4 * WIDTH + 16)));
    write("bgra.mask", session.mask(new Frame(Segedge.BGRA, WIDTH, HEIGHT, read("photo.bgra"), 4 * WIDTH + 16)));
    final ByteBuffer y = read("y");
    for (int flags : new int[] {0, Segedge.FULL_RANGE, Segedge.FULL_RANGE | Segedge.BT709}) {
      final ByteBuffer uv = read("uv"), vu = read("vu"), u = read("u"), v = read("v");
      final int last = uv.remaining() - 1;
      final ByteBuffer[] planes = {y, uv}, turned = {y, vu}, apart = {y, u, v};
      write("nv12." + flags, session.mask(new Frame(Segedge.NV12 | flags, WIDTH, HEIGHT, planes, WIDTH, CHROMA)));
      write("nv21." + flags, session.mask(new Frame(Segedge.NV21 | flags, WIDTH, HEIGHT, turned, WIDTH, CHROMA)));
      write("i420." + flags, session.mask(new Frame(Segedge.I420 | flags, WIDTH, HEIGHT, apart, WIDTH, CHROMA, CHROMA)));
      // as Android gives them: two views of one memory, each without the other's last byte
      write("nv12.android." + flags,
          session.mask(Frame.ofYuv420(flags, WIDTH, HEIGHT, y, WIDTH, part(uv, 0, last), part(uv, 1, last + 1), CHROMA, 2)));
      write("nv21.android." + flags,
          session.mask(Frame.ofYuv420(flags, WIDTH, HEIGHT, y, WIDTH, part(vu, 1, last + 1), part(vu, 0, last), CHROMA, 2)));
      write("i420.android." + flags, session.mask(Frame.ofYuv420(flags, WIDTH, HEIGHT, y, WIDTH, u, v, CHROMA, 1)));
    }
  }

  private static void composites(Segedge session) throws IOException {
    final Frame frame = bgr("photo.bgr");
    final ByteBuffer alpha = read("alpha"), pixels = read("photo.bgr");
    final ByteBuffer out = ByteBuffer.allocateDirect(4 * WIDTH * HEIGHT);
    session.composite(frame, alpha, new Frame(Segedge.BGR, 100, 90, read("behind.bgr"), 300),
        new Frame(Segedge.BGRA, WIDTH, HEIGHT, out, 4 * WIDTH));
    write("behind.bgra", out);
    final Frame here = new Frame(Segedge.BGR, WIDTH, HEIGHT, pixels, 3 * WIDTH);
    session.composite(here, alpha, 0xff0ac81e, here);
    write("colour.bgr", pixels);
  }

  private static void shared(Segedge session) throws Exception {
    final float[] wanted = session.mask(bgr("photo.bgr"));
    final ExecutorService pool = Executors.newFixedThreadPool(4);
    int same = 0;
    final Future<?>[] masks = new Future<?>[ 20 ];
    for (int k = 0; k < masks.length; k++) masks[k] = pool.submit(() -> session.mask(bgr("photo.bgr")));
    for (Future<?> mask : masks) same += Arrays.equals((float[]) mask.get(), wanted) ? 1 : 0;
    pool.shutdown();
    say("shared", same);
  }

  private interface Try {
    void run() throws IOException;
  }

  private static void wrong(String name, Try what) throws IOException {
    try {
      what.run();
      say("wrong." + name, "nothing");
    } catch (Segedge.Failure failure) {
      say("wrong." + name, failure.status, failure.getMessage());
    }
  }

  private static void misuse(Segedge session, String model, Segedge.Options options) throws IOException {
    final int size = 3 * WIDTH * HEIGHT;
    final Frame frame = bgr("photo.bgr");
    final ByteBuffer good = ByteBuffer.allocateDirect(size), heap = ByteBuffer.allocate(size);
    final ByteBuffer shut = good.asReadOnlyBuffer(), small = ByteBuffer.allocateDirect(WIDTH * HEIGHT - 1);
    wrong("frame.null", () -> session.mask(null));
    wrong("frame.heap", () -> new Frame(Segedge.BGR, WIDTH, HEIGHT, heap, 3 * WIDTH));
    wrong("frame.none", () -> new Frame(Segedge.BGR, WIDTH, HEIGHT, (ByteBuffer) null, 3 * WIDTH));
    wrong("frame.small", () -> new Frame(Segedge.BGR, WIDTH, HEIGHT + 1, good, 3 * WIDTH));
    wrong("frame.written", () -> new Frame(Segedge.BGR, WIDTH, HEIGHT, (ByteBuffer) good.duplicate().position(1), 3 * WIDTH));
    wrong("frame.stride", () -> new Frame(Segedge.RGBA, WIDTH, 1, good, 4 * WIDTH - 1));
    wrong("frame.backwards", () -> new Frame(Segedge.BGR, WIDTH, HEIGHT, good, -3 * WIDTH));
    wrong("frame.huge", () -> new Frame(Segedge.BGR, 32769, 1, good, 3 * 32769));
    wrong("frame.empty", () -> new Frame(Segedge.BGR, 0, 1, good, 3));
    wrong("frame.long", () -> new Frame(Segedge.BGR, WIDTH, 32768, good, Integer.MAX_VALUE));
    wrong("frame.format", () -> new Frame(7, WIDTH, HEIGHT, good, 3 * WIDTH));
    wrong("frame.negative", () -> new Frame(-1, WIDTH, HEIGHT, good, 3 * WIDTH));
    wrong("frame.flag", () -> session.mask(new Frame(0x400, WIDTH, HEIGHT, good, 3 * WIDTH)));
    wrong("frame.planes", () -> new Frame(Segedge.NV12, WIDTH, HEIGHT, good, 3 * WIDTH));
    wrong("frame.noPlanes", () -> new Frame(Segedge.NV12, WIDTH, HEIGHT, (ByteBuffer[]) null, WIDTH, WIDTH));
    wrong("yuv.apart", () -> Frame.ofYuv420(0, 4, 4, good, 4, part(good, 0, 9), part(good, 9, 18), 4, 2));
    wrong("yuv.step", () -> Frame.ofYuv420(0, 4, 4, good, 4, part(good, 0, 9), part(good, 1, 10), 4, 4));
    wrong("yuv.short", () -> Frame.ofYuv420(0, 4, 4, good, 4, part(good, 0, 6), part(good, 1, 7), 4, 2));
    wrong("yuv.heap", () -> Frame.ofYuv420(0, 4, 4, good, 4, heap, heap, 4, 2));
    wrong("mask.order", () -> session.mask(frame, good.duplicate().asFloatBuffer()));
    wrong("mask.heap", () -> session.mask(frame, FloatBuffer.allocate(size)));
    wrong("mask.null", () -> session.mask(frame, null));
    wrong("mask.small", () -> session.mask(frame, small.order(ByteOrder.nativeOrder()).asFloatBuffer()));
    wrong("alpha.heap", () -> session.alpha(frame, Segedge.FAST, heap));
    wrong("alpha.null", () -> session.alpha(frame, Segedge.FAST, null));
    wrong("alpha.small", () -> session.alpha(frame, Segedge.FAST, small));
    wrong("alpha.shut", () -> session.alpha(frame, Segedge.FAST, shut));
    wrong("alpha.preset", () -> session.alpha(frame, 2, good));
    wrong("alpha.overlap", () -> session.alpha(new Frame(Segedge.BGR, WIDTH, HEIGHT, good, 3 * WIDTH), Segedge.FAST, good));
    wrong("out.size", () -> session.composite(frame, good, 0, new Frame(Segedge.BGR, WIDTH, 1, good, 3 * WIDTH)));
    wrong("out.shut", () -> session.composite(frame, good, 0, new Frame(Segedge.BGR, WIDTH, HEIGHT, shut, 3 * WIDTH)));
    wrong("out.null", () -> session.composite(frame, good, 0, null));
    wrong("out.background", () -> session.composite(frame, good, null, bgr("photo.bgr")));
    final ByteBuffer[] three = {good, good, good};
    wrong("out.format", () -> session.composite(frame, good, 0, new Frame(Segedge.I420, WIDTH, HEIGHT, three, 320, 160, 160)));
    wrong("open.null", () -> Segedge.openFile(null, options));
    wrong("open.empty", () -> Segedge.openBuffer(ByteBuffer.allocateDirect(0), options));
    wrong("open.missing", () -> Segedge.openFile("/no/\ud83d\ude00/ä.tflite", options));
    wrong("open.zero", () -> Segedge.openFile(model + "\0x", options));
    wrong("open.noise", () -> Segedge.openBuffer(ByteBuffer.wrap(new byte[1000]), options));
    final Segedge.Options other = new Segedge.Options();
    other.litert = "/no/libLiteRt.so";
    wrong("open.litert", () -> Segedge.openFile(model, other));
    other.litert = options.litert;
    other.threads = -1;
    wrong("open.threads", () -> Segedge.openFile(model, other));
    other.threads = 0;
    other.contract = "{\"format\": \"\ud83d\ude00\"}";
    wrong("open.contract", () -> Segedge.openFile(model, other));
    final Segedge closed = Segedge.openFile(model, options);
    closed.close();
    closed.close();
    wrong("closed.mask", () -> closed.mask(frame));
    wrong("closed.alpha", () -> closed.alpha(frame, Segedge.FAST, good));
    wrong("closed.reset", closed::reset);
    wrong("closed.composite", () -> closed.composite(frame, good, 0, bgr("photo.bgr")));
    wrong("closed.describe", closed::describe);
    wrong("closed.selfTest", closed::selfTest);
  }
}
