// The vectors that segexport wrote, as typed arrays.

import { readFileSync } from "node:fs";
import path from "node:path";

import { FIXTURES } from "./harness.mjs";

const ARRAYS = { float32: Float32Array, uint8: Uint8Array, int8: Int8Array };

/** Every model of the folders of vectors: its bytes, frames, stream and tolerances. */
export function models() {
  return ["export/vectors", "letterbox_vectors", "of_segformer/vectors", "of_fpn/vectors"].flatMap((folder) => {
    const { models } = JSON.parse(readFileSync(path.join(FIXTURES, folder, "index.json"), "utf8"));
    return models.map((model) => ({ ...model, vectors: folder, path: path.join(FIXTURES, folder, "..", model.file) }));
  });
}

/** One step's array of a frame. */
export function values(model, frame, step) {
  return read(model.vectors, frame.arrays[step]);
}

/** The sequence that only the strongest chain was run on: frames with an array each for frame, coarse and best. */
export function bestSequence() {
  return JSON.parse(readFileSync(path.join(FIXTURES, "best/index.json"), "utf8"));
}

export function read(folder, { file, dtype }) {
  const bytes = readFileSync(path.join(FIXTURES, folder, file));
  return new ARRAYS[dtype](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** A frame's pixels as getImageData gives them: RGBA. */
export function rgba(model, frame) {
  return { data: withAlpha(values(model, frame, "frame")), width: frame.width, height: frame.height };
}

/** RGB → RGBA, opaque. */
export function withAlpha(rgb) {
  const data = new Uint8ClampedArray((rgb.length / 3) * 4).fill(255);
  for (let k = 0; k < rgb.length / 3; k++) for (let c = 0; c < 3; c++) data[4 * k + c] = rgb[3 * k + c];
  return data;
}

/** Largest absolute difference. */
export function largest(a, b) {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let k = 0; k < a.length; k++)
    most = Math.max(most, Math.abs(a[k] - b[k]) || 0, Number.isNaN(a[k]) ? Infinity : 0);
  return most;
}

/** Mean absolute difference. */
export function mean(a, b) {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += Math.abs(a[k] - b[k]);
  return a.length === b.length ? sum / a.length : Infinity;
}

/** The share of values that differ by at most `most`. */
export function share(a, b, most) {
  let near = 0;
  for (let k = 0; k < a.length; k++) near += Number(Math.abs(a[k] - b[k]) <= most);
  return a.length === b.length ? near / a.length : 0;
}

/** Intersection over union of two soft masks at a threshold; 1 where both are empty. */
export function maskIou(a, b, threshold = 0.5) {
  let [both, either] = [0, 0];
  for (let k = 0; k < a.length; k++) {
    const [p, q] = [a[k] >= threshold, b[k] >= threshold];
    both += Number(p && q);
    either += Number(p || q);
  }
  return either ? both / either : 1;
}
