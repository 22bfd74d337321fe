// Files for the user: a picture as PNG, what is seen as a video.

import { PageError } from "./errors.js";

const KINDS = ["video/mp4;codecs=avc1", "video/webm;codecs=vp9", "video/webm"];

/** @param {ImageData} pixels @param {string} name */
export async function savePicture(pixels, name) {
  const canvas = Object.assign(document.createElement("canvas"), { width: pixels.width, height: pixels.height });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new PageError("The browser could not write the picture: it may be too large for its memory.");
  download(blob, `${name}.png`);
}

/** Whether this browser can record at all. */
export function canRecord() {
  return (
    "MediaRecorder" in self &&
    "captureStream" in HTMLCanvasElement.prototype &&
    KINDS.some((kind) => MediaRecorder.isTypeSupported(kind))
  );
}

export class Recording {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLVideoElement|null} video whose sound is recorded with it
   */
  constructor(canvas, video) {
    const stream = canvas.captureStream();
    const sound =
      video && !video.muted && "captureStream" in video
        ? /** @type {any} */ (video).captureStream().getAudioTracks()
        : [];
    for (const track of sound) stream.addTrack(track);
    const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
    this.recorder = new MediaRecorder(stream, {
      mimeType: sound.length ? mimeType.split(";")[0] : mimeType,
      videoBitsPerSecond: 6e6,
    });
    this.parts = [];
    this.recorder.addEventListener("dataavailable", (event) => event.data.size && this.parts.push(event.data));
    this.recorder.start(1000);
  }

  /** End it and give the file. @param {string} name */
  async finish(name) {
    const { recorder } = this;
    await new Promise((resolve) => {
      recorder.addEventListener("stop", resolve, { once: true });
      recorder.stop();
    });
    if (!this.parts.length) throw new PageError("Nothing was recorded: no frame was shown between start and stop.");
    const kind = recorder.mimeType.split(";")[0];
    download(new Blob(this.parts, { type: kind }), `${name}.${kind === "video/mp4" ? "mp4" : "webm"}`);
  }
}

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
