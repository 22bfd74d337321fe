// The mask as a linear function of the luma around each pixel: He & Sun, "Fast Guided Filter", arXiv:1505.00996, 2015.

import { boxMean } from "./box.js";

/**
 * `alpha = slope · luma + offset`, both 0–255.
 * @param {Float32Array} mask (height, width), 0–1
 * @param {Uint8Array} luma at the same size
 * @returns {{slope: Float32Array, offset: Float32Array}}
 */
export function guidedCoefficients(mask, luma, height, width, { radius, eps }) {
  const mean = (plane) => boxMean(plane, height, width, radius, "reflect");
  const count = mask.length;
  const [products, squares, bytes] = [new Float32Array(count), new Float32Array(count), new Float32Array(count)];
  for (let k = 0; k < count; k++) {
    bytes[k] = mask[k] * 255;
    products[k] = bytes[k] * luma[k];
    squares[k] = luma[k] * luma[k];
  }
  const [meanLuma, meanAlpha, slope, square] = [mean(luma), mean(bytes), mean(products), mean(squares)];
  const floor = eps * 255 * 255;
  for (let k = 0; k < count; k++) {
    slope[k] = (slope[k] - meanLuma[k] * meanAlpha[k]) / (square[k] - meanLuma[k] * meanLuma[k] + floor);
    meanAlpha[k] -= slope[k] * meanLuma[k];
  }
  return { slope: Float32Array.from(mean(slope)), offset: Float32Array.from(mean(meanAlpha)) };
}
