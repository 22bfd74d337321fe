// What a <video> element plays, file or camera: the newest frame when asked, and a call for each new one.

const LONGEST_SIDE = 1920;

/**
 * The present frame, at most 1920 pixels on its longer side.
 * @param {HTMLVideoElement} video
 */
function grabbed(video) {
  const [width, height] = [video.videoWidth, video.videoHeight];
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  if (scale === 1) return createImageBitmap(video);
  return createImageBitmap(video, { resizeWidth: Math.round(width * scale), resizeHeight: Math.round(height * scale) });
}

/**
 * A source, as the loop takes it, of what the element plays.
 * @param {HTMLVideoElement} video
 * @param {{kind: "camera" | "video", name: string, close: () => void, id?: string}} about
 */
export function moving(video, about) {
  return {
    note: "",
    live: true,
    video,
    ...about,
    grab: () => grabbed(video),
    watch: (onFrame) => watch(video, onFrame),
  };
}

/**
 * Call for each new frame until the returned function is called.
 * @param {HTMLVideoElement} video
 * @param {() => void} onFrame
 */
function watch(video, onFrame) {
  let stopped = false;
  let time = -1;
  const framed = "requestVideoFrameCallback" in video;
  const next = () => (framed ? video.requestVideoFrameCallback(step) : requestAnimationFrame(step));
  function step() {
    if (stopped) return;
    if (framed || video.currentTime !== time) onFrame();
    time = video.currentTime;
    next();
  }
  next();
  return () => {
    stopped = true;
  };
}

/** Until the element has a frame. @returns {Promise<void>} rejected with the element's error */
export function firstFrame(video) {
  if (video.readyState >= 2 && video.videoWidth) return Promise.resolve();
  return new Promise((resolve, reject) => {
    video.addEventListener("loadeddata", () => resolve(), { once: true });
    video.addEventListener("error", () => reject(video.error), { once: true });
  });
}
