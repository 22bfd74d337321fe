// Where a frame lies in the tensor, and where that is in the output.

/** To the nearest whole number, halves to the even one, as Python and numpy round. */
export function roundEven(x) {
  const down = Math.floor(x);
  const rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down;
}

/**
 * Left, top, width, height in pixels of the tensor: `stretch` fills it, `letterbox` centres.
 * @param {import("./contract.js").InputSpec} spec
 */
export function fitRegion(spec, height, width) {
  if (spec.resize === "stretch") return { left: 0, top: 0, width: spec.width, height: spec.height };
  const scale = Math.min(spec.width / width, spec.height / height);
  const w = Math.min(spec.width, Math.max(1, roundEven(width * scale)));
  const h = Math.min(spec.height, Math.max(1, roundEven(height * scale)));
  return { left: Math.floor((spec.width - w) / 2), top: Math.floor((spec.height - h) / 2), width: w, height: h };
}

/** The same region in the pixels of an output of another size. */
export function regionOnOutput(region, { input, output }) {
  if (input.width === output.width && input.height === output.height) return region;
  const [x, y] = [output.width / input.width, output.height / input.height];
  const width = Math.max(1, roundEven(region.width * x));
  const height = Math.max(1, roundEven(region.height * y));
  return {
    left: Math.min(roundEven(region.left * x), output.width - width),
    top: Math.min(roundEven(region.top * y), output.height - height),
    width,
    height,
  };
}
