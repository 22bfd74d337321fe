// Two levels: below the first nobody, above the second the person, a smooth step between (segruntime/refine/bounds.py).

import { roundEven } from "../engine/fit.js";

/** 0 up to `low`, 1 from `high`, 3t² - 2t³ between. */
export function smoothstep(x, low, high) {
  const t = Math.min(1, Math.max(0, (x - low) / (high - low)));
  return t * t * (3 - 2 * t);
}

/** What each alpha of 0–255 becomes. */
export function boundsTable({ low, high }) {
  return Uint8Array.from({ length: 256 }, (_, byte) => roundEven(255 * smoothstep(byte / 255, low, high)));
}
