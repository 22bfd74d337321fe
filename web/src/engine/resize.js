// The resizes of docs/contract.md on bytes and on floats. Bytes are the same as OpenCV's to the bit.

import { roundEven } from "./fit.js";

/**
 * For each of `count` pixels the source pixel before it, the one after it, and that one's weight in 256ths.
 * The step is 1 / (count / source): with source / count a weight halfway between two 256ths may fall to the other side.
 */
function twoPixels(count, source) {
  const step = 1 / (count / source);
  const [before, after, weight] = [new Int32Array(count), new Int32Array(count), new Int32Array(count)];
  for (let k = 0; k < count; k++) {
    const at = (k + 0.5) * step - 0.5;
    const down = Math.floor(at);
    const inside = down >= 0 && down < source - 1;
    before[k] = Math.min(Math.max(down, 0), source - 1);
    after[k] = Math.min(before[k] + 1, source - 1);
    weight[k] = inside ? roundEven(256 * (at - down)) : 0;
  }
  return { before, after, weight };
}

/**
 * Bilinear with half-pixel centres in fixed point: rows with 8 bits of fraction, columns likewise, rounded once at the end.
 * @param {ArrayLike<number>} source bytes, `channels` of every `stride` values of a pixel are read
 * @returns {Uint8Array} (toHeight, toWidth, channels)
 */
export function bilinearBytes(source, height, width, toHeight, toWidth, channels = 1, stride = channels) {
  const x = twoPixels(toWidth, width);
  const y = twoPixels(toHeight, height);
  const out = new Uint8Array(toHeight * toWidth * channels);
  const rows = [new Int32Array(toWidth * channels), new Int32Array(toWidth * channels)];
  const held = [-1, -1];
  const row = (index) => {
    const slot = index & 1;
    if (held[slot] === index) return rows[slot];
    held[slot] = index;
    const [line, target] = [index * width * stride, rows[slot]];
    for (let k = 0, at = 0; k < toWidth; k++) {
      const [left, right, w] = [line + x.before[k] * stride, line + x.after[k] * stride, x.weight[k]];
      for (let c = 0; c < channels; c++) target[at++] = (256 - w) * source[left + c] + w * source[right + c];
    }
    return target;
  };
  for (let k = 0, at = 0; k < toHeight; k++) {
    const [above, below, w] = [row(y.before[k]), row(y.after[k]), y.weight[k]];
    for (let c = 0; c < above.length; c++) out[at++] = ((256 - w) * above[c] + w * below[c] + 32768) >>> 16;
  }
  return out;
}

/** The nearest pixel by its centre in 16 bits of fixed point, as OpenCV's INTER_NEAREST_EXACT. */
export function nearestBytes(source, height, width, toHeight, toWidth, channels = 1, stride = channels) {
  const out = new Uint8Array(toHeight * toWidth * channels);
  const [rows, columns] = [nearest(toHeight, height), nearest(toWidth, width)];
  for (let y = 0, at = 0; y < toHeight; y++) {
    for (let x = 0; x < toWidth; x++) {
      const from = (rows[y] * width + columns[x]) * stride;
      for (let c = 0; c < channels; c++) out[at++] = source[from + c];
    }
  }
  return out;
}

function nearest(count, source) {
  const step = Math.floor((source * 65536 + (count >> 1)) / count);
  const start = (step >> 1) - (source % 2);
  return Int32Array.from({ length: count }, (_, k) => Math.min(source - 1, Math.floor((step * k + start) / 65536)));
}

/** Bilinear with half-pixel centres; float32 in and out. */
export function bilinearFloats(source, height, width, toHeight, toWidth) {
  if (height === toHeight && width === toWidth) return Float32Array.from(source);
  const x = halves(toWidth, width);
  const y = halves(toHeight, height);
  const out = new Float32Array(toHeight * toWidth);
  for (let k = 0, at = 0; k < toHeight; k++) {
    const [above, below, v] = [y.before[k] * width, y.after[k] * width, y.weight[k]];
    for (let c = 0; c < toWidth; c++) {
      const [left, right, w] = [x.before[c], x.after[c], x.weight[c]];
      const upper = source[above + left] * (1 - w) + source[above + right] * w;
      const lower = source[below + left] * (1 - w) + source[below + right] * w;
      out[at++] = upper * (1 - v) + lower * v;
    }
  }
  return out;
}

function halves(count, source) {
  const [before, after, weight] = [new Int32Array(count), new Int32Array(count), new Float32Array(count)];
  for (let k = 0; k < count; k++) {
    const at = (k + 0.5) * (source / count) - 0.5;
    const down = Math.floor(at);
    before[k] = Math.min(Math.max(down, 0), source - 1);
    after[k] = Math.min(before[k] + 1, source - 1);
    weight[k] = down >= 0 && down < source - 1 ? at - down : 0;
  }
  return { before, after, weight };
}

/**
 * The mean of what each pixel covers, for sizes down; what comes out is not rounded.
 * @returns {Float32Array}
 */
export function areaMeans(source, height, width, toHeight, toWidth, channels = 1, stride = channels) {
  const [xs, ys] = [covers(toWidth, width), covers(toHeight, height)];
  const out = new Float32Array(toHeight * toWidth * channels);
  const line = new Float64Array(toWidth * channels);
  for (let k = 0; k < toHeight; k++) {
    line.fill(0);
    for (const [row, v] of ys[k]) {
      for (let j = 0; j < toWidth; j++) {
        for (const [column, w] of xs[j]) {
          const from = (row * width + column) * stride;
          for (let c = 0; c < channels; c++) line[j * channels + c] += v * w * source[from + c];
        }
      }
    }
    out.set(line, k * line.length);
  }
  return out;
}

function covers(count, source) {
  const scale = source / count;
  return Array.from({ length: count }, (_, k) => {
    const [from, to] = [k * scale, Math.min((k + 1) * scale, source)];
    const shares = [];
    for (let at = Math.floor(from); at < to - 1e-9; at++)
      shares.push([at, (Math.min(at + 1, to) - Math.max(at, from)) / (to - from)]);
    return shares;
  });
}

/** `areaMeans` of bytes, rounded to bytes. */
export function areaBytes(...parts) {
  return Uint8Array.from(/** @type {any} */ (areaMeans)(...parts), roundEven);
}
