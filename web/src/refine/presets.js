// The chains of segruntime/refine/presets.py; a step that is null is left out.

export const PRESETS = {
  fast: { temporal: null, islands: null, guided: null, bounds: null },
  balanced: {
    temporal: { sure: 0.5, unsure: 0.9, still: 1, moving: 5 },
    islands: null,
    guided: { radius: 2, eps: 1e-3, scale: "mask" },
    bounds: { low: 0.05, high: 0.95 },
  },
  best: {
    temporal: { sure: 0.7, unsure: 0.9, still: 1, moving: 5 },
    islands: { level: 0.1, minArea: 0.002 },
    guided: { radius: 3, eps: 1e-3, scale: "half" },
    bounds: { low: 0.1, high: 0.9 },
  },
};
