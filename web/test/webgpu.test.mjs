// WebGPU as Chromium emulates it on the processor: there, and of no use.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { FIXTURES, launch, openSite } from "./harness.mjs";

let browser;
let site;

before(async () => {
  browser = await launch(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]);
  site = await openSite(browser);
});
after(async () => {
  await site?.close();
  await browser?.close();
});

/** Opens a model in the page: its facts, or the error's text. */
function open(name, options) {
  const text = readFileSync(path.join(FIXTURES, "export", name)).toString("base64");
  return site.page.evaluate(async ([text, options]) => {
    const { Engine } = await import(new URL("engine.js", document.baseURI).href);
    const engine = await Engine.open(
      Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)),
      options,
    );
    engine.close();
    return engine.facts;
  }, /** @type {const} */ ([text, options]));
}

test("an emulated GPU is not chosen by itself", async (t) => {
  if (!(await site.page.evaluate(async () => !!(await navigator.gpu?.requestAdapter()))))
    return t.skip("this browser emulates no WebGPU");
  for (const name of ["portrait_unet_float32.tflite", "portrait_unet.onnx"])
    assert.equal((await open(name, { backend: "auto" })).backend, "wasm", name);
  assert.deepEqual(site.errors, []);
});

test("a network that WebGPU cannot run goes on with WebAssembly, and the page is told why", async (t) => {
  if (!(await site.page.evaluate(async () => !!(await navigator.gpu?.requestAdapter()))))
    return t.skip("this browser emulates no WebGPU");
  const facts = await open("portrait_unet_int8.tflite", { backend: "webgpu" });
  assert.equal(facts.backend, "wasm");
  assert.match(facts.note, /WebGPU did not work .* WebAssembly/);
});
