// Which accelerator runs, and what a person reads when a model does not run. WebGPU is Chromium's software one.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { chooseAccelerator } from "../src/engine/choose.js";
import { largest, models, values } from "./fixtures.mjs";
import { EMULATED_GPU, WEB, launch } from "./harness.mjs";
import { openEngineSite, typed } from "./harness_engine.mjs";

const FOREIGN = path.join(WEB, "../../shared/models/mnv3_uint8.tflite");
const named = (file) => models().find((one) => one.file === file);
const bytesOf = (file) => readFileSync(named(file).path);
const contractOf = (name) =>
  JSON.parse(readFileSync(path.join(WEB, `../examples/contracts/${name}.contract.json`), "utf8"));
let [plain, withGpu, site] = [null, null, null];

before(async () => {
  plain = await launch();
  site = await openEngineSite(plain);
});
after(async () => {
  await site?.close();
  await plain?.close();
  await withGpu?.close();
});

for (const file of ["mobile_unet.onnx", "mobile_unet_float32.tflite"]) {
  test(`${file}: WebGPU asked for where there is none runs on WebAssembly and says so`, async () => {
    const facts = await site.open(bytesOf(file), { backend: "webgpu" });
    assert.equal(facts.backend, "wasm");
    assert.match(facts.note, /no WebGPU/);
    assert.deepEqual(site.errors, []);
  });
}

// onnxruntime-web compiles for a minute on a GPU in software, so only LiteRT.js is tried there
test("mobile_unet_float32.tflite: WebGPU gives the same alpha", async (t) => {
  withGpu = await launch(EMULATED_GPU);
  const here = await openEngineSite(withGpu);
  t.after(() => here.close()); // an open server would keep this process alive
  if (!(await here.page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter()))))
    return t.skip("this Chromium has no software WebGPU");
  const model = named("mobile_unet_float32.tflite");
  const facts = await here.open(bytesOf(model.file), { backend: "webgpu" });
  if (/no mask within/.test(facts.note))
    return t.skip(`this machine is too slow for WebGPU in software: ${facts.note}`);
  assert.equal(facts.backend, "webgpu", facts.note);
  const [frame] = model.frames;
  const difference = largest(
    typed(Float32Array, (await here.steps(model, frame)).alpha),
    values(model, frame, "alpha"),
  );
  t.diagnostic(`alpha differs by ${difference}`);
  assert.ok(difference <= 1e-2);
  assert.deepEqual([here.errors, here.foreign], [[], []]);
});

const accelerators = (gpu) => async (name) => ({
  name,
  run: name === "webgpu" ? gpu : takes(4),
  close() {},
});
let now = 0; // milliseconds of a clock that only the runs move
const takes = (time) => async () => {
  now += time;
  return 0.5;
};
const chosen = (gpu, wanted = "webgpu") =>
  chooseAccelerator(
    accelerators(gpu),
    wanted,
    () => 0,
    (output) => Float32Array.of(output),
    50,
  );

test("an accelerator that gives another mask, NaN, breaks or never answers is not taken", async (t) => {
  pretendGpu(t);
  for (const [gpu, why] of [
    [async () => 0.52, /another mask/],
    [async () => NaN, /another mask/],
    [async () => Promise.reject(new Error("device lost")), /device lost/],
    [() => new Promise(() => {}), /no mask within 0\.05 s/],
  ]) {
    const { model, note } = await chosen(gpu);
    assert.equal(model.name, "wasm");
    assert.match(note, why);
  }
  assert.equal((await chosen(async () => 0.505)).model.name, "webgpu");
});

test("auto takes WebGPU only where it is faster", async (t) => {
  pretendGpu(t);
  t.mock.method(performance, "now", () => now);
  for (const time of [4, 12, 400]) {
    const slow = await chosen(takes(time), "auto");
    assert.equal(slow.model.name, "wasm");
    assert.match(slow.note, /WebAssembly is faster/);
  }
  assert.equal((await chosen(takes(3), "auto")).model.name, "webgpu");
});

