// Frame → input tensor, as segruntime.preprocess does it.

import { EngineError } from "./errors.js";
import { fitRegion, roundEven } from "./fit.js";
import { areaBytes, bilinearBytes, nearestBytes } from "./resize.js";

export const ARRAYS = {
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
};
const LIMITS = { int8: [-128, 127], uint8: [0, 255], int16: [-32768, 32767] };

/**
 * What each byte becomes in the tensor, one table for each channel in the order of `color`:
 * `real = low + b / 255 * (high - low)`, then `(real - mean) / std`, then for integers `round(real / scale) + zero_point`.
 * @param {import("./contract.js").InputSpec} spec
 */
export function byteTables(spec) {
  const [low, high] = spec.range;
  const Kind = ARRAYS[spec.dtype];
  return [0, 1, 2].map((channel) => {
    const [mean, std] = [spec.mean?.[channel] ?? 0, spec.std?.[channel] ?? 1];
    return Kind.from({ length: 256 }, (_, byte) => {
      const real = (low + (byte / 255) * (high - low) - mean) / std;
      if (spec.scale === undefined) return real;
      const [least, most] = LIMITS[spec.dtype];
      return Math.min(most, Math.max(least, roundEven(real / spec.scale) + spec.zeroPoint));
    });
  });
}

export class Preprocessor {
  /** @param {import("./contract.js").InputSpec} spec */
  constructor(spec) {
    this.spec = spec;
    this.tables = byteTables(spec);
    this.tensor = null; // made for the first frame: by then the interpreter has said that the model is as large as its contract
  }

  /**
   * @param {{data: Uint8ClampedArray, width: number, height: number}} frame RGBA, as getImageData gives it
   * @returns {InstanceType<typeof ARRAYS[keyof typeof ARRAYS]>} valid until the next call
   */
  run(frame) {
    const { spec, tables } = this;
    const tensor = (this.tensor ??= new ARRAYS[spec.dtype](spec.width * spec.height * 3));
    const region = fitRegion(spec, frame.height, frame.width);
    const rgb = resized(frame, region, spec.interpolation);
    const plane = spec.width * spec.height;
    const full = region.width === spec.width && region.height === spec.height;
    if (!full) for (let c = 0; c < 3; c++) this.fill(c, tables[c][0]); // beside a letterbox's picture lies byte 0
    for (let c = 0; c < 3; c++) {
      const [table, from] = [tables[c], spec.color === "rgb" ? c : 2 - c];
      const [step, start] = spec.layout === "NHWC" ? [3, c] : [1, c * plane];
      for (let y = 0, at = from; y < region.height; y++) {
        let to = start + ((region.top + y) * spec.width + region.left) * step;
        for (let x = 0; x < region.width; x++, at += 3, to += step) tensor[to] = table[rgb[at]];
      }
    }
    return tensor;
  }

  fill(channel, value) {
    const plane = this.spec.width * this.spec.height;
    if (this.spec.layout === "NCHW") this.tensor.fill(value, channel * plane, (channel + 1) * plane);
    else for (let at = channel; at < this.tensor.length; at += 3) this.tensor[at] = value;
  }
}

function resized(frame, region, interpolation) {
  const sizes = /** @type {const} */ ([frame.height, frame.width, region.height, region.width, 3, 4]);
  if (interpolation === "bilinear") return bilinearBytes(frame.data, ...sizes);
  if (interpolation === "nearest") return nearestBytes(frame.data, ...sizes);
  if (region.height <= frame.height && region.width <= frame.width) return areaBytes(frame.data, ...sizes);
  throw new EngineError(
    `This model asks for an area average, which only makes pictures smaller, and the frame has ${frame.width}x${frame.height}. Choose a larger picture.`,
  );
}
