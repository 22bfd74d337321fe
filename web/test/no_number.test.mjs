// What is no number, or no probability, is background or the nearer end: segruntime.arrays' rule, at each place of the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Chain } from "../src/engine/chain.js";
import { Postprocessor } from "../src/engine/postprocess.js";
import { Preprocessor } from "../src/engine/preprocess.js";
import { withinUnit } from "../src/engine/unit.js";
import { PRESETS } from "../src/refine/presets.js";
import { Refiner } from "../src/refine/refiner.js";

const SIDE = 24;
const PERSON = 4 * SIDE + 5;
/** What a network may give, and what it counts as. */
const VALUES = [
  [NaN, 0],
  [-Infinity, 0],
  [-1e38, 0],
  [-1e-40, 0],
  [-0, 0],
  [Infinity, 1],
  [1e38, 1],
  [1.5, 1],
  [0.25, 0.25],
];
const frame = (width, height) => ({
  data: Uint8ClampedArray.from({ length: 4 * width * height }, (_, k) => (k * 37 + (k >> 7) * 11) % 256),
  width,
  height,
});

/** A soft disc with one strange value in it and one outside, and the same with what these count as. */
function masks(value, counts) {
  const soft = Float32Array.from({ length: SIDE * SIDE }, (_, k) => {
    const away = Math.hypot((k % SIDE) - 12, Math.floor(k / SIDE) - 12);
    return Math.min(1, Math.max(0, (8 - away) / 4));
  });
  const put = (one) => soft.map((p, k) => (k === PERSON || k === 12 * SIDE + 12 ? one : p));
  return [put(value), put(counts)];
}

test("the rule", () => {
  for (const [value, counts] of VALUES) assert.ok(Object.is(withinUnit(value), counts), `${value}`);
});

for (const preset of /** @type {(keyof typeof PRESETS)[]} */ (Object.keys(PRESETS))) {
  test(`${preset}: a strange value is what it counts as, frame after frame, and the GPU is given numbers only`, () => {
    for (const [value, counts] of VALUES) {
      const [strange, plain] = masks(value, counts).map((mask) => [new Refiner(preset), mask]);
      for (const seen of [frame(40, 30), frame(40, 30), frame(20, 12)]) {
        const [found, wanted] = [strange, plain].map(([refiner, mask]) => refiner.coefficients(mask, SIDE, SIDE, seen));
        assert.deepEqual(found, wanted, `${value} at ${seen.width}x${seen.height}`);
        assert.ok(found.slope.every(Number.isFinite) && found.offset.every(Number.isFinite), `${value}`);
        assert.deepEqual(Refiner.alpha(seen, found), Refiner.alpha(seen, wanted));
      }
    }
  });
}

/** A chain around a network that gives `output` whatever it sees. */
function chain(output) {
  const size = { width: SIDE, height: SIDE, layout: "NHWC" };
  const contract = {
    input: { ...size, dtype: "float32", color: "rgb", range: [0, 1], resize: "stretch", interpolation: "bilinear" },
    output: { ...size, dtype: "float32", meaning: "probability", channels: 1, personChannel: 0 },
  };
  const [pre, post] = [new Preprocessor(contract.input), new Postprocessor(contract.output)];
  return new Chain({ contract, pre, post, model: { run: async () => output }, refiner: new Refiner("balanced") });
}

test("a network's NaN is background in alpha, before and after refinement, and does not spread", async () => {
  for (const [value, counts] of VALUES) {
    const [strange, plain] = masks(value, counts).map(chain);
    const seen = frame(50, 40);
    assert.deepEqual((await strange.steps(seen)).alpha, (await plain.steps(seen)).alpha, `${value}`);
    assert.deepEqual(await strange.refined(seen), await plain.refined(seen), `${value}`);
  }
});

test("a network's NaN is seen by those who compare accelerators", () => {
  const post = new Postprocessor(
    /** @type {any} */ ({ width: 2, height: 1, meaning: "probability", channels: 1, personChannel: 0, layout: "NHWC" }),
  );
  assert.deepEqual([...post.probability([NaN, 2])], [NaN, 1]);
});

test("an infinite logit counts as the largest number", () => {
  const spec = { width: 1, height: 1, meaning: "logits", layout: "NHWC", personChannel: 0 };
  const one = (...logits) =>
    new Postprocessor(/** @type {any} */ ({ ...spec, channels: logits.length })).probability(logits)[0];
  assert.deepEqual([one(Infinity), one(-Infinity), one(1e38), one(NaN)], [1, 0, 1, NaN]);
  assert.deepEqual([one(Infinity, 3), one(-Infinity, 3), one(3, Infinity), one(3, -Infinity)], [1, 0, 0, 1]);
  assert.deepEqual(
    [one(Infinity, Infinity), one(-Infinity, -Infinity), one(NaN, 1), one(1, NaN)],
    [0.5, 0.5, NaN, NaN],
  );
});
