// The background out of focus, without the person: `segruntime.compositing.blur` in shaders.
// At reduced size the person is cut out and the hole filled from what is around it (pull-push: Gortler et al., The Lumigraph, 1996).

const FULL_STRENGTH = 0.05; // sigma as a share of the height, at strength 1
const RIM_SIGMA = 0.01;
const SMALLEST_SIGMA = 1.25; // after the reduction: with less, the squares of the bilinear upsampling show
const LARGEST_HEIGHT = 200;
const LEAST = { rgba32f: 1e-24, rgba16f: 1e-4, rgba8: 1 / 255 }; // what the format can tell from nothing

/** By how much to reduce, a power of two. */
export function reduction(sigma, height) {
  let factor = 1;
  while (sigma / (2 * factor) >= SMALLEST_SIGMA || height / factor > LARGEST_HEIGHT) factor *= 2;
  return factor;
}

export class BlurBehind {
  /** @param {import("./context.js").Gl} gl */
  constructor(gl) {
    this.gl = gl;
    /** @type {Record<string, any>} */
    this.planes = {};
    this.weighted = [];
    this.filled = [];
  }

  /**
   * What is behind the person, out of focus, as a small plane to be scaled up with linear sampling.
   * @param frame rgba8 plane
   * @param alpha r8 plane of the same size
   * @param {number} strength 0 to 1
   */
  behind(frame, alpha, strength) {
    const sigma = FULL_STRENGTH * strength * frame.height;
    const factor = reduction(sigma, frame.height);
    const small = this.reduced("small", frame, alpha, factor);
    return this.soft("behind", this.withoutPerson(small), sigma / factor);
  }

  /** Alpha out of focus, in the fourth channel: how far the light of the background reaches inwards. */
  rim(frame, alpha) {
    const sigma = RIM_SIGMA * frame.height;
    const factor = reduction(sigma, frame.height);
    return this.soft("rim", this.reduced("rimSmall", frame, alpha, factor), sigma / factor);
  }

  reduced(name, frame, alpha, factor) {
    const [width, height] = [Math.ceil(frame.width / factor), Math.ceil(frame.height / factor)];
    this.planes[name] = this.gl.plane(this.planes[name], width, height, "rgba8");
    this.gl.run("REDUCE", this.planes[name], { frame, alpha, factor });
    return this.planes[name];
  }

  withoutPerson(small) {
    const { gl } = this;
    const format = gl.deepest;
    const sizes = [[small.width, small.height]];
    while (Math.max(...sizes.at(-1)) > 1) sizes.push(sizes.at(-1).map((side) => Math.ceil(side / 2)));
    this.weighted = fitted(gl, this.weighted, sizes, format);
    this.filled = fitted(gl, this.filled, sizes, format);
    gl.run("SHARE", this.weighted[0], { small, least: LEAST[format] });
    for (let k = 1; k < sizes.length; k++) gl.run("PULL", this.weighted[k], { fine: this.weighted[k - 1] });
    let coarse = this.weighted.at(-1);
    for (let k = sizes.length - 2; k >= 0; k--) {
      gl.run("PUSH", this.filled[k], { fine: this.weighted[k], coarse });
      coarse = this.filled[k];
    }
    return coarse;
  }

  soft(name, plane, sigma) {
    const { gl } = this;
    // the reduction and the upsampling blur as well, together about a quarter of a pixel's square
    const left = Math.sqrt(Math.max(sigma * sigma - 0.25, 0.01));
    const { planes } = this;
    const between = `${name}Between`;
    planes[between] = gl.plane(planes[between], plane.width, plane.height, "rgba8");
    planes[name] = gl.plane(planes[name], plane.width, plane.height, "rgba8", true);
    gl.run("GAUSS", planes[between], { plane, direction: { ints: [1, 0] }, sigma: left });
    gl.run("GAUSS", planes[name], { plane: planes[between], direction: { ints: [0, 1] }, sigma: left });
    return planes[name];
  }
}

function fitted(gl, planes, sizes, format) {
  for (const plane of planes.slice(sizes.length)) gl.drop(plane);
  return sizes.map(([width, height], k) => gl.plane(planes[k], width, height, format));
}
