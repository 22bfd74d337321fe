// Whatever comes in and cannot be used has a sentence on the page, and the page goes on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { coloursAt, drawn, fixtures, launch, opened } from "./page_browser.mjs";
import { serve, siteFiles } from "./page_site.mjs";

let browser, site, plain, files;

before(async () => {
  fixtures();
  [browser, files] = await Promise.all([launch(), siteFiles()]);
  [site, plain] = await Promise.all([true, false].map((isolated) => serve({ files, isolated })));
});
after(async () => {
  await browser?.close();
  await Promise.all([site?.stop(), plain?.stop()]);
});

/** What the alert says. */
async function refusal(page) {
  await page.waitForSelector("#alert:not([hidden])");
  return page.textContent("#alert-text");
}

const REFUSED = /** @type {const} */ ([
  ["broken.png", "image/png", "\x89PNG nothing more", /^The picture broken\.png cannot be decoded: it is damaged/],
  ["film.mp4", "video/mp4", "no video at all", /^This browser cannot decode the video film\.mp4/],
  ["letter.txt", "text/plain", "hello", /^letter\.txt is neither a picture nor a video nor a model/],
]);

test("what is neither a picture nor a video, or a broken one, is refused with a sentence, and what was open stays", async () => {
  const { page, close } = await opened(browser, site.url);
  await page.click("#sample");
  await drawn(page);
  for (const [name, mimeType, text, sentence] of REFUSED) {
    await page.setInputFiles("#file", { name, mimeType, buffer: Buffer.from(text, "latin1") });
    assert.match(await refusal(page), sentence);
    assert.equal(await page.textContent("#status"), "Drawn picture.");
    await page.click("#alert-close");
    assert.ok(await page.isHidden("#alert"));
  }
  await close();
});

test("a huge picture is scaled down, and the page says so", async () => {
  const { page, close } = await opened(browser, site.url);
  const huge =
    '<svg xmlns="http://www.w3.org/2000/svg" width="9000" height="3000"><rect width="9000" height="3000" fill="#246"/></svg>';
  await page.setInputFiles("#file", { name: "huge.svg", mimeType: "image/svg+xml", buffer: Buffer.from(huge) });
  await drawn(page);
  assert.match(
    await page.textContent("#status"),
    /The picture has 9000×3000 pixels; it was scaled down to 6928×2309\./,
  );
  await close();
});

test("a picture of more pixels than can be decoded is refused before that", async () => {
  const { page, close } = await opened(browser, site.url);
  const bomb = '<svg xmlns="http://www.w3.org/2000/svg" width="30000" height="30000"/>';
  await page.setInputFiles("#file", { name: "bomb.svg", mimeType: "image/svg+xml", buffer: Buffer.from(bomb) });
  assert.match(await refusal(page), /bomb\.svg has 30000×30000 pixels, more than the 200 million/);
  await close();
});

test("a model that is not one is refused, and the model before goes on", async () => {
  const { page, close } = await opened(browser, site.url);
  await page.click("#sample");
  await drawn(page);
  await page.setInputFiles("#model-file", { name: "mine.tflite", mimeType: "", buffer: Buffer.from("not a model") });
  assert.equal(await refusal(page), "mine.tflite is not a model.");
  assert.equal(await page.locator("#model option").count(), 2);
  await page.check('input[value="best"]', { force: true });
  await page.waitForFunction(() => globalThis.engine.preset === "best" && !globalThis.engine.closed);
  await close();
});

test("a contract that is not JSON and two models at once are refused", async () => {
  const { page, close } = await opened(browser, site.url);
  const file = (name, text) => ({ name, mimeType: "", buffer: Buffer.from(text) });
  await page.setInputFiles("#model-file", [file("a.tflite", "okay"), file("a.contract.json", "{")]);
  assert.match(await refusal(page), /^a\.contract\.json is not JSON/);
  await page.click("#alert-close");
  await page.setInputFiles("#model-file", [file("a.tflite", "okay"), file("b.onnx", "okay")]);
  assert.match(await refusal(page), /^Choose one model file/);
  await close();
});

