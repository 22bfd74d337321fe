// Play, position and sound of a video.

import { place } from "./place.js";

/** @param {{jumping: () => void, jumped: () => void}} react a video that starts again at its end has jumped as well */
export function followTransport(react) {
  let video = null;
  let held = false;
  const [play, seek, time, mute] = ["play", "seek", "time", "mute"].map(place);

  play.addEventListener("click", () => (video?.paused ? video.play().catch(() => {}) : video?.pause()));
  seek.addEventListener("input", () => {
    held = true;
    if (video) video.currentTime = Number(seek.value);
  });
  seek.addEventListener("change", () => {
    held = false;
  });
  mute.addEventListener("click", () => {
    if (!video) return;
    video.muted = !video.muted;
    mute.setAttribute("aria-pressed", String(video.muted));
  });
  const shown = () => {
    if (!video) return;
    play.textContent = video.paused ? "Play" : "Pause";
    if (!held) seek.value = String(video.currentTime);
    const text = `${clock(video.currentTime)} / ${clock(video.duration)}`;
    if (time.textContent !== text) time.textContent = text;
    seek.setAttribute("aria-valuetext", `${clock(video.currentTime)} of ${clock(video.duration)}`);
  };

  /** Follow this video from now on. @param {HTMLVideoElement|null} next */
  return function follow(next) {
    video = next;
    if (!video) return;
    seek.max = String(Number.isFinite(video.duration) ? video.duration : 0);
    mute.setAttribute("aria-pressed", String(video.muted));
    for (const event of ["play", "pause", "timeupdate", "durationchange"]) video.addEventListener(event, shown);
    next.addEventListener("seeking", () => video === next && react.jumping());
    next.addEventListener("seeked", () => video === next && react.jumped());
    shown();
  };
}

function clock(seconds) {
  const whole = Number.isFinite(seconds) ? Math.floor(seconds) : 0;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
