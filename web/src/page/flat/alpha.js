// Alpha and the composite on the processor: for browsers without WebGL 2, and to check the shaders against.

import { boundsTable } from "../bounds.js";

/**
 * The mask at the frame's size.
 * @param {ImageData} frame
 * @param {import("../gl/compositor.js").Mask} mask
 * @returns {Uint8ClampedArray} width · height bytes
 */
export function alphaOf(frame, mask) {
  const { width, height, data } = frame;
  const table = boundsTable(mask.bounds);
  const alpha = new Uint8ClampedArray(width * height);
  const columns = places(width, mask.maskWidth);
  const rows = places(height, mask.maskHeight);
  for (let y = 0, at = 0; y < height; y++) {
    const top = rows.low[y] * mask.maskWidth;
    const bottom = rows.high[y] * mask.maskWidth;
    for (let x = 0; x < width; x++, at++) {
      const [a, b, across, down] = [columns.low[x], columns.high[x], columns.share[x], rows.share[y]];
      const of = (plane) => {
        const upper = plane[top + a] + (plane[top + b] - plane[top + a]) * across;
        const lower = plane[bottom + a] + (plane[bottom + b] - plane[bottom + a]) * across;
        return upper + (lower - upper) * down;
      };
      const luma = (9798 * data[4 * at] + 19235 * data[4 * at + 1] + 3735 * data[4 * at + 2] + 16384) >> 15;
      const value = Math.round(of(mask.slope) * luma + of(mask.offset));
      alpha[at] = table[Math.min(255, Math.max(0, value))];
    }
  }
  return alpha;
}

/** cv2's INTER_LINEAR along one side: half-pixel centres, the edge repeated. */
function places(size, have) {
  const low = new Int32Array(size);
  const high = new Int32Array(size);
  const share = new Float32Array(size);
  for (let k = 0; k < size; k++) {
    const from = ((k + 0.5) * have) / size - 0.5;
    const whole = Math.floor(from);
    share[k] = from - whole;
    low[k] = Math.min(have - 1, Math.max(0, whole));
    high[k] = Math.min(have - 1, Math.max(0, whole + 1));
  }
  return { low, high, share };
}
