// What the last sixty frames took.

const KEPT = 60;
export const STAGES = ["read", "resize", "network", "refine", "draw"];

export class Stats {
  constructor() {
    this.clear();
  }

  clear() {
    this.frames = [];
    this.dropped = 0;
  }

  /** @param {{at: number, age: number, times: Record<string, number>}} frame milliseconds; `at`: when it was shown */
  add(frame) {
    this.frames.push(frame);
    if (this.frames.length > KEPT) this.frames.shift();
  }

  /** Frames a second over those kept; null for fewer than two. */
  get fps() {
    if (this.frames.length < 2) return null;
    const spent = this.frames.at(-1).at - this.frames[0].at;
    return spent > 0 ? ((this.frames.length - 1) * 1000) / spent : null;
  }

  /** Median milliseconds of a stage, or of the mask's age; null where nothing was measured. @param {string} stage */
  median(stage) {
    const values = this.frames.map((frame) => (stage === "age" ? frame.age : frame.times[stage]));
    const known = values.filter(Number.isFinite).sort((a, b) => a - b);
    return known.length ? known[(known.length - 1) >> 1] : null;
  }
}
