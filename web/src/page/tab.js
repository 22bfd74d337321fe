// A tab in the background gets no frames and hardly any time: the page pauses, says so, and goes on where it was.

/** @param {{loop: import("./loop.js").Loop, saving: any, say: (text: string) => void, back: () => void}} parts */
export function followTab({ loop, saving, say, back }) {
  let playing = false;
  document.addEventListener("visibilitychange", () => {
    const video = loop.source?.kind === "video" ? loop.source.video : null;
    loop.paused = document.hidden;
    saving.pause(document.hidden);
    if (document.hidden) {
      playing = Boolean(video && !video.paused);
      if (playing) video.pause();
      if (loop.source?.live) say("Paused while this tab is in the background.");
      return;
    }
    if (playing) video?.play().catch(() => {});
    loop.again();
    back();
  });
}
