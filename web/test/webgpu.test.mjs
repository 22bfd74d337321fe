// WebGPU as Chromium emulates it on the processor: there, and of no use.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { EMULATED_GPU, FIXTURES, launch } from "./harness.mjs";
import { openEngineSite } from "./harness_engine.mjs";

let browser;
let site;

before(async () => {
  browser = await launch(EMULATED_GPU);
  site = await openEngineSite(browser);
});
after(async () => {
  await site?.close();
  await browser?.close();
});

const open = (name, options) => site.open(readFileSync(path.join(FIXTURES, "export", name)), options);

test("an emulated GPU is not chosen by itself", async (t) => {
  if (!(await site.page.evaluate(async () => !!(await navigator.gpu?.requestAdapter()))))
    return t.skip("this browser emulates no WebGPU");
  for (const name of ["mobile_unet_float32.tflite", "mobile_unet.onnx"])
    assert.equal((await open(name, { backend: "auto" })).backend, "wasm", name);
  assert.deepEqual(site.errors, []);
});

test("a network that WebGPU cannot run goes on with WebAssembly, and the page is told why", async (t) => {
  if (!(await site.page.evaluate(async () => !!(await navigator.gpu?.requestAdapter()))))
    return t.skip("this browser emulates no WebGPU");
  const facts = await open("mobile_unet_int8.tflite", { backend: "webgpu" });
  assert.equal(facts.backend, "wasm");
  assert.match(facts.note, /WebGPU did not work .* WebAssembly/);
});
