// The page's engine in a real browser, compared with what segruntime made of the same frames with the same files.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { largest, maskIou, mean, models, share, values } from "./fixtures.mjs";
import { launch } from "./harness.mjs";
import { openEngineSite, typed } from "./harness_engine.mjs";

const STEPS = ["input", "output", "probability", "alpha"];
const ARRAYS = { float32: Float32Array, uint8: Uint8Array };
let browser;
const sites = {};

before(async () => {
  browser = await launch();
  for (const isolated of [true, false]) sites[isolated] = await openEngineSite(browser, { isolated });
});
after(async () => {
  for (const site of Object.values(sites)) await site.close();
  await browser?.close();
});

for (const isolated of [true, false]) {
  for (const model of models()) {
    const how = isolated ? "with threads" : "without cross-origin isolation";
    test(`${model.file}, ${how}: each step of each frame is segruntime's`, async (t) => {
      const { open, steps, errors, foreign } = sites[isolated];
      const facts = await open(readFileSync(model.path), { name: model.file, backend: "wasm" });
      assert.equal(facts.isolated, isolated);
      assert.equal(facts.threads > 1, isolated, `threads: ${facts.threads}`);
      for (const frame of model.frames) t.diagnostic(compared(model, frame, await steps(model, frame)));
      assert.deepEqual(errors, []);
      assert.deepEqual(foreign, []);
    });
  }
}

/** Each step within the vectors' own bounds, the input tensor to the bit, and the issue's bounds on alpha. */
function compared(model, frame, found) {
  const line = [frame.name];
  for (const step of STEPS) {
    const wanted = values(model, frame, step);
    const got = typed(ARRAYS[frame.arrays[step].dtype], found[step]);
    const measured = {
      largest: largest(got, wanted),
      mean: mean(got, wanted),
      mask_iou: step === "alpha" ? maskIou(got, wanted) : 1,
    };
    const bounds = { ...model.tolerances[step], ...(step === "input" ? { largest: 0 } : {}) };
    for (const [name, bound] of Object.entries(bounds)) {
      const fits = name === "mask_iou" ? measured[name] >= (step === "alpha" ? bound : 0) : measured[name] <= bound;
      assert.ok(fits, `${frame.name}: ${step} ${name} is ${measured[name]}, bound ${bound}`);
    }
    line.push(
      `${step} ${measured.largest.toExponential(1)}`,
      ...(step === "alpha" ? [`IoU ${measured.mask_iou.toFixed(4)}`] : []),
    );
  }
  return line.join(", ");
}

test("the whole chain with memory gives segruntime's alpha on a stream", async (t) => {
  const model = models().find((one) => one.file === "mobile_unet_float32.tflite");
  const { open, refined } = sites[true];
  await open(readFileSync(model.path), { name: model.file, preset: "balanced", backend: "wasm" });
  for (const frame of model.stream) {
    const near = share(await refined(model, frame), values(model, frame, "balanced"), 2);
    t.diagnostic(`${frame.name}: ${(100 * near).toFixed(3)} % within 2 of 255`);
    assert.ok(near >= 0.999, `${frame.name}: ${(100 * near).toFixed(3)} % within 2 of 255`);
  }
});
