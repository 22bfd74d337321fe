// An engine for tests that are not about the network: the person is an ellipse in the middle, at once or after a while.

/** @type {any} */
const wishes = /** @type {any} */ (globalThis).stub ?? {};
const [WIDTH, HEIGHT] = [64, 64];

export class EngineError extends Error {
  name = "EngineError";
}

export class Engine {
  static async open(bytes, options) {
    if (new TextDecoder().decode(bytes.subarray(0, 3)) === "not")
      throw new EngineError(`${options.name} is not a model.`);
    const engine = new Engine();
    const contract = { conversion: { precision: "int8" } };
    engine.facts = {
      name: options.name,
      kind: "tflite",
      runtime: "stub",
      backend: "wasm",
      threads: 1,
      isolated: self.crossOriginIsolated,
      contract,
    };
    engine.runs = engine.resets = engine.underWay = engine.mostUnderWay = 0;
    /** @type {any} */ (globalThis).engine = engine;
    return engine;
  }

  async run(source, options = {}) {
    const { width, height } = source;
    source.close();
    this.runs++;
    this.resets += Number(options.reset === true);
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    await new Promise((resolve) => setTimeout(resolve, wishes.delay ?? 5));
    this.underWay--;
    if (wishes.broken) throw new EngineError("The engine ran out of memory. Choose a smaller model.");
    return {
      width,
      height,
      maskWidth: WIDTH,
      maskHeight: HEIGHT,
      ...ellipse(),
      bounds: { low: 0.05, high: 0.95 },
      times: { read: 1, resize: 1, network: 5, refine: 1 },
    };
  }

  async setPreset(name) {
    this.preset = name;
  }

  async reset() {}

  close() {
    this.closed = true;
  }
}

function ellipse() {
  const offset = new Float32Array(WIDTH * HEIGHT);
  for (let k = 0; k < offset.length; k++) {
    const [x, y] = [(k % WIDTH) / WIDTH - 0.5, Math.floor(k / WIDTH) / HEIGHT - 0.6];
    offset[k] = 255 * Math.min(1, Math.max(0, 8 * (0.4 - Math.hypot(1.6 * x, y))));
  }
  return { slope: new Float32Array(WIDTH * HEIGHT), offset };
}
