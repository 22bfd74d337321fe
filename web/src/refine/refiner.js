// The chain for one stream of frames (segruntime/refine/refiner.py): its last step, applying the coefficients at full size, is the GPU's.

import { roundEven } from "../engine/fit.js";
import { areaMeans, bilinearBytes, bilinearFloats } from "../engine/resize.js";
import { withinUnit } from "../engine/unit.js";
import { boundsTable } from "./bounds.js";
import { guidedCoefficients } from "./guided.js";
import { withoutIslands } from "./islands.js";
import { halfSize, lumaOf, shrink } from "./luma.js";
import { PRESETS } from "./presets.js";
import { Memory } from "./temporal.js";

const BYTE_STEPS = Math.fround(256 / 255); // an 8-bit sigmoid calls its most certain pixels 255/256

export class Refiner {
  /** @param {keyof typeof PRESETS} name */
  constructor(name) {
    this.preset = PRESETS[name];
    this.memory = this.preset.temporal && new Memory(this.preset.temporal);
  }

  reset() {
    this.memory?.reset();
  }

  /**
   * `alpha = slope · luma + offset`, 0–255, before `bounds`; slope and offset are scaled up bilinearly to the frame.
   * @param {Float32Array} coarse (height, width), 0–1, without a letterbox's border; outside counts as the nearer end, NaN as 0
   * @param {{data: Uint8ClampedArray, width: number, height: number}} frame RGBA
   * @returns {{slope: Float32Array, offset: Float32Array, maskHeight: number, maskWidth: number, bounds: {low: number, high: number} | null}}
   */
  coefficients(coarse, height, width, frame) {
    const { islands, guided, bounds } = this.preset;
    let mask = coarse.map((p) => withinUnit(withinUnit(p) * BYTE_STEPS));
    const size = guided?.scale === "half" ? halfSize([frame.height, frame.width], [height, width]) : [height, width];
    const small = guided || this.memory ? shrink(lumaOf(frame), frame.height, frame.width, size[0], size[1]) : null;
    if (this.memory)
      mask = this.memory.blend(
        mask,
        shrink(small, size[0], size[1], height, width),
        height,
        width,
        `${frame.width}x${frame.height}`,
      );
    if (islands) mask = withoutIslands(mask, height, width, islands);
    if (!guided)
      return {
        slope: new Float32Array(mask.length),
        offset: mask.map((p) => roundEven(Math.fround(p * 255))),
        maskHeight: height,
        maskWidth: width,
        bounds,
      };
    const scaled = bilinearFloats(mask, height, width, size[0], size[1]);
    return {
      ...guidedCoefficients(scaled, small, size[0], size[1], guided),
      maskHeight: size[0],
      maskWidth: size[1],
      bounds,
    };
  }

  /**
   * What the GPU does with the engine's answer, here on the CPU: alpha at the frame's size.
   * @param {{data: Uint8ClampedArray, width: number, height: number}} frame RGBA
   * @param {{slope: Float32Array, offset: Float32Array, maskHeight: number, maskWidth: number, bounds: {low: number, high: number} | null}} mask
   * @returns {Uint8Array} width · height bytes
   */
  static alpha(frame, { slope, offset, maskHeight: height, maskWidth: width, bounds }) {
    const alpha = slope.some((value) => value !== 0)
      ? edges(slope, offset, height, width, frame)
      : plain(offset, height, width, frame);
    if (!bounds) return alpha;
    const table = boundsTable(bounds);
    return alpha.map((byte) => table[byte]);
  }
}

function edges(slope, offset, height, width, frame) {
  const luma = lumaOf(frame);
  const [a, b] = [slope, offset].map((plane) => scaledTo(plane, height, width, frame));
  return Uint8Array.from(luma, (value, k) => clamped(a[k] * value + b[k]));
}

function plain(offset, height, width, frame) {
  if (frame.height < height && frame.width < width)
    return Uint8Array.from(scaledTo(offset, height, width, frame), clamped);
  return bilinearBytes(offset, height, width, frame.height, frame.width);
}

/** Scaled as OpenCV does: bilinear, or an area average where both sides become smaller. */
export function scaledTo(plane, height, width, frame) {
  const smaller = frame.height < height && frame.width < width;
  return (smaller ? areaMeans : bilinearFloats)(plane, height, width, frame.height, frame.width);
}

function clamped(value) {
  return Math.min(255, Math.max(0, roundEven(value)));
}
