// The engine as a page sees it: a model file in, coefficients of the mask out; the network runs in a worker.

import { NAME, parseContract } from "./contract.js";
import { EngineError } from "./errors.js";
import { modelKind, readText } from "./model_file.js";

export { EngineError };

const MOST_BYTES = 512e6;
const MOST_THREADS = 4;
const WORKERS = {
  tflite: (base) => new Worker(new URL("engine/tflite.js", base)),
  onnx: (base) => new Worker(new URL("engine/onnx.js", base), { type: "module" }),
};

export class Engine {
  /**
   * @param {Uint8Array} bytes a .tflite or .onnx file
   * @param {{name?: string, backend?: "auto" | "wasm" | "webgpu", threads?: "auto" | number, preset?: "fast" | "balanced" | "best",
   *   contract?: object, base?: string}} options `contract`: for a file of others; `base`: the folder of the built site
   * @returns {Promise<Engine>}
   * @throws {EngineError} a sentence: not a model, no contract or another one, a model that the interpreter does not run
   */
  static async open(
    bytes,
    { name = "model", backend = "auto", threads = "auto", preset = "balanced", contract, base = import.meta.url } = {},
  ) {
    if (bytes.length > MOST_BYTES)
      throw new EngineError(
        `${name} has ${Math.round(bytes.length / 1e6)} MB, this page opens at most ${MOST_BYTES / 1e6} MB.`,
      );
    const kind = modelKind(bytes);
    const known = parseContract(contract ?? (await contractOf(bytes, name)));
    const worker = await started(kind, base);
    const engine = new Engine(worker);
    try {
      const facts = await engine.ask({
        ask: "open",
        bytes,
        contract: known,
        backend,
        threads: threadsFor(threads),
        preset,
      });
      engine.facts = { name, kind, isolated: self.crossOriginIsolated, contract: known, ...facts };
      return engine;
    } catch (error) {
      engine.close();
      throw error;
    }
  }

  /** @param {Worker} worker */
  constructor(worker) {
    this.worker = worker;
    /** @type {any} what runs: name, kind, runtime, backend, threads, isolated, contract, and a note where something was not to be had */
    this.facts = null;
    this.waiting = new Map();
    this.last = 0;
    worker.onmessage = ({ data }) => this.answered(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.stop(
        `The network's worker stopped (${event.message ?? "no reason given"}). Choose a smaller model, or reload the page.`,
      );
    };
  }

  /**
   * The next frame of a stream. `alpha = clamp(round(slope · luma + offset))`, 0–255, both scaled up bilinearly, then `bounds`.
   * @param {ImageBitmap | VideoFrame | ImageData} source handed over: it cannot be used afterwards, unless it is ImageData
   * @param {{reset?: boolean}} options `reset`: forget the frame before
   * @returns {Promise<{width: number, height: number, maskWidth: number, maskHeight: number, slope: Float32Array, offset: Float32Array,
   *   bounds: {low: number, high: number} | null, times: {read: number, resize: number, network: number, refine: number}}>}
   */
  run(source, { reset = false } = {}) {
    return this.ask({ ask: "run", source, reset }, source instanceof ImageData ? [] : [/** @type {any} */ (source)]);
  }

  /** Input tensor, raw output, probability and alpha of one frame, as segruntime's vectors have them. */
  steps(frame) {
    return this.ask({ ask: "steps", frame });
  }

  /** Alpha of the next frame of a sequence after refinement, bytes, computed without the GPU. */
  refined(frame) {
    return this.ask({ ask: "refined", frame });
  }

  setPreset(name) {
    return this.ask({ ask: "preset", name });
  }

  reset() {
    return this.ask({ ask: "reset" });
  }

  close() {
    this.stop("The model was closed.");
  }

  /** @returns {Promise<any>} */
  ask(message, transfer = []) {
    if (!this.worker) return Promise.reject(new EngineError("The model was closed."));
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, ...message }, transfer);
    });
  }

  answered({ id, value, error }) {
    const { resolve, reject } = this.waiting.get(id) ?? {};
    this.waiting.delete(id);
    if (error === undefined) resolve?.(value);
    else reject?.(new EngineError(error));
  }

  stop(why) {
    this.worker?.terminate();
    this.worker = null;
    for (const { reject } of this.waiting.values()) reject(new EngineError(why));
    this.waiting.clear();
  }
}

async function contractOf(bytes, name) {
  const text = await readText(bytes, NAME);
  if (text !== null) return text;
  throw new EngineError(
    `${name} says nothing about its colours, range or output: it holds no contract. Export it with segexport, or choose its .contract.json together with it.`,
  );
}

async function started(kind, base) {
  try {
    return WORKERS[kind](base);
  } catch (error) {
    throw new EngineError(`This browser cannot start the network's worker: ${error.message}. Use a newer browser.`, {
      cause: error,
    });
  }
}

function threadsFor(wanted) {
  const most = Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1);
  return self.crossOriginIsolated
    ? Math.max(1, wanted === "auto" ? most : Math.min(wanted, navigator.hardwareConcurrency || 1))
    : 1;
}
