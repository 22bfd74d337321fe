// The compositor for browsers without WebGL 2: a 2D canvas, slower, without the light of the background.

import { Refiner } from "../refine/refiner.js";
import { covering } from "./gl/compositor.js";

const SMALL = 160; // pixels of the blurred background's longer side

export class FlatCompositor {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.kind = "2D canvas";
    this.lost = false;
    this.largest = 4096;
    this.frame = this.person = this.waiting = null;
  }

  /** @param {ImageBitmap} picture */
  upload(picture) {
    this.waiting = sheet(picture.width, picture.height);
    this.waiting.drawImage(picture, 0, 0);
  }

  /** @param {import("../gl/compositor.js").Mask} mask */
  accept(mask) {
    if (!this.waiting) return;
    [this.frame, this.waiting] = [this.waiting, null];
    const { width, height } = this.frame.canvas;
    const cut = this.frame.getImageData(0, 0, width, height);
    const alpha = Refiner.alpha(cut, mask);
    for (let k = 0; k < alpha.length; k++) cut.data[4 * k + 3] = alpha[k];
    this.person = sheet(width, height);
    this.person.putImageData(cut, 0, 0);
  }

  draw(background, view) {
    if (!this.frame) return;
    const { width, height } = this.frame.canvas;
    Object.assign(this.canvas, { width, height });
    const screen = this.canvas.getContext("2d");
    if (background.kind === "transparent") checkers(screen);
    this.paint(screen, background, view);
    const seen = Math.round(view.split * width);
    if (!seen) return;
    screen.save();
    screen.beginPath();
    screen.rect(0, 0, seen, height);
    screen.clip();
    turned(screen, view.mirror, () => screen.drawImage(this.frame.canvas, 0, 0));
    screen.restore();
  }

  read(background, view) {
    if (!this.frame) return null;
    const { width, height } = this.frame.canvas;
    const copy = sheet(width, height);
    this.paint(copy, background, view);
    return copy.getImageData(0, 0, width, height);
  }

  paint(target, background, view) {
    const { width, height } = this.frame.canvas;
    if (background.kind === "colour") {
      target.fillStyle = `rgb(${background.colour.join(" ")})`;
      target.fillRect(0, 0, width, height);
    }
    if (background.kind === "picture" && background.picture) {
      const { picture } = background;
      const [w, h, x, y] = covering(picture, { width, height });
      const [fw, fh] = [picture.width, picture.height];
      target.drawImage(picture, x * fw, y * fh, w * fw, h * fh, 0, 0, width, height);
    }
    turned(target, view.mirror, () => {
      if (background.kind === "blur") target.drawImage(this.blurred(background.blur), 0, 0, width, height);
      target.drawImage(background.kind === "original" ? this.frame.canvas : this.person.canvas, 0, 0);
    });
  }

  /** Without the person: what is transparent is filled from ever wider blurs of the rest. */
  blurred(strength) {
    const { width, height } = this.frame.canvas;
    const scale = Math.min(1, SMALL / Math.max(width, height));
    const [w, h] = [Math.ceil(width * scale), Math.ceil(height * scale)];
    const hole = sheet(w, h);
    hole.drawImage(this.frame.canvas, 0, 0, w, h);
    hole.globalCompositeOperation = "destination-out";
    for (let k = 0; k < 4; k++) hole.drawImage(this.person.canvas, 0, 0, w, h);
    const filled = sheet(w, h);
    filled.globalCompositeOperation = "destination-over";
    const own = Math.max(1, 0.05 * strength * h);
    for (let sigma = own; sigma < 4 * SMALL; sigma *= 2) {
      filled.filter = `blur(${sigma}px)`;
      for (let k = 0; k < 3; k++) filled.drawImage(hole.canvas, 0, 0);
    }
    return filled.canvas;
  }
}

function sheet(width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  return canvas.getContext("2d", { willReadFrequently: true });
}

function turned(target, mirror, paint) {
  target.save();
  if (mirror) target.setTransform(-1, 0, 0, 1, target.canvas.width, 0);
  paint();
  target.restore();
}

function checkers(target) {
  const { width, height } = target.canvas;
  const side = Math.max(width, height) / 40;
  target.fillStyle = "#fff";
  target.fillRect(0, 0, width, height);
  target.fillStyle = "#ccc";
  for (let y = 0; y * side < height; y++)
    for (let x = y % 2; x * side < width; x += 2) target.fillRect(x * side, y * side, side, side);
}
