// Output tensor → person probability at the network's own size, as segruntime.postprocess does it.

const LARGEST = 1e38; // what an infinite logit counts as

export class Postprocessor {
  /** @param {import("./contract.js").OutputSpec} spec */
  constructor(spec) {
    this.spec = spec;
  }

  /**
   * @param {ArrayLike<number | bigint>} output the tensor's values in its own dtype
   * @returns {Float32Array} (height, width), 0–1; what is no number stays none, for those who compare accelerators
   */
  probability(output) {
    const { meaning, channels, personChannel } = this.spec;
    if (meaning === "classes") return this.map((pixel) => Number(Number(output[pixel]) === personChannel));
    if (meaning === "logits" && channels > 1)
      return this.map((pixel) =>
        softmax(
          Array.from({ length: channels }, (_, c) => this.real(output, pixel, c)),
          personChannel,
        ),
      );
    if (meaning === "logits")
      return this.map((pixel) => 0.5 * (1 + Math.tanh(0.5 * this.real(output, pixel, personChannel))));
    return this.map((pixel) => this.real(output, pixel, personChannel));
  }

  real(output, pixel, channel) {
    const { layout, channels, width, height, scale, zeroPoint } = this.spec;
    const value = Number(output[layout === "NHWC" ? pixel * channels + channel : channel * width * height + pixel]);
    return scale === undefined ? value : scale * (value - zeroPoint);
  }

  map(of) {
    const out = new Float32Array(this.spec.width * this.spec.height);
    for (let pixel = 0; pixel < out.length; pixel++) out[pixel] = Math.min(1, Math.max(0, of(pixel)));
    return out;
  }
}

function softmax(logits, channel) {
  const finite = logits.map((one) => Math.min(LARGEST, Math.max(-LARGEST, one))); // infinity less infinity would be no number
  const most = Math.max(...finite);
  const powers = finite.map((one) => Math.exp(one - most));
  return powers[channel] / powers.reduce((sum, one) => sum + one, 0);
}

/** The part of a map that a region covers. */
export function cropped(map, width, region) {
  if (region.width * region.height === map.length) return map;
  const out = new Float32Array(region.width * region.height);
  for (let y = 0; y < region.height; y++) {
    const from = (region.top + y) * width + region.left;
    out.set(map.subarray(from, from + region.width), y * region.width);
  }
  return out;
}
