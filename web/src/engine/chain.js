// In the worker: frame → tensor → network → probability → coefficients for the GPU.

import { Refiner, scaledTo } from "../refine/refiner.js";
import { chooseAccelerator } from "./choose.js";
import { fitRegion, regionOnOutput } from "./fit.js";
import { Postprocessor, cropped } from "./postprocess.js";
import { Preprocessor } from "./preprocess.js";
import { bilinearFloats } from "./resize.js";
import { withinUnit } from "./unit.js";

export class Chain {
  /**
   * @param {(bytes: Uint8Array, contract: any, options: any) => Promise<any>} open
   * @param {{bytes: Uint8Array, contract: any, backend: any, threads: number, preset: any}} options
   */
  static async open(open, { bytes, contract, backend, threads, preset }) {
    const [pre, post] = [new Preprocessor(contract.input), new Postprocessor(contract.output)];
    const sample = () => pre.run(ramp(contract.input)).slice();
    const probability = (output) => post.probability(output);
    const { model, note } = await chooseAccelerator(
      (accelerator) => open(bytes, contract, { accelerator, threads }),
      backend,
      sample,
      probability,
    );
    await model.run(sample()); // the first run compiles
    return new Chain({ contract, pre, post, model, facts: { ...model.facts, note }, refiner: new Refiner(preset) });
  }

  constructor(parts) {
    Object.assign(this, parts);
  }

  setPreset(name) {
    this.refiner = new Refiner(name);
  }

  reset() {
    this.refiner.reset();
  }

  /** A frame's coefficients, at most of the frame's size, and how long each step took. */
  async run(source) {
    const clock = stopwatch();
    const frame = pixels(source);
    const read = clock();
    const tensor = this.pre.run(frame);
    const resize = clock();
    const output = await this.model.run(tensor);
    const network = clock();
    const found = this.refiner.coefficients(...this.coarse(this.post.probability(output), frame), frame);
    const mask = fitting(found, frame);
    const times = { read, resize, network, refine: clock() };
    return { width: frame.width, height: frame.height, ...mask, times };
  }

  /** Every step of one frame, without memory: for holding a port against segruntime's vectors. */
  async steps(frame) {
    const input = this.pre.run(frame).slice();
    const output = await this.model.run(input.slice());
    const probability = this.post.probability(output);
    const [map, height, width] = this.coarse(probability, frame);
    return { input, output, probability, alpha: bilinearFloats(map, height, width, frame.height, frame.width) };
  }

  /** The chain on one frame of a sequence, and its alpha as bytes, computed on the CPU. */
  async refined(frame) {
    const probability = this.post.probability(await this.model.run(this.pre.run(frame)));
    return Refiner.alpha(frame, this.refiner.coefficients(...this.coarse(probability, frame), frame));
  }

  /** @returns {[Float32Array, number, number]} the mask without a letterbox's border and with NaN as 0, its height and width */
  coarse(probability, frame) {
    const region = regionOnOutput(fitRegion(this.contract.input, frame.height, frame.width), this.contract);
    const map = cropped(probability, this.contract.output.width, region);
    return [map.map(withinUnit), region.height, region.width];
  }

  close() {
    this.model.close();
  }
}

/** Where the frame is smaller than the mask the average is taken here: the GPU interpolates only. */
function fitting(found, frame) {
  const { slope, offset, maskHeight, maskWidth } = found;
  if (frame.height >= maskHeight || frame.width >= maskWidth) return found;
  const [a, b] = [slope, offset].map((plane) => scaledTo(plane, maskHeight, maskWidth, frame));
  return { ...found, slope: a, offset: b, maskHeight: frame.height, maskWidth: frame.width };
}

let canvas = null;

/** The pixels of a picture, RGBA. */
function pixels(source) {
  if (source instanceof ImageData) return source;
  const width = source.displayWidth ?? source.width;
  const height = source.displayHeight ?? source.height;
  if (canvas?.width !== width || canvas?.height !== height) canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.globalCompositeOperation = "copy"; // else the frame before shines through a transparent one
  context.drawImage(source, 0, 0);
  source.close();
  return context.getImageData(0, 0, width, height);
}

/** A picture that no person is in, for the first runs. */
function ramp({ width, height }) {
  return {
    width,
    height,
    data: Uint8ClampedArray.from({ length: 4 * width * height }, (_, k) => (k % 4 === 3 ? 255 : (k >> 2) % 256)),
  };
}

function stopwatch() {
  let last = performance.now();
  return () => {
    const before = last;
    last = performance.now();
    return last - before;
  };
}
