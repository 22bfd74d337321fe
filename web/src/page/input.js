// The ways in which a picture, a video or the camera comes to the page.

import { PageError } from "./errors.js";
import { onFiles, place } from "./place.js";
import { listCameras, openCamera } from "./sources/camera.js";
import { openFilm } from "./sources/film.js";
import { drawSample } from "./sources/sample.js";
import { openPicture, stillSource } from "./sources/still.js";

export class Input {
  /**
   * @param {{open: (making: () => Promise<any>) => void, close: () => void, fail: (error: any) => void, model: (files: File[]) => void, largest: () => number}} react
   *   `open` is given a function that makes the source, `model` files that look like one
   */
  constructor(react) {
    this.react = react;
    this.camera = null;
    onFiles("open", "file", (files) => this.files(files));
    place("sample").addEventListener("click", () =>
      react.open(async () => stillSource(await createImageBitmap(drawSample()), "Drawn picture")),
    );
    place("camera").addEventListener("click", () => (this.camera ? react.close() : this.startCamera("")));
    place("cameras").addEventListener("change", (event) => this.startCamera(event.target.value));
    addEventListener("paste", (event) => this.files([...(event.clipboardData?.files ?? [])]));
    this.followDrop();
  }

  /** A file the user opened, dropped or pasted. @param {File[]} files */
  files(files) {
    if (!files.length) return;
    if (files.some((file) => /\.(tflite|onnx)$/i.test(file.name))) return this.react.model(files);
    const [file] = files;
    this.react.open(() => {
      if (file.type.startsWith("video/") || /\.(mp4|webm|mov|m4v|mkv)$/i.test(file.name))
        return openFilm(file, file.name);
      if (file.type.startsWith("image/")) return openPicture(file, file.name, this.react.largest());
      throw new PageError(
        `${file.name} is neither a picture nor a video nor a model. Choose a JPEG, PNG, WebP, MP4, WebM, .tflite or .onnx.`,
      );
    });
  }

  startCamera(id) {
    this.react.open(() =>
      openCamera(id, () => {
        this.react.close();
        this.react.fail(new PageError("The camera was unplugged or taken away. Connect it and start it again."));
      }),
    );
  }

  /** Show the controls that belong to this source. */
  async shown(source) {
    this.camera = source?.kind === "camera" ? source : null;
    place("camera").textContent = this.camera ? "Stop camera" : "Start camera";
    place("transport").hidden = source?.kind !== "video";
    place("camera-options").hidden = !this.camera;
    place("still-options").hidden = Boolean(source?.live);
    if (!this.camera) return;
    const { id } = this.camera;
    const cameras = await listCameras();
    place("cameras").replaceChildren(
      ...cameras.map((camera) => new Option(camera.name, camera.id, false, camera.id === id)),
    );
  }

  followDrop() {
    let depth = 0;
    const show = (change) => {
      depth = Math.max(0, depth + change);
      place("drop").hidden = depth === 0;
    };
    addEventListener("dragenter", () => show(1));
    addEventListener("dragleave", () => show(-1));
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      show(-depth);
      this.files([...event.dataTransfer.files]);
    });
  }
}
