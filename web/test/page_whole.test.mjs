// The built site with the real networks: the person of the drawn picture stays, the room goes, also offline; a video and the camera run.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { serve } from "../serve.mjs";
import { FIXTURES, coloursAt, drawn, fixtures, launch, opened } from "./page_browser.mjs";

const WEB = fileURLToPath(new URL("..", import.meta.url));
const [CORNER, SHELF] = [
  [0.03, 0.97],
  [0.9, 0.25],
];
const [FACE, CHEST] = [
  [0.5, 0.5],
  [0.5, 0.93],
];
const RED = [255, 0, 0];
let browser, site;

before(async () => {
  fixtures();
  if (!existsSync(path.join(WEB, "dist", "index.html")))
    execFileSync(process.execPath, [path.join(WEB, "build.mjs")], { stdio: "inherit" });
  [browser, site] = await Promise.all([launch(), serve()]);
});
after(async () => {
  await browser?.close();
  await site?.stop();
});

const ready = (page) => page.waitForFunction(() => document.getElementById("precision").textContent !== "–");
const number = (page, id) => page.textContent(`#${id}`).then(parseFloat);

/** The drawn picture before red: the room is red, the person is not. */
async function checkSample(page) {
  await page.click("#sample");
  await drawn(page);
  await page.check('input[value="colour"]', { force: true });
  await page.locator("#colour").fill("#ff0000");
  const [corner, shelf, face, chest] = await coloursAt(page, [CORNER, SHELF, FACE, CHEST]);
  assert.deepEqual([corner, shelf], [RED, RED]);
  assert.ok(face[1] > 100 && chest[2] > 60, `${face} ${chest}`);
}

test("each bundled model cuts the person of the drawn picture out", async () => {
  const { page, close } = await opened(browser, site.url);
  await ready(page);
  const names = await page.locator("#model option").allTextContents();
  assert.ok(names.length >= 2, names.join());
  const seen = new Set();
  for (const name of names) {
    await page.selectOption("#model", { label: name });
    await page.waitForFunction(() => !document.getElementById("status").textContent.startsWith("Loading"));
    assert.ok(await page.isHidden("#alert"), `${name}: ${await page.textContent("#alert-text")}`);
    await checkSample(page);
    seen.add(await page.textContent("#runtime"));
  }
  assert.deepEqual([...seen].sort(), ["LiteRT.js · wasm", "onnxruntime-web · wasm"]);
  await close();
});

test("offline, after one visit, the networks still run, with threads", async () => {
  const other = await serve();
  const { page, close } = await opened(browser, other.url, { context: { serviceWorkers: "allow" } });
  await page.waitForFunction(() => navigator.serviceWorker.controller);
  await other.stop();
  await page.reload();
  await ready(page);
  await checkSample(page);
  assert.ok(await page.evaluate(() => self.crossOriginIsolated));
  await close();
});

test("a video and the camera run, and each stage has its time", async () => {
  const { page, close } = await opened(browser, site.url);
  await ready(page);
  await page.setInputFiles("#file", path.join(FIXTURES, "clip.mp4"));
  await drawn(page);
  await page.waitForFunction(() => Number(document.getElementById("fps").textContent) > 0);
  for (const id of ["read", "resize", "network", "refine", "draw", "age"]) assert.ok((await number(page, id)) >= 0, id);
  await page.click("#camera");
  await page.waitForFunction(() => !document.getElementById("canvas").getAttribute("aria-label").startsWith("clip"));
  await page.waitForFunction(() => Number(document.getElementById("fps").textContent) > 0);
  assert.equal(await page.textContent("#camera"), "Stop camera");
  await close();
});

test("how fast a 640x480 video of 60 frames a second runs, as the page itself says", async (t) => {
  const { page, close } = await opened(browser, site.url);
  await ready(page);
  for (const preset of ["fast", "balanced"]) {
    await page.check(`input[value="${preset}"]`, { force: true });
    await page.setInputFiles("#file", path.join(FIXTURES, "quick.mp4"));
    await drawn(page);
    await page.waitForTimeout(4000);
    const said = {};
    for (const id of ["fps", "read", "resize", "network", "refine", "draw"]) said[id] = await number(page, id);
    assert.ok(said.fps > 0);
    t.diagnostic(
      `${preset}, ${await page.textContent("#runtime")}, frames a second and milliseconds: ${JSON.stringify(said)}`,
    );
  }
  await close();
});

test("a file that is no model and a contract of another version have their sentences", async () => {
  const { page, close } = await opened(browser, site.url);
  await ready(page);
  const refusal = async (files) => {
    await page.setInputFiles(
      "#model-file",
      files.map(([name, text]) => ({ name, mimeType: "", buffer: Buffer.from(text) })),
    );
    await page.waitForSelector("#alert:not([hidden])");
    const text = await page.textContent("#alert-text");
    await page.click("#alert-close");
    return text;
  };
  const none = await refusal([["holiday.tflite", "just some text, no model at all"]]);
  assert.match(none, /holiday\.tflite|not a|neither/i);
  const model = Buffer.alloc(64);
  model.write("TFL3", 4, "latin1");
  const later = await refusal([
    ["m.tflite", model],
    ["m.contract.json", JSON.stringify({ format: "segedge.contract", version: 99 })],
  ]);
  assert.match(later, /version/);
  for (const text of [none, later]) assert.doesNotMatch(text, /did not expect/);
  await checkSample(page);
  await close();
});
