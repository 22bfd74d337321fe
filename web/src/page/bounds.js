// The two levels of `segruntime.refine.bounds`: below the first nobody, above the second the person, a smooth step between.

/**
 * What each alpha of 0–255 becomes.
 * @param {{low: number, high: number}|null} bounds 0 ≤ low < high ≤ 1; null changes nothing
 * @returns {Uint8Array} 256 bytes
 */
export function boundsTable(bounds) {
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    if (!bounds) return byte;
    const t = Math.min(1, Math.max(0, (byte / 255 - bounds.low) / (bounds.high - bounds.low)));
    return Math.round(255 * t * t * (3 - 2 * t));
  });
}
