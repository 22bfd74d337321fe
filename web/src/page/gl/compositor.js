// Puts the person before the background, on the graphics processor.

import { boundsTable } from "../../refine/bounds.js";
import { BlurBehind } from "./blur.js";
import { Gl } from "./context.js";

const UNBOUNDED = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const KINDS = { original: 0, colour: 1, picture: 2, transparent: 3, straight: 4, blur: 5 };

/**
 * @typedef {{kind: "original"|"colour"|"picture"|"transparent"|"blur", colour: number[], picture: ImageBitmap|null, blur: number}} Background
 * @typedef {{split: number, mirror: boolean, wrap: number}} View
 * @typedef {{width: number, height: number, maskWidth: number, maskHeight: number, slope: Float32Array, offset: Float32Array,
 *   bounds: {low: number, high: number}|null}} Mask
 */

export class GlCompositor {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => void} onLost the graphics processor was taken away
   * @param {() => void} onBack it is there again, and every picture has to be given again
   */
  constructor(canvas, onLost = () => {}, onBack = () => {}) {
    this.canvas = canvas;
    const context = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false });
    if (!context) throw new Error("this browser gives no WebGL 2");
    this.context = context;
    this.kind = "WebGL 2";
    this.begin();
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      onLost();
    });
    canvas.addEventListener("webglcontextrestored", () => {
      this.begin();
      onBack();
    });
  }

  begin() {
    this.gl = new Gl(this.context);
    this.blur = new BlurBehind(this.gl);
    this.nothing = this.gl.plane(undefined, 1, 1, "rgba8");
    this.largest = Math.min(this.context.getParameter(this.context.MAX_TEXTURE_SIZE), 8192);
    /** @type {any} */ (this).shown = this.waiting = this.spare = this.alpha = undefined;
    this.slope = this.offset = this.table = this.saved = this.backdrop = undefined;
    this.backdropOf = null;
  }

  get lost() {
    return this.context.isContextLost();
  }

  /** Take a frame whose mask is not there yet. @param {ImageBitmap} picture */
  upload(picture) {
    this.waiting = this.gl.plane(this.waiting ?? this.spare, picture.width, picture.height, "rgba8");
    this.spare = undefined;
    this.gl.fillPicture(this.waiting, picture);
  }

  /** The mask of the frame that was uploaded last: from now on that one is shown. @param {Mask} mask */
  accept(mask) {
    const { gl } = this;
    if (!this.waiting || this.lost) return;
    [this.shown, this.waiting, this.spare] = [this.waiting, undefined, this.shown];
    const { width, height } = this.shown;
    this.slope = gl.plane(this.slope, mask.maskWidth, mask.maskHeight, "r32f");
    this.offset = gl.plane(this.offset, mask.maskWidth, mask.maskHeight, "r32f");
    this.table = gl.plane(this.table, 256, 1, "r8");
    this.alpha = gl.plane(this.alpha, width, height, "r8");
    gl.fill(this.slope, mask.slope);
    gl.fill(this.offset, mask.offset);
    gl.fill(this.table, mask.bounds ? boundsTable(mask.bounds) : UNBOUNDED);
    const { shown: frame, slope, offset, table } = this;
    gl.run("ALPHA", this.alpha, { frame, slope, offset, table, size: { ints: [width, height] } });
  }

  /** Show it. @param {Background} background @param {View} view */
  draw(background, view) {
    if (!this.shown || this.lost) return;
    const { width, height } = this.shown;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.gl.run("COMPOSITE", null, this.inputs(background, view, KINDS[background.kind], true));
  }

  /**
   * The result at full size, without the divider, for a file: transparent where the background is.
   * @param {Background} background @param {View} view
   * @returns {ImageData|null}
   */
  read(background, view) {
    if (!this.shown || this.lost) return null;
    const { width, height } = this.shown;
    const kind = background.kind === "transparent" ? KINDS.straight : KINDS[background.kind];
    this.saved = this.gl.plane(this.saved, width, height, "rgba8");
    this.gl.run("COMPOSITE", this.saved, this.inputs(background, { ...view, split: 0 }, kind, false));
    return new ImageData(this.gl.read(this.saved), width, height);
  }

  inputs(background, view, kind, upsidedown) {
    const { shown: frame, alpha, nothing } = this;
    const behind = this.behind(background);
    const rim = view.wrap > 0 ? this.blur.rim(frame, alpha) : nothing;
    return {
      frame,
      alpha,
      behind,
      rim,
      kind,
      upsidedown,
      ...view,
      colour: { floats: background.colour.map((byte) => byte / 255) },
      cover: { floats: covering(behind, frame) },
      light: Math.log2(0.05 * Math.min(behind.width, behind.height) + 1),
    };
  }

  behind(background) {
    if (background.kind === "blur") return this.blur.behind(this.shown, this.alpha, background.blur);
    if (background.kind !== "picture" || !background.picture) return this.nothing;
    if (this.backdropOf !== background.picture) {
      if (this.backdrop) this.gl.drop(this.backdrop);
      this.backdrop = this.gl.mipmapped(background.picture);
      this.backdropOf = background.picture;
    }
    return this.backdrop;
  }
}

/** Scale and start of the part of the backdrop that covers the frame: its middle, the aspect ratio kept. */
export function covering(backdrop, frame) {
  const scale = Math.max(frame.width / backdrop.width, frame.height / backdrop.height);
  const [x, y] = [frame.width / scale / backdrop.width, frame.height / scale / backdrop.height];
  return [x, y, (1 - x) / 2, (1 - y) / 2];
}