function pretendGpu(t) {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", {
    value: { gpu: { requestAdapter: async () => ({}) } },
    configurable: true,
  });
  t.after(() => (before ? Object.defineProperty(globalThis, "navigator", before) : delete globalThis.navigator));
}

test("a run hands over a picture and gives coefficients of the mask's size, also for a frame smaller than the mask", async () => {
  await site.open(bytesOf("mobile_unet_int8.tflite"), { preset: "fast" });
  const found = await site.ran(640, 360);
  assert.deepEqual([found.width, found.height, found.bounds], [640, 360, null]);
  assert.equal(found.slopes, found.maskWidth * found.maskHeight);
  assert.ok(Object.values(found.times).every((time) => time >= 0));
  const small = await site.ran(20, 10);
  assert.deepEqual([small.maskWidth, small.maskHeight, small.offsets], [20, 10, 200]);
});

test(
  "a uint8 model of others runs with its contract from examples/",
  { skip: existsSync(FOREIGN) ? false : "../shared/models is not here" },
  async () => {
    const facts = await site.open(readFileSync(FOREIGN), { contract: contractOf("mnv3_uint8"), backend: "wasm" });
    assert.equal(facts.runtime, "LiteRT.js");
    assert.equal((await site.ran(64, 48)).width, 64);
  },
);

const float = () => bytesOf("mobile_unet_float32.tflite");
const inputAs = (file, change) => ({ ...named(file).contract, input: { ...named(file).contract.input, ...change } });
const REFUSALS = {
  "a text": [() => new TextEncoder().encode("hello, world"), {}, /not a model/],
  "a model without a contract": [
    () => float().subarray(0, 3000),
    { name: "a.tflite" },
    /a\.tflite .* holds no contract/,
  ],
  "a model cut off": [
    () => float().subarray(0, 300_000),
    { contract: contractOf("mnv3_float") },
    /LiteRT\.js cannot run this model|belongs to another model/,
  ],
  "an ONNX file cut off": [
    () => bytesOf("mobile_unet.onnx").subarray(0, 300_000),
    { contract: contractOf("mnv3_float") },
    /onnxruntime-web cannot run this model/,
  ],
  "an unknown version": [
    float,
    { contract: { ...contractOf("mnv3_float"), version: 7 } },
    /version 7, this page knows version 1/,
  ],
  "int8 at its ends, as older files have": [
    float,
    { contract: inputAs("mobile_unet_float32.tflite", { dtype: "int8", scale: 0.004, zero_point: -128 }) },
    /Export it again with a newer segexport/,
  ],
  "a huge TFLite input that the model does not have": [
    float,
    { contract: inputAs("mobile_unet_float32.tflite", { width: 8192, height: 8192 }) },
    /belongs to another model/,
  ],
  "a huge ONNX input that the model does not have": [
    () => bytesOf("mobile_unet.onnx"),
    { contract: inputAs("mobile_unet.onnx", { width: 8192, height: 8192 }) },
    /belongs to another model/,
  ],
};

for (const [what, [bytes, options, message]] of Object.entries(REFUSALS)) {
  test(`${what} is refused with one sentence`, async () => {
    await assert.rejects(site.open(bytes(), { backend: "wasm", ...options }), message);
    assert.deepEqual([site.errors, site.foreign], [[], []]);
  });
}

test("a worker that dies, and a model that is closed, end the question that waits with a sentence", async () => {
  await site.open(float(), { backend: "wasm" });
  const said = await site.page.evaluate(async () => {
    const { testEngine: engine } = /** @type {any} */ (window);
    const asked = engine.run(new ImageData(8, 8)).catch((error) => error.message);
    engine.worker.dispatchEvent(new ErrorEvent("error", { message: "out of memory", cancelable: true }));
    return [await asked, await engine.run(new ImageData(8, 8)).catch((error) => error.message)];
  });
  assert.match(said[0], /worker stopped \(out of memory\)/);
  assert.match(said[1], /closed/);
});
