// A .tflite file on LiteRT.js. Runs in a classic worker: LiteRT.js loads its code with importScripts.

import { Tensor, loadAndCompile, loadLiteRt, supportsFeature } from "@litertjs/core";

import { EngineError } from "./errors.js";

const FOLDER = new URL("./", self.location.href).href;
const said = [];

/**
 * @param {Uint8Array} bytes
 * @param {import("./contract.js").Contract} contract
 * @param {{accelerator: "wasm" | "webgpu", threads: number}} options
 */
export async function openTflite(bytes, contract, { accelerator, threads }) {
  refuseUnknownTensors(contract);
  const many = await start(threads, accelerator);
  const used = many ? threads : 1;
  try {
    const model = await loadAndCompile(bytes, { accelerator, ...(many ? { cpuOptions: { numThreads: used } } : {}) });
    if (accelerator === "webgpu" && !model.isFullyAccelerated) throw new Error("not every operator runs on WebGPU");
    return new TfliteModel(model, contract, {
      runtime: "LiteRT.js",
      backend: accelerator,
      threads: accelerator === "wasm" ? used : 1,
    });
  } catch (error) {
    throw error instanceof EngineError
      ? error
      : new EngineError(
          `LiteRT.js cannot run this model: ${lastWords(error)}. Export it again, or choose another one.`,
          { cause: error },
        );
  }
}

class TfliteModel {
  constructor(model, contract, facts) {
    [this.model, this.facts] = [model, facts];
    const [inputs, outputs] = [model.getInputDetails(), model.getOutputDetails()];
    if (inputs.length !== 1 || outputs.length !== 1)
      throw new EngineError(
        `This model has ${inputs.length} inputs and ${outputs.length} outputs, expected one image in and one mask out.`,
      );
    this.shape = [...inputs[0].shape];
    check("input", inputs[0], contract.input, 3);
    check("output", outputs[0], contract.output, contract.output.meaning === "classes" ? 1 : contract.output.channels);
  }

  /** @returns {Promise<any>} the output's values, a copy */
  async run(values) {
    const host = new Tensor(values, this.shape);
    const input = this.facts.backend === "webgpu" ? await host.moveTo("webgpu") : host;
    const outputs = await this.model.run(input);
    try {
      return (await outputs[0].data()).slice();
    } finally {
      input.delete();
      for (const output of outputs) output.delete();
    }
  }

  close() {
    this.model.delete();
  }
}

/** Loads the interpreter; returns whether it has threads. A folder, so that LiteRT.js takes the build that this browser can run. */
async function start(threads, accelerator) {
  const many = threads > 1 && self.crossOriginIsolated && (await has("threads")) && (await has("relaxedSimd"));
  if (start.loaded === undefined) {
    if (accelerator === "wasm" && !(await navigator.gpu?.requestAdapter().catch(() => null))) {
      // LiteRT.js asks for an adapter itself and complains where there is none
      Object.defineProperty(navigator, "gpu", { value: undefined, configurable: true });
    }
    const main = `${FOLDER}litert_wasm_${many ? "threaded_" : ""}internal.js`;
    // the threads of the interpreter load this script; without the name they would load this worker
    self.Module = { locateFile: (file) => FOLDER + file, mainScriptUrlOrBlob: main, print: listen, printErr: listen };
    await loadLiteRt(FOLDER, { threads: many });
    start.loaded = many;
  }
  return start.loaded;
}
/** @type {boolean | undefined} */
start.loaded = undefined;

async function has(feature) {
  return supportsFeature(feature).catch(() => false);
}

/** LiteRT writes notes to the error console; they are kept for the case that something fails. */
function listen(line) {
  said.push(String(line));
  if (said.length > 20) said.shift();
}

function lastWords(error) {
  const line = said.findLast((one) => /^ERROR|\bfail/i.test(one));
  return line ? line.replace(/^ERROR:\s*(\[[^\]]*\]\s*)?/, "") : String(error?.message ?? error).split("\n")[0];
}

function refuseUnknownTensors({ input, output }) {
  for (const [which, { dtype }] of /** @type {const} */ ([
    ["input", input],
    ["output", output],
  ])) {
    if (["float32", "uint8", "int32"].includes(dtype)) continue;
    throw new EngineError(
      `This model's ${which} is ${dtype}, and LiteRT.js takes float32 and uint8 only. Export it again with a newer segexport, whose int8 files have uint8 at both ends, or choose the float32 file.`,
    );
  }
}

function check(which, details, spec, channels) {
  const shape =
    spec.layout === "NHWC" ? [1, spec.height, spec.width, channels] : [1, channels, spec.height, spec.width];
  const fits =
    details.dtype === spec.dtype && details.shape.length === 4 && shape.every((side, k) => side === details.shape[k]);
  if (!fits)
    throw new EngineError(
      `The model's ${which} is ${[...details.shape].join("x")} ${details.dtype}, its contract says ${shape.join("x")} ${spec.dtype}. The contract belongs to another model.`,
    );
}
