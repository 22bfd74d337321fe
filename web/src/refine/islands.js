// Small islands taken out of a soft mask, the rest left as soft as it was (segruntime/refine/islands.py).

const SKIRT = 3;

/**
 * @param {Float32Array} mask (height, width), 0–1
 * @returns {Float32Array} the argument itself where nothing goes
 */
export function withoutIslands(mask, height, width, { level, minArea }) {
  const { labels, areas } = components(mask, height, width, level);
  const least = minArea * mask.length;
  if (areas.every((area, label) => label === 0 || area >= least)) return mask;
  const keep = Uint8Array.from(labels, (label) => Number(label > 0 && areas[label] >= least));
  const gone = Uint8Array.from(labels, (label, k) => Number(label > 0 && !keep[k]));
  const [skirt, safe] = [grown(gone, height, width), grown(keep, height, width)];
  return mask.map((value, k) => (gone[k] || (skirt[k] && !safe[k]) ? 0 : value));
}

/** What hangs together above the level, diagonals too: labels from 1, and the pixels of each. */
function components(mask, height, width, level) {
  const labels = new Int32Array(mask.length);
  const areas = [0];
  const stack = [];
  for (let start = 0; start < mask.length; start++) {
    if (labels[start] || !(mask[start] > level)) continue;
    const label = areas.push(0) - 1;
    labels[start] = label;
    for (stack.push(start); stack.length;) {
      const at = stack.pop();
      areas[label]++;
      const [x, y] = [at % width, Math.floor(at / width)];
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          const next = v * width + u;
          if (labels[next] || !(mask[next] > level)) continue;
          labels[next] = label;
          stack.push(next);
        }
      }
    }
  }
  return { labels, areas };
}

function grown(plane, height, width) {
  const across = plane.map((_, k) => {
    const [x, line] = [k % width, k - (k % width)];
    for (let u = Math.max(0, x - SKIRT); u <= Math.min(width - 1, x + SKIRT); u++) if (plane[line + u]) return 1;
    return 0;
  });
  return across.map((_, k) => {
    const y = Math.floor(k / width);
    for (let v = Math.max(0, y - SKIRT); v <= Math.min(height - 1, y + SKIRT); v++)
      if (across[v * width + (k % width)]) return 1;
    return 0;
  });
}
