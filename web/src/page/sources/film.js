// A video file: plays with its sound, in a loop.

import { PageError } from "../errors.js";
import { firstFrame, moving } from "./moving.js";

const PATIENCE_MS = 15000;

/**
 * @param {Blob} blob
 * @param {string} name
 * @returns {Promise<import("./still.js").Source & {video: HTMLVideoElement, watch: (onFrame: () => void) => () => void}>}
 */
export async function openFilm(blob, name) {
  const video = Object.assign(document.createElement("video"), { playsInline: true, loop: true, preload: "auto" });
  const url = URL.createObjectURL(blob);
  const close = () => {
    video.pause();
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(url);
  };
  try {
    video.src = url;
    await Promise.race([firstFrame(video), new Promise((_, reject) => setTimeout(reject, PATIENCE_MS))]);
    if (!video.videoWidth) throw new Error("no picture in it");
  } catch (error) {
    close();
    throw new PageError(
      `This browser cannot decode the video ${name}: it is damaged, or its codec is missing here. Try an MP4 with H.264 or a WebM with VP9.`,
      { cause: error },
    );
  }
  return moving(video, { kind: "video", name, close });
}
