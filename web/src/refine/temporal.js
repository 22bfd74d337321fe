// Where the picture stands still, the past has a say; where it moves, it has none (segruntime/refine/temporal.py).

import { roundEven } from "../engine/fit.js";
import { smoothstep } from "./bounds.js";
import { boxMean } from "./box.js";

// the squared binary entropy as a polynomial in (p - 0.5)², as MediaPipe's SegmentationSmoothingCalculator has it
const COEFFICIENTS = [5.68842, -0.748699, -57.8051, 291.309, -624.717];
const STEPS_PER_LEVEL = 16;

export class Memory {
  constructor({ sure, unsure, still, moving }) {
    this.share = Float32Array.from({ length: 256 }, (_, k) => sure + (unsure - sure) * uncertainty(k / 255));
    this.stillness = Float32Array.from({ length: 256 }, (_, k) => 1 - smoothstep(k / STEPS_PER_LEVEL, still, moving));
    this.reset();
  }

  reset() {
    this.before = null;
  }

  /**
   * @param {Float32Array} mask (height, width), 0–1
   * @param {Uint8Array} luma at the same size
   * @param {string} frame the frame's size: another one starts anew
   */
  blend(mask, luma, height, width, frame) {
    const { before } = this;
    const known = before && before.mask.length === mask.length && before.frame === frame;
    const out = known ? this.mixed(mask, before.mask, motion(luma, before.luma, height, width)) : mask;
    this.before = { mask: out, luma: luma.slice(), frame };
    return out;
  }

  mixed(mask, previous, moved) {
    const out = new Float32Array(mask.length);
    for (let k = 0; k < out.length; k++) {
      const share = Math.fround(this.share[roundEven(Math.fround(mask[k] * 255))] * this.stillness[moved[k]]);
      out[k] = mask[k] + Math.fround(Math.fround(previous[k] - mask[k]) * share);
    }
    return out;
  }
}

function uncertainty(p) {
  const t = (p - 0.5) ** 2;
  const certainty = COEFFICIENTS.reduceRight((sum, coefficient) => t * (coefficient + sum), 0);
  return 1 - Math.min(1, Math.max(0, certainty));
}

/** Mean change in the 5x5 pixels around each, in sixteenths of a level, 255 for all above. */
function motion(luma, previous, height, width) {
  const steps = Uint8Array.from(luma, (value, k) => Math.min(255, STEPS_PER_LEVEL * Math.abs(value - previous[k])));
  return Uint8Array.from(boxMean(steps, height, width, 2, "replicate"), Math.round);
}
