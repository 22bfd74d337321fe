// An .onnx file on onnxruntime-web. Its build with WebGPU is 27 MB and is loaded only where there is a GPU to use.

import { ARRAYS } from "./preprocess.js";
import { EngineError } from "./errors.js";

const FOLDER = new URL("./", self.location.href).href;

/**
 * @param {Uint8Array} bytes
 * @param {import("./contract.js").Contract} contract
 * @param {{accelerator: "wasm" | "webgpu", threads: number}} options
 */
export async function openOnnx(bytes, contract, { accelerator, threads }) {
  const ort = accelerator === "webgpu" ? await import("onnxruntime-web/webgpu") : await import("onnxruntime-web/wasm");
  const used = self.crossOriginIsolated && accelerator === "wasm" ? threads : 1;
  Object.assign(ort.env.wasm, { wasmPaths: FOLDER, numThreads: used });
  ort.env.logLevel = "error";
  try {
    const session = await ort.InferenceSession.create(bytes, {
      executionProviders: [accelerator],
      graphOptimizationLevel: "all",
    });
    return new OnnxModel(ort, session, contract, { runtime: "onnxruntime-web", backend: accelerator, threads: used });
  } catch (error) {
    throw error instanceof EngineError
      ? error
      : new EngineError(
          `onnxruntime-web cannot run this model: ${String(error?.message ?? error).split("\n")[0]}. Export it again, or choose another one.`,
          { cause: error },
        );
  }
}

class OnnxModel {
  constructor(ort, session, contract, facts) {
    Object.assign(this, { ort, session, facts, input: contract.input, output: contract.output });
    const { inputNames, outputNames } = session;
    if (inputNames.length !== 1 || outputNames.length !== 1)
      throw new EngineError(
        `This model has ${inputNames.length} inputs and ${outputNames.length} outputs, expected one image in and one mask out.`,
      );
    const { layout, height, width, dtype } = contract.input;
    this.shape = layout === "NHWC" ? [1, height, width, 3] : [1, 3, height, width];
    checkInput(session.inputMetadata[0], this.shape, dtype);
  }

  /** @returns {Promise<any>} the output's values, a copy */
  async run(values) {
    const feeds = { [this.session.inputNames[0]]: new this.ort.Tensor(this.input.dtype, values, this.shape) };
    const found = (await this.session.run(feeds))[this.session.outputNames[0]];
    const data = await found.getData();
    const { channels, meaning } = this.output;
    const expected = this.output.width * this.output.height * (meaning === "classes" ? 1 : channels);
    if (data.length !== expected || !(data instanceof ARRAYS[this.output.dtype])) {
      throw new EngineError(
        `The model gave ${found.dims.join("x")} ${found.type}, its contract says ${this.output.height}x${this.output.width}, ${channels} channels, ${this.output.dtype}. The contract belongs to another model.`,
      );
    }
    return data.slice();
  }

  close() {
    this.session.release();
  }
}

/** A side of the model's that is a name instead of a number takes any size. */
function checkInput(found, shape, dtype) {
  const sides = found.isTensor ? found.shape : [];
  const fits =
    found.isTensor &&
    found.type === dtype &&
    sides.length === 4 &&
    sides.every((side, k) => typeof side !== "number" || side < 0 || side === shape[k]);
  if (!fits)
    throw new EngineError(
      `The model's input is ${sides.join("x")} ${found.isTensor ? found.type : "no tensor"}, its contract says ${shape.join("x")} ${dtype}. The contract belongs to another model.`,
    );
}
