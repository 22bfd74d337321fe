// Videos and the camera on the page: played, paused, sought, recorded; never more than one frame under way.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { FIXTURES, coloursAt, drawn, fixtures, launch, opened } from "./page_browser.mjs";
import { serve, siteFiles } from "./page_site.mjs";

const clip = (name) => path.join(FIXTURES, name);
let browser, site;

before(async () => {
  fixtures();
  [browser, site] = await Promise.all([launch(), siteFiles().then((files) => serve({ files, isolated: true }))]);
});
after(async () => {
  await browser?.close();
  await site?.stop();
});

/** A page that plays a file. */
async function playing(name, before) {
  const visit = await opened(browser, site.url, { before });
  await visit.page.setInputFiles("#file", clip(name));
  await drawn(visit.page);
  return visit;
}

const hide = (page, hidden) =>
  page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
const runs = (page) => page.evaluate(() => globalThis.engine.runs);
const moreRuns = (page, before, more = 0) =>
  page.waitForFunction(([before, more]) => globalThis.engine.runs > before + more, [before, more]);

/** The network has come to rest; the clip is a loop, so while it plays there is always another frame. */
async function rests(page) {
  for (let k = 0; k < 20; k++) {
    const before = await runs(page);
    await page.waitForTimeout(300);
    if ((await runs(page)) === before) return before;
  }
  assert.fail("the network runs on and on");
}

for (const name of ["clip.mp4", "clip.webm"])
  test(`${name} plays, frame after frame, and the statistics say how fast`, async () => {
    const { page, close } = await playing(name);
    await page.waitForFunction(() => globalThis.engine.runs > 12);
    await page.waitForFunction(() => Number(document.getElementById("fps").textContent) > 0);
    assert.equal(await page.textContent("#size"), "320×240");
    assert.match(await page.textContent("#time"), /^0:0\d \/ 0:02$/);
    assert.ok(await page.isEnabled("#record"));
    await close();
  });

test("a paused video stops the network, and a jump draws one frame without memory", async () => {
  const { page, close } = await playing("clip.mp4");
  await page.click("#play");
  await page.waitForFunction(() => document.getElementById("play").textContent === "Play");
  const before = await rests(page);
  const resets = await page.evaluate(() => globalThis.engine.resets);
  await page.locator("#seek").fill("1.5");
  await moreRuns(page, before);
  assert.ok((await page.evaluate(() => globalThis.engine.resets)) > resets);
  await page.check('input[value="colour"]', { force: true });
  await page.locator("#colour").fill("#ff0000");
  assert.deepEqual((await coloursAt(page, [[0.98, 0.03]]))[0], [255, 0, 0]);
  await page.click("#mute");
  assert.equal(await page.getAttribute("#mute", "aria-pressed"), "true");
  await close();
});

test("a slow network gets the newest frame, one at a time, and memory between frames", async () => {
  const slow = (page) => page.addInitScript(() => (globalThis.stub = { delay: 150 }));
  const { page, close } = await playing("clip.mp4", slow);
  await moreRuns(page, 3);
  const [count, resets, most] = await page.evaluate(() => {
    const { runs, resets, mostUnderWay } = globalThis.engine;
    return [runs, resets, mostUnderWay];
  });
  assert.equal(most, 1);
  assert.ok(resets < count, `${resets} resets in ${count} runs`);
  await page.click("#play");
  const paused = await runs(page);
  assert.ok((await rests(page)) <= paused + 2, "one under way and one that waits, and no queue of older ones");
  await close();
});

test("a tab in the background pauses with a sentence and goes on when it is back", async () => {
  const { page, close } = await playing("clip.mp4");
  await hide(page, true);
  assert.equal(await page.textContent("#status"), "Paused while this tab is in the background.");
  const before = await rests(page);
  await hide(page, false);
  await moreRuns(page, before, 3);
  assert.equal(await page.textContent("#status"), "clip.mp4.");
  await close();
});

test("a recording is a video of what was shown", async () => {
  const { page, close } = await playing("clip.mp4");
  await page.click("#record");
  await moreRuns(page, await runs(page), 12);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#record")]);
  assert.match(download.suggestedFilename(), /^clip-blur\.(mp4|webm)$/);
  const bytes = readFileSync(await download.path());
  const size = await page.evaluate(async (text) => {
    const video = document.createElement("video");
    video.src = URL.createObjectURL(new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]));
    await new Promise((resolve, reject) => Object.assign(video, { onloadeddata: resolve, onerror: reject }));
    return [video.videoWidth, video.videoHeight];
  }, bytes.toString("base64"));
  assert.deepEqual(size, [320, 240]);
  await close();
});

test("the camera is shown, mirrored or not, and stopped", async () => {
  const { page, close } = await opened(browser, site.url);
  await page.click("#camera");
  await drawn(page);
  await page.waitForFunction(() => globalThis.engine.runs > 5);
  assert.equal(await page.textContent("#camera"), "Stop camera");
  assert.equal(await page.locator("#cameras option").count(), 1);
  await page.check('input[value="original"]', { force: true });
  // the window is in the left of the picture, so to the right in a mirror
  const [left, right] = await coloursAt(page, [
    [0.2, 0.3],
    [0.8, 0.3],
  ]);
  assert.ok(right[2] > left[2] + 40, `${left} ${right}`);
  await page.uncheck("#mirror");
  const [plain] = await coloursAt(page, [[0.2, 0.3]]);
  assert.ok(plain[2] > left[2] + 40, `${plain}`);
  await page.click("#camera");
  assert.equal(await page.textContent("#camera"), "Start camera");
  await rests(page);
  await close();
});
