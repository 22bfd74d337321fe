import assert from "node:assert/strict";
import { test } from "node:test";

import { cropped } from "../src/engine/postprocess.js";
import { lumaOf } from "../src/refine/luma.js";
import { Refiner } from "../src/refine/refiner.js";
import { bestSequence, largest, models, read, rgba, share, values, withAlpha } from "./fixtures.mjs";

for (const model of models()) {
  test(`${model.file}: the luma is segruntime's`, () => {
    for (const frame of model.stream)
      assert.ok(largest(lumaOf(rgba(model, frame)), values(model, frame, "luma")) <= model.tolerances.luma.largest);
  });

  for (const preset of ["fast", "balanced"]) {
    test(`${model.file}: ${preset} gives segruntime's alpha, frame after frame`, (t) => {
      const { largest: most, share: least = 1 } = model.tolerances[preset];
      const refiner = new Refiner(preset);
      for (const frame of model.stream) {
        const [height, width] = frame.arrays.coarse.shape;
        const pixels = rgba(model, frame);
        const found = Refiner.alpha(
          pixels,
          refiner.coefficients(values(model, frame, "coarse"), height, width, pixels),
        );
        const wanted = values(model, frame, preset);
        const near = share(found, wanted, most);
        t.diagnostic(
          `${frame.name}: ${(100 * share(found, wanted, 0)).toFixed(2)} % equal, largest ${largest(found, wanted)}`,
        );
        assert.ok(
          near >= least,
          `${frame.name}: ${(100 * near).toFixed(3)} % within ${most}, largest ${largest(found, wanted)}`,
        );
      }
    });
  }
}

test("memory matters: without it the third frame of the stream is another one", () => {
  const [model] = models();
  const frame = model.stream[2];
  const [height, width] = frame.arrays.coarse.shape;
  const pixels = rgba(model, frame);
  const found = Refiner.alpha(
    pixels,
    new Refiner("balanced").coefficients(values(model, frame, "coarse"), height, width, pixels),
  );
  assert.ok(largest(found, values(model, frame, "balanced")) > model.tolerances.balanced.largest);
});

test("best gives segruntime's alpha on a large frame, an odd one and one smaller than the mask", (t) => {
  for (const stream of bestSequence()) {
    const refiner = new Refiner("best");
    for (const frame of stream) {
      const pixels = { data: withAlpha(read("best", frame.frame)), width: frame.width, height: frame.height };
      const [height, width] = frame.coarse.shape;
      const found = Refiner.alpha(pixels, refiner.coefficients(read("best", frame.coarse), height, width, pixels));
      const wanted = read("best", frame.best);
      const near = share(found, wanted, 2);
      t.diagnostic(
        `${frame.width}x${frame.height}: ${(100 * near).toFixed(3)} % within 2, ${(100 * share(found, wanted, 0)).toFixed(2)} % equal, largest ${largest(found, wanted)}`,
      );
      assert.ok(near >= 0.999, `${frame.width}x${frame.height}: ${(100 * near).toFixed(3)} % within 2 of 255`);
    }
  }
});

test("best takes small islands out and keeps the person", () => {
  const [height, width] = [64, 64];
  const mask = new Float32Array(height * width);
  for (let y = 20; y < 60; y++) mask.fill(0.9, y * width + 20, y * width + 45);
  mask[5 * width + 5] = 0.8;
  const frame = { data: new Uint8ClampedArray(4 * 128 * 128).fill(120), width: 128, height: 128 };
  const alpha = Refiner.alpha(frame, new Refiner("best").coefficients(mask, height, width, frame));
  assert.equal(alpha[11 * 128 + 11], 0);
  assert.ok(alpha[80 * 128 + 64] > 200);
});

test("a letterbox's border is cut off", () => {
  const map = Float32Array.from({ length: 12 }, (_, k) => k);
  assert.deepEqual([...cropped(map, 4, { left: 1, top: 1, width: 2, height: 2 })], [5, 6, 9, 10]);
});
