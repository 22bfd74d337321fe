// Means over a square window, by running sums; the edge is repeated or mirrored as OpenCV's border types do.

/**
 * @param {ArrayLike<number>} plane (height, width)
 * @param {number} radius of the window of 2 · radius + 1 pixels a side
 * @param {"reflect" | "replicate"} border
 * @returns {Float64Array}
 */
export function boxMean(plane, height, width, radius, border) {
  const columns = taps(width, radius, border);
  const rows = taps(height, radius, border);
  const across = new Float64Array(height * width);
  for (let y = 0; y < height; y++) {
    const line = y * width;
    let sum = 0;
    for (let k = 0; k <= 2 * radius; k++) sum += plane[line + columns[k]];
    across[line] = sum;
    for (let x = 1; x < width; x++)
      across[line + x] = sum += plane[line + columns[x + 2 * radius]] - plane[line + columns[x - 1]];
  }
  return downwards(across, height, width, radius, rows);
}

function downwards(across, height, width, radius, rows) {
  const out = new Float64Array(height * width);
  const sums = new Float64Array(width);
  const scale = 1 / (2 * radius + 1) ** 2;
  for (let k = 0; k <= 2 * radius; k++) for (let x = 0; x < width; x++) sums[x] += across[rows[k] * width + x];
  for (let y = 0; ; y++) {
    for (let x = 0; x < width; x++) out[y * width + x] = sums[x] * scale;
    if (y === height - 1) return out;
    const [enters, leaves] = [rows[y + 1 + 2 * radius] * width, rows[y] * width];
    for (let x = 0; x < width; x++) sums[x] += across[enters + x] - across[leaves + x];
  }
}

/** The pixel behind each place from -radius to count - 1 + radius. */
function taps(count, radius, border) {
  return Int32Array.from({ length: count + 2 * radius }, (_, k) => {
    let at = k - radius;
    if (border === "replicate") return Math.min(Math.max(at, 0), count - 1);
    while (at < 0 || at >= count) at = at < 0 ? -1 - at : 2 * count - 1 - at;
    return at;
  });
}
