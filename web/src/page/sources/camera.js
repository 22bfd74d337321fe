// The webcam: asking for it, its list, and a sentence for each way in which it is not given.

import { PageError } from "../errors.js";
import { firstFrame, moving } from "./moving.js";

const REASONS = {
  NotAllowedError:
    "The camera was refused. Allow it for this page in the browser's settings, mostly a sign beside the address, and start it again.",
  NotFoundError: "No camera was found. Connect one and start it again, or open a picture or a video.",
  NotReadableError:
    "The camera is in use by another program, or the system keeps it. Close that program and start it again.",
  OverconstrainedError: "That camera is no longer there. Choose another one.",
  AbortError: "The camera stopped before it gave a picture. Start it again.",
};

/**
 * @param {string} deviceId empty for the browser's choice
 * @param {() => void} onEnd the camera was unplugged or taken away
 */
export async function openCamera(deviceId, onEnd) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new PageError("The browser gives no camera to this page: it does so over https or from localhost only.");
  }
  const wanted = {
    width: { ideal: 1280 },
    height: { ideal: 720 },
    ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
  };
  let stream;
  const video = Object.assign(document.createElement("video"), { playsInline: true, muted: true });
  const close = () => {
    stream?.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
  };
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    video.srcObject = stream;
    await video.play();
    await firstFrame(video);
  } catch (error) {
    close();
    throw new PageError(REASONS[error?.name] ?? `The camera cannot be used: ${error?.message ?? error}.`, {
      cause: error,
    });
  }
  const [track] = stream.getVideoTracks();
  track.addEventListener("ended", onEnd);
  const name = track.label || "camera";
  const id = track.getSettings().deviceId ?? "";
  return moving(video, { kind: "camera", name, id, close });
}

/** @returns {Promise<{id: string, name: string}[]>} names are empty until a camera was allowed */
export async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const cameras = devices.filter((device) => device.kind === "videoinput" && device.deviceId);
  return cameras.map((device, k) => ({ id: device.deviceId, name: device.label || `Camera ${k + 1}` }));
}
