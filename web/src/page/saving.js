// The two buttons that make files.

import { PageError } from "./errors.js";
import { place } from "./place.js";
import { canRecord, Recording, savePicture } from "./save.js";

/** @param {{view: any, source: () => any, say: (text: string) => void, fail: (error: any) => void}} parts */
export function followSaving({ view, source, say, fail }) {
  let recording = null;
  const [save, record] = [place("save"), place("record")];
  const base = () =>
    `${(source()?.name ?? "picture").replace(/\.[^.]+$/, "").replace(/[^\p{L}\p{N} _-]/gu, "") || "picture"}-${view.background.kind}`;

  save.addEventListener("click", async () => {
    try {
      const pixels = view.pixels();
      if (!pixels)
        throw new PageError("There is no picture to save yet. Open one, or wait until the graphics processor is back.");
      await savePicture(pixels, base());
      say(`Saved ${base()}.png, ${pixels.width}×${pixels.height}.`);
    } catch (error) {
      fail(error);
    }
  });
  record.addEventListener("click", () => (recording ? stop() : start()));

  function start() {
    try {
      recording = new Recording(view.canvas, source()?.kind === "video" ? source().video : null);
    } catch (error) {
      return fail(new PageError(`The browser does not record here: ${error.message}.`, { cause: error }));
    }
    record.textContent = "Stop recording";
    record.setAttribute("aria-pressed", "true");
    say("Recording what is shown.");
  }

  async function stop() {
    const [done, name] = [recording, base()];
    recording = null;
    record.textContent = "Record video";
    record.removeAttribute("aria-pressed");
    try {
      await done.finish(name);
      say(`Saved the recording ${name}.`);
    } catch (error) {
      fail(error);
    }
  }

  return {
    /** There is something on the screen. */
    ready() {
      save.disabled = false;
      record.disabled = !canRecord() || !source()?.live;
    },
    /** Another source follows. */
    stop() {
      if (recording) stop();
      record.disabled = true;
    },
    /** @param {boolean} hidden */
    pause(hidden) {
      if (recording) recording.recorder[hidden ? "pause" : "resume"]();
    },
  };
}
