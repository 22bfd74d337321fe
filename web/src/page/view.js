// What is shown and how: the choices of background, divider and mirror, and the canvas they go to.

import { FlatCompositor } from "./flat_compositor.js";
import { GlCompositor } from "./gl/compositor.js";
import { drawLandscape } from "./landscape.js";
import { chosen, onChoice, onFiles, place } from "./place.js";
import { decoded } from "./sources/still.js";

const NAMES = {
  blur: "blurred background",
  colour: "one colour behind",
  picture: "another picture behind",
  transparent: "no background",
  original: "the original",
};

export class View {
  /** @param {{say: (text: string) => void, fail: (error: any) => void, lost: (text: string) => void, restored: () => void}} react */
  constructor(react) {
    this.react = react;
    this.canvas = place("canvas");
    this.background = {
      kind: chosen("background"),
      colour: rgb(place("colour").value),
      picture: null,
      blur: place("blur").value / 100,
    };
    this.look = { split: 0, mirror: false, wrap: place("wrap").value / 100 };
    this.compositor = this.opened();
    this.queued = false;
    this.followBackground();
    this.followDivider();
  }

  opened() {
    try {
      const lost = () =>
        this.react.lost(
          "The graphics processor was taken away from this page. It is drawn again as soon as the system gives it back.",
        );
      return new GlCompositor(this.canvas, lost, () => this.react.restored());
    } catch (error) {
      this.slow = `No WebGL 2 here (${error.message}): the picture is put together on the processor, which is slower.`;
      return new FlatCompositor(unused(this.canvas));
    }
  }

  /** Draw it now. @param {string} [what] name of the source */
  draw() {
    this.compositor.draw(this.background, this.look);
    place("empty").hidden = true;
    place("stage").classList.add("showing");
    place("split").disabled = false;
    const { width, height } = this.canvas;
    place("stage").style.setProperty("--ratio", String(width / height));
  }

  /** Draw it before the next repaint; many wishes, one drawing. */
  soon() {
    if (this.queued || place("empty").hidden === false) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      this.draw();
    });
  }

  /** What a screen reader says of the canvas. @param {string} source */
  describe(source) {
    this.canvas.setAttribute("aria-label", `${source}, ${NAMES[this.background.kind]}`);
  }

  /** @returns {ImageData|null} */
  pixels() {
    return this.compositor.read(this.background, this.look);
  }

  setMirror(mirror) {
    this.look.mirror = mirror;
    this.soon();
  }

  followBackground() {
    const { background, look } = this;
    onChoice("background", async (kind) => {
      for (const option of document.querySelectorAll("[data-for]")) option.hidden = option.dataset.for !== kind;
      if (kind === "picture") background.picture ??= await drawLandscape();
      background.kind = kind;
      this.soon();
    });
    place("blur").addEventListener("input", (event) => this.change(background, "blur", event.target.value / 100));
    place("wrap").addEventListener("input", (event) => this.change(look, "wrap", event.target.value / 100));
    place("colour").addEventListener("input", (event) => this.change(background, "colour", rgb(event.target.value)));
    onFiles("backdrop", "backdrop-file", ([file]) => this.setBackdrop(file).catch(this.react.fail));
  }

  async setBackdrop(file) {
    const { bitmap, note } = await decoded(file, file.name, this.compositor.largest);
    place("backdrop-name").textContent = file.name;
    if (note) this.react.say(note);
    this.change(this.background, "picture", bitmap);
  }

  change(where, key, value) {
    where[key] = value;
    this.soon();
  }

  followDivider() {
    const slider = place("split");
    const set = (percent) => {
      slider.value = percent;
      slider.setAttribute("aria-valuetext", `${Math.round(percent)} % as it was`);
      place("stage").style.setProperty("--split", String(percent / 100));
      place("divider").hidden = Number(percent) === 0;
      this.change(this.look, "split", percent / 100);
    };
    set(slider.value);
    slider.addEventListener("input", () => set(Number(slider.value)));
    const drag = (event) => {
      if (event.buttons && !slider.disabled) set(100 * this.across(event.clientX));
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      drag(event);
    });
    this.canvas.addEventListener("pointermove", drag);
  }

  /** Where on the picture, 0 to 1 from its left edge; the canvas may have bars beside it. */
  across(x) {
    const box = this.canvas.getBoundingClientRect();
    const wide = Math.min(box.width, (box.height * this.canvas.width) / this.canvas.height);
    return Math.min(1, Math.max(0, (x - box.left - (box.width - wide) / 2) / wide));
  }
}

/** A canvas that was asked for WebGL in vain may not give 2D: a copy of it takes its place. */
function unused(canvas) {
  const copy = canvas.cloneNode();
  canvas.replaceWith(copy);
  return copy;
}

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}
