// The statistics on the page, twice a second: they are for eyes, a screen reader is not told of each change.

import { place } from "./place.js";
import { STAGES } from "./stats.js";

/** @param {import("./stats.js").Stats} stats @param {boolean} moving a single picture has no rate */
export function showStats(stats, moving) {
  const { fps } = stats;
  write("fps", moving && fps ? fps.toFixed(1) : "–");
  write("age", ms(stats.median("age")));
  for (const stage of STAGES) write(stage, ms(stats.median(stage)));
}

/** @param {{facts: any}|null} engine @param {string} drawing */
export function showFacts(engine, drawing) {
  const facts = engine?.facts;
  write("runtime", facts ? `${facts.runtime} · ${facts.backend}` : "–");
  write("used", facts ? `${facts.threads}${facts.isolated ? "" : " (not isolated)"}` : "–");
  write("precision", facts?.contract?.conversion?.precision ?? facts?.contract?.input?.dtype ?? "–");
  write("drawing", drawing);
}

/** @param {{width: number, height: number, maskWidth: number, maskHeight: number}} frame */
export function showSize({ width, height, maskWidth, maskHeight }) {
  write("size", `${width}×${height}`);
  write("mask", `${maskWidth}×${maskHeight}`);
}

function write(id, text) {
  if (place(id).textContent !== text) place(id).textContent = text;
}

function ms(value) {
  return value === null ? "–" : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