test("a model of the user's joins the list, with its contract", async () => {
  const { page, close } = await opened(browser, site.url);
  await page.setInputFiles("#model-file", { name: "mine.tflite", mimeType: "", buffer: Buffer.from("okay") });
  await page.waitForFunction(() => document.getElementById("model").selectedOptions[0]?.textContent === "mine.tflite");
  await close();
});

test("an engine that fails in the middle has its sentence", async () => {
  const { page, close } = await opened(browser, site.url, {
    before: (page) => page.addInitScript(() => (globalThis.stub = { broken: true })),
  });
  await page.click("#sample");
  assert.match(await refusal(page), /out of memory/);
  await close();
});

const CAMERAS = {
  NotAllowedError: /^The camera was refused/,
  NotFoundError: /^No camera was found/,
  NotReadableError: /^The camera is in use by another program/,
};
test("a camera that is refused, missing or in use has a sentence for each", async () => {
  const before = (page) =>
    page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", globalThis.reason));
    });
  const { page, close } = await opened(browser, site.url, { before });
  for (const [name, sentence] of Object.entries(CAMERAS)) {
    await page.evaluate((name) => (globalThis.reason = name), name);
    await page.click("#camera");
    assert.match(await refusal(page), sentence);
    assert.equal(await page.textContent("#camera"), "Start camera");
    await page.click("#alert-close");
  }
  await close();
});

test("a camera that is unplugged has a sentence", async () => {
  const before = (page) =>
    page.addInitScript(() => {
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wishes) => (globalThis.stream = await ask(wishes));
    });
  const { page, close } = await opened(browser, site.url, { before });
  await page.click("#camera");
  await drawn(page);
  await page.evaluate(() => globalThis.stream.getVideoTracks()[0].dispatchEvent(new Event("ended")));
  assert.match(await refusal(page), /^The camera was unplugged/);
  await close();
});

test("a page without camera access at all says what is missing", async () => {
  const before = (page) =>
    page.addInitScript(() => Object.defineProperty(navigator, "mediaDevices", { value: undefined }));
  const { page, close } = await opened(browser, site.url, { before });
  await page.click("#camera");
  assert.match(await refusal(page), /over https or from localhost only/);
  await close();
});

test("without SharedArrayBuffer the page says that it has one thread", async () => {
  const { page, close } = await opened(browser, plain.url);
  await page.waitForFunction(() =>
    /One thread: .*SharedArrayBuffer/.test(document.getElementById("status").textContent),
  );
  assert.deepEqual(await page.locator("#threads option").allTextContents(), ["Automatic", "1"]);
  await close();
});

test("without WebGL the picture is put together on the processor, with a sentence", async () => {
  const before = (page) =>
    page.addInitScript(() => {
      const get = HTMLCanvasElement.prototype.getContext;
      HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
        return kind === "webgl2" ? null : get.call(this, kind, ...rest);
      };
    });
  const { page, close } = await opened(browser, site.url, { before });
  await page.waitForFunction(() => /No WebGL 2/.test(document.getElementById("status").textContent));
  await page.click("#sample");
  await drawn(page);
  for (const kind of ["colour", "picture", "transparent", "blur"])
    await page.check(`input[value="${kind}"]`, { force: true });
  await page.check('input[value="colour"]', { force: true });
  await page.locator("#colour").fill("#ff0000");
  assert.deepEqual((await coloursAt(page, [[0.98, 0.03]]))[0], [255, 0, 0]);
  await close();
});

test("a site whose program or models are missing says so and is not blank", async () => {
  const less = new Map(files);
  less.delete("models.json");
  const half = await serve({ files: less, isolated: true });
  const first = await opened(browser, half.url);
  assert.match(await refusal(first.page), /^The list of models could not be read \(status 404\)/);
  less.delete("page.js");
  const second = await opened(browser, half.url);
  assert.match(await refusal(second.page), /^The page's program could not be loaded/);
  await Promise.all([first, second].map((visit) => visit.page.context().close()));
  await half.stop();
});

test("without JavaScript the page says what it needs", async () => {
  const { page, close } = await opened(browser, site.url, { context: { javaScriptEnabled: false } });
  assert.match(await page.locator("noscript").innerText(), /needs JavaScript/);
  await close();
});
