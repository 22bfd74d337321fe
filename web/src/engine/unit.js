// The one rule for alpha, as segruntime.arrays has it: outside 0–1 is the nearer end, NaN is background.

/** What is not above 0, NaN among it, is 0; above 1 is 1. */
export function withinUnit(value) {
  return value > 0 ? Math.min(1, value) : 0;
}
