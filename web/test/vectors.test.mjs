// The page's engine in a real browser, held against what segruntime made of the same frames with the same files.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { largest, maskIou, models, rgba, values } from "./fixtures.mjs";
import { launch, openSite } from "./harness.mjs";

let browser;
const sites = {};

before(async () => {
  browser = await launch();
  for (const isolated of [true, false]) {
    sites[isolated] = await openSite(browser, { isolated });
    await sites[isolated].page.evaluate(prepare);
  }
});
after(async () => {
  for (const site of Object.values(sites)) await site.close();
  await browser?.close();
});

/** In the page: open a model and take frames through it. Arrays travel as base64. */
function prepare() {
  const page = /** @type {any} */ (window);
  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const packed = (array) => {
    const all = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    let text = "";
    for (let k = 0; k < all.length; k += 32768) text += String.fromCharCode(...all.subarray(k, k + 32768));
    return btoa(text);
  };
  page.openModel = async (model, options) => {
    const { Engine } = await import(new URL("engine.js", document.baseURI).href);
    page.testEngine?.close();
    page.testEngine = await Engine.open(bytes(model), options);
    return page.testEngine.facts;
  };
  page.steps = async ({ data, width, height }) => {
    const found = await page.testEngine.steps(new ImageData(new Uint8ClampedArray(bytes(data)), width, height));
    return Object.fromEntries(Object.entries(found).map(([name, array]) => [name, packed(array)]));
  };
  page.refined = async ({ data, width, height }) => packed(await page.testEngine.refined(new ImageData(new Uint8ClampedArray(bytes(data)), width, height)));
}

const base64 = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");
const as = (Kind, text) => new Kind(new Uint8Array(Buffer.from(text, "base64")).buffer);
const sent = (model, frame) => ({ ...rgba(model, frame), data: base64(rgba(model, frame).data) });

for (const isolated of [true, false]) {
  for (const model of models()) {
    const how = isolated ? "with threads" : "without cross-origin isolation";
    test(`${model.file}, ${how}: each step of each frame is segruntime's`, async () => {
      const { page, errors, foreign } = sites[isolated];
      const facts = await page.evaluate(([bytes, options]) => /** @type {any} */ (window).openModel(bytes, options), [readFileSync(model.path).toString("base64"), { name: model.file, backend: "wasm" }]);
      assert.equal(facts.isolated, isolated);
      assert.equal(facts.threads > 1, isolated, `threads: ${facts.threads}`);
      for (const frame of model.frames) await compare(page, model, frame);
      assert.deepEqual(errors, []);
      assert.deepEqual(foreign, []);
    });
  }
}

async function compare(page, model, frame) {
  const found = await page.evaluate((one) => /** @type {any} */ (window).steps(one), sent(model, frame));
  const Kind = model.contract.input.dtype === "float32" ? Float32Array : Uint8Array;
  const { input, alpha } = model.tolerances;
  assert.ok(largest(as(Kind, found.input), values(model, frame, "input")) <= input.largest, `${frame.name}: the input tensor differs`);
  const [mask, wanted] = [as(Float32Array, found.alpha), values(model, frame, "alpha")];
  if (alpha.largest !== undefined) assert.ok(largest(mask, wanted) <= alpha.largest, `${frame.name}: alpha differs by ${largest(mask, wanted)}`);
  else assert.ok(maskIou(mask, wanted) >= alpha.mask_iou, `${frame.name}: IoU ${maskIou(mask, wanted)}`);
}

test("the whole chain with memory gives segruntime's alpha on a stream", async () => {
  const model = models().find((one) => one.file === "portrait_unet_float32.tflite");
  const { page } = sites[true];
  await page.evaluate(([bytes, options]) => /** @type {any} */ (window).openModel(bytes, options), [readFileSync(model.path).toString("base64"), { name: model.file, preset: "balanced", backend: "wasm" }]);
  for (const frame of model.stream) {
    const found = as(Uint8Array, await page.evaluate((one) => /** @type {any} */ (window).refined(one), sent(model, frame)));
    const wanted = values(model, frame, "balanced");
    const near = found.filter((byte, k) => Math.abs(byte - wanted[k]) <= 2).length / wanted.length;
    assert.ok(near >= 0.999, `${frame.name}: ${(100 * near).toFixed(3)} % within 2 of 255`);
  }
});
